"""A backend whose tries end when the test ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp_activities.backend import HeartbeatDetails, Report, TaskLost, TryKey, key_of
from tests.backend_without_resources import BackendWithoutResources


class HeldBackend(BackendWithoutResources):
    """Runs each try until the test sets its result."""

    def __init__(self) -> None:
        self.tries: dict[TryKey, asyncio.Future[TaskResult]] = {}
        self.killed: list[TryKey] = []
        self.early: list[TryKey] = []
        self.released: list[TryKey] = []
        self.invocations: list[tuple[Invocation, bool]] = []
        self.started = asyncio.Event()
        self.room = 1_000
        self.on_kill: Callable[[asyncio.Future[TaskResult]], None] = lambda run: run.set_exception(TaskLost("killed"))

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        key = key_of(invocation)
        self.invocations.append((invocation, resumed))
        self.tries.setdefault(key, asyncio.get_running_loop().create_future())
        report({"phase": "running", "pid": 7})
        self.started.set()
        return await asyncio.shield(self.tries[key])

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        if len(self.tries) >= self.room:
            return False
        key = key_of(invocation)
        self.early.append(key)
        self.tries[key] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(self.run(invocation, resumed=False, report=lambda state: None))
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0)
        return True

    def release(self, invocation_key: TryKey) -> None:
        self.released.append(invocation_key)
        self.tries.pop(invocation_key)

    async def kill(self, invocation_key: TryKey) -> None:
        self.killed.append(invocation_key)
        run = self.tries.pop(invocation_key, None)
        if run is not None and not run.done():
            self.on_kill(run)
            run.add_done_callback(lambda done: done.cancelled() or done.exception())  # no activity may be waiting

    def running(self) -> set[TryKey]:
        return {key for key, run in self.tries.items() if not run.done()}

    @property
    def run_of_one(self) -> asyncio.Future[TaskResult]:
        return next(iter(self.tries.values()))
