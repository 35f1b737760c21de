"""Base of the errors under flytekit's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp.error_text import object_text
from flytemp.errors import FlytempError, Location
from flytemp.porting.finder import other_names


class FlyteException(FlytempError):
    """Base of the errors under flytekit's names. It takes any arguments, like a plain ``Exception``."""

    code = "flyte-error"
    timestamp: float | None = None  # seconds since 1970

    def __init__(
        self, *args: object, hint: str | None = None, location: Location | None = None, timestamp: float | None = None
    ) -> None:
        super().__init__(" ".join(object_text(arg) for arg in args), hint=hint, location=location)
        self.args = args
        self.timestamp = timestamp


class FlyteRecoverableException(FlyteException):
    """Base of the errors after which flytekit retries a task; flytemp retries after other exceptions too."""

    code = "recoverable"


if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
