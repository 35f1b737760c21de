"""How a try can end without a result for its attempt. Neither costs the user a retry."""

from __future__ import annotations

from flytemp.errors import Actor, FlytempError
from flytemp.runtime.invocation import TaskError


class TaskLost(FlytempError):
    """The try was started, its process is gone, and nothing was committed: whoever asked decides on a new try."""

    code = "task-lost"
    actor = Actor.PLATFORM


class SystemFailure(FlytempError):
    """What runs the task failed, not the task: the store, the bundle, the process. ``error`` has kind SYSTEM."""

    code = "system-failure"
    actor = Actor.PLATFORM

    def __init__(self, error: TaskError) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.error = error
