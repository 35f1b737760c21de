"""Error of eager workflows, under flytekit's name."""

from typing import TYPE_CHECKING

from flytemp.porting.finder import other_names


class EagerException(Exception):
    """Error of a node in an eager workflow. This version has no eager workflows, so only user code raises it."""


if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
