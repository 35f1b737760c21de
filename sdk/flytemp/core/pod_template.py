"""flytekit's module of `PodTemplate`."""

from typing import TYPE_CHECKING

from flytemp.authoring.pod import PodTemplate as PodTemplate
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
