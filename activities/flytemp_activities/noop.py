"""A backend that runs nothing: every output is null. It measures what everything else costs."""

from __future__ import annotations

from collections.abc import Set

from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp_activities.backend import HeartbeatDetails, Report, TryKey


class NoopBackend:
    """For benchmarks: answers at once, inside the worker."""

    async def start(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Nothing to clean up."""

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        """A success without work."""
        return TaskResult(status="succeeded", outputs={variable.name: None for variable in invocation.task.interface.outputs})

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        """Start nothing: a try takes no time."""
        return False

    def release(self, invocation_key: TryKey) -> None:
        """Do nothing: no try is started early."""

    async def kill(self, invocation_key: TryKey) -> None:
        """Nothing runs."""

    def running(self) -> Set[TryKey]:
        """Nothing runs longer than its call."""
        return set()
