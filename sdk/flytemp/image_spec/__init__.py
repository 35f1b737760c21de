"""flytekit's module of `ImageSpec`."""

from typing import TYPE_CHECKING

from flytemp.authoring.image import ImageSpec as ImageSpec
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
