"""Failures of a try and of a call."""

from __future__ import annotations

from flytemp.errors import Actor, FlytempError
from flytemp.literals.types import Json
from flytemp.runtime.invocation import TaskError


class TryFailed(FlytempError):
    """Error raised when the platform failed and not the task, such as the store or the code bundle.

    ``error`` has kind SYSTEM and costs none of the task's ``retries``.
    """

    code = "try-failed"
    actor = Actor.PLATFORM

    def __init__(self, error: TaskError) -> None:
        super().__init__(error.message)
        self.error = error


class CallFailed(Exception):
    """Error raised when a call of a task failed. ``outputs`` has the outputs of the calls of the same try that succeeded."""

    def __init__(self, error: TaskError, outputs: dict[str, Json] | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.outputs = outputs
