"""flytekit's module of `dynamic`."""

from typing import TYPE_CHECKING

from flytemp.authoring.dynamic import dynamic as dynamic
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
