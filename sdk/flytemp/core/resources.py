"""flytekit's module of `Resources`."""

from typing import TYPE_CHECKING

from flytemp.authoring.resources import Resources as Resources
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
