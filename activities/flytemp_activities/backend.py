"""Protocol of the backends, which run the tries of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, NamedTuple, Protocol, TypeAlias

from flytemp.names import activity_id
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult


class TryKey(NamedTuple):
    """Key of a try, unique among all executions of a store. ``epoch`` is that of `Invocation`."""

    execution_root: str
    node: str
    attempt: int
    try_: int
    epoch: str = ""

    @property
    def activity_id(self) -> str:
        """Return the id of the activity that claims the try."""
        return activity_id(self.node, self.attempt, self.try_, self.epoch)


HeartbeatDetails: TypeAlias = Mapping[str, Any]
"""Details of a heartbeat: the ``phase`` of the try, and further keys of the backend such as ``pod``, ``uid`` or ``reason``."""

Report: TypeAlias = Callable[[dict[str, Any]], None]
"""Receives the details for the next heartbeat. They must be small and complete: they replace the previous ones."""


def key_of(invocation: Invocation) -> TryKey:
    """Return the key of the invocation's try."""
    return TryKey(invocation.execution_root, invocation.node, invocation.attempt, invocation.try_, invocation.epoch)


class SystemFailure(Exception):
    """Error raised when a try failed through the platform; ``error`` has kind SYSTEM."""

    def __init__(self, error: TaskError) -> None:
        super().__init__(error.message)
        self.error = error


class TaskLost(SystemFailure):
    """Error raised when a try was started, left no result, and has no live process or pod."""

    def __init__(self, reason: str) -> None:
        super().__init__(TaskError.of("Lost", reason))


class Backend(Protocol):
    """Runs tries. `start` must be called before all other methods, and `close` after them."""

    async def start(self) -> None:
        """Prepare to run tries."""
        ...

    async def close(self) -> None:
        """Stop or leave the running tries, as the backend does, and free all resources."""
        ...

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        """Run one try and return its result. Cancelling the call detaches from the try, which continues.

        Args:
            invocation: the try.
            resumed: the try may have been started before. Join it, or return its outcome.
            report: receives the details of the try at every change.
            before: the last heartbeat of an earlier activity of the try, if there was one.

        Raises:
            TaskLost: the try was started and left no result.
            SystemFailure: the platform failed.
        """
        ...

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        """Start a fresh try before its activity arrives, if that is possible at once.

        The try runs until an activity claims it with `run`, here or in another worker. Cancelling this call releases the try.

        Args:
            invocation: the try.
            deadline: monotonic time, in seconds, after which nothing may be started. By then an activity in another worker may
                have claimed and ended the try.

        Returns:
            False if nothing was started, so that a later `run` need not look for the try.
        """
        ...

    def release(self, invocation_key: TryKey) -> None:
        """Stop following an early-started try that no `run` waits for here. The try continues: another worker follows it."""
        ...

    async def kill(self, invocation_key: TryKey) -> None:
        """Stop a try and everything that it started. Return when nothing of it is left."""
        ...

    def running(self) -> Set[TryKey]:
        """Return the tries that the backend runs or follows, as a view that changes with them."""
        ...
