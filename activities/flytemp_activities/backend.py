"""What a backend is: something that runs one try of a task, wherever that may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, Protocol, TypeAlias

from flytemp.runtime.invocation import Invocation, TaskError, TaskResult

TryKey: TypeAlias = tuple[str, str, int, int]
"""(execution root, node path, attempt, try): names one try in the whole installation."""

HeartbeatDetails: TypeAlias = Mapping[str, Any]
"""What a heartbeat says of a try: ``phase``, and what its backend knows beside it."""

Report: TypeAlias = Callable[[dict[str, Any]], None]
"""Takes what a heartbeat should say: small, and the last one counts."""


def key_of(invocation: Invocation) -> TryKey:
    """What the invocation's try is called."""
    return invocation.execution_root, invocation.node, invocation.attempt, invocation.try_


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
    """Runs tries. `start` and `close` are called once, around everything else."""

    async def start(self) -> None:
        """Be ready to run."""
        ...

    async def close(self) -> None:
        """Stop what still runs, and clean up."""
        ...

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        """The result of one try. Cancelling the call detaches from the try; it goes on.

        Args:
            invocation: what to run.
            resumed: this very try may have been started before; join it, or find what it left.
            report: hears of what changes.
            before: the last word of an earlier activity of this try, when there was one.

        Raises:
            TaskLost: see there.
            SystemFailure: see there.
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
        """Stop a try and everything it started; returns when all of it is gone."""
        ...

    def running(self) -> Set[TryKey]:
        """The tries that this backend has in hand. The set is to be used at once: it changes as they do."""
        ...
