"""How a try can end without a result for its attempt."""

from __future__ import annotations

from flytemp.errors import Actor, FlytempError
from flytemp.runtime.invocation import TaskError


class TryFailed(FlytempError):
    """What runs the task failed, not the task: the store, the bundle. ``error`` has kind SYSTEM.

    It costs the user none of the task's ``retries``.
    """

    code = "try-failed"
    actor = Actor.PLATFORM

    def __init__(self, error: TaskError) -> None:
        super().__init__(error.message)
        self.error = error
