"""The error that a failure handler receives."""

from typing import TYPE_CHECKING

from flytemp.porting.finder import other_names
from flytemp.types.error.error import FlyteError as FlyteError

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
