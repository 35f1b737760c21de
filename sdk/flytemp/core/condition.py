"""flytekit's module of `conditional`."""

from typing import TYPE_CHECKING

from flytemp.authoring.conditional import Condition as Condition
from flytemp.authoring.conditional import conditional as conditional
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
