"""One try from its order to its result, whoever waits for it: an activity may come, go and come again."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flytemp.errors import StoreError
from flytemp.layout import RootLayout
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import Report, SystemFailure, TaskLost
from flytemp_activities.process.child import Exit, ProcessEnded, WarmProcess
from flytemp_activities.process.crashes import OomCounter, crash_error
from flytemp_activities.process.leases import Owners
from flytemp_activities.process.logs import LogSink
from flytemp_activities.process.options import ProcessOptions
from flytemp_activities.process.pool import PoolKey, ProcessPool
from flytemp_activities.result_lookup import ResultLookup
from flytemp_activities.try_outcomes import TryOutcomes, unwrap

_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """What the supervisors of a worker share. ``owner`` is who claims its tries."""

    store: ObjectStore
    options: ProcessOptions
    pool: ProcessPool
    owners: Owners
    oom: OomCounter
    owner: str
    folder: Path  # of the worker alone; scratch folders lie in it
    lookup: ResultLookup | None = None


class Supervisor:
    """Runs one try, or follows it where it was started before. ``task`` ends with what became of it."""

    def __init__(self, shop: ProcessContext, invocation: Invocation, environment: dict[str, str], *, resumed: bool) -> None:
        self._shop = shop
        self._store = shop.store
        self._invocation = invocation
        self._outcomes = TryOutcomes(shop.store, invocation, shop.lookup)
        self._environment = environment
        self._process: WarmProcess | None = None
        self._kill_reason: str | None = None
        self._is_waiting = True  # for a slot, or for the end of a try that another worker runs
        self._reporters: list[Report] = []
        self._state: dict[str, Any] = {"phase": "queued"}
        self.task: asyncio.Task[TaskResult] = asyncio.create_task(self._run(resumed))

    def subscribe(self, report: Report) -> None:
        """Tell ``report`` the state now, and at every change."""
        self._reporters.append(report)
        report(dict(self._state))

    def unsubscribe(self, report: Report) -> None:
        self._reporters.remove(report)

    def _tell(self, **changes: Any) -> None:
        self._state = {**self._state, **changes}
        for report in list(self._reporters):
            report(dict(self._state))

    async def kill(self, reason: str) -> None:
        """End the try's processes; returns when none is left.

        `task` then ends with `TaskLost`, or with a result that was committed before.
        """
        self._kill_reason = self._kill_reason or reason
        await asyncio.sleep(0)  # a task that is cancelled before its first step could not say why it ended
        if self._process is not None:
            await self._process.end(self._shop.options.grace_seconds)
        elif self._is_waiting:
            self.task.cancel()
        if not self.task.done():
            await asyncio.wait([self.task])

    # ---------------------------------------------------------------------------------- the course

    async def _run(self, resumed: bool) -> TaskResult:
        try:
            settled = (await self._follow() if resumed else None) or await self._outcomes.look_up()
            return settled or self._outcomes.with_lookup(await self._start())
        except StoreError as error:
            raise SystemFailure(TaskError.of_platform(error)) from error
        except asyncio.CancelledError:
            if self._kill_reason is None:
                raise
            raise TaskLost(self._kill_reason) from None

    async def _start(self) -> TaskResult:
        invocation, shop = self._invocation, self._shop
        self._tell(phase="queued" if shop.pool.is_full else "starting")
        self._process = process = await shop.pool.acquire(PoolKey.of(invocation.bundle, self._environment))
        self._is_waiting = False
        self._tell(phase="running", pid=process.pid, uid=process.marker)
        layout = RootLayout(invocation.execution_root)
        chunk = (invocation.node, invocation.attempt_key, invocation.try_)
        sink = LogSink(self._store, lambda number: layout.log_chunk(*chunk, number), shop.options)
        scratch = shop.folder / f"{process.pid}-{process.tasks}"
        ooms = shop.oom.current()
        order = {"owner": shop.owner, "scratch": str(scratch), "bundles": str(shop.options.bundles)}
        try:
            async with asyncio.timeout(invocation.timeout_seconds):
                answer = await process.execute(order, invocation.model_dump_json(), sink, self._on_event)
        except TimeoutError:
            return await self._timed_out(process, sink, scratch)
        except ProcessEnded as ended:
            await self._discard(process, sink, scratch)
            return await self._ended(ended.end, process, shop.oom.current() > ooms)
        self._process = None
        shop.pool.release(process, reusable=answer["reusable"])
        await sink.finish()
        return await self._answered(answer)

    def _on_event(self, event: str) -> None:
        if event == "claimed":
            self._tell(claimed=True)

    async def _discard(self, process: WarmProcess, sink: LogSink, scratch: Path) -> None:
        """End the process with all it started, keep the last of its output, remove what it left."""
        await self._shop.pool.discard(process, self._shop.options.grace_seconds)
        self._process = None
        await sink.finish()
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    # ------------------------------------------------------------------------------------ the ends

    async def _answered(self, answer: dict[str, Any]) -> TaskResult:
        outcome = answer["outcome"]
        if outcome == "result":
            return TaskResult.read(answer["result"])
        if outcome == "stored":
            result = await self._outcomes.result()
            if result is not None:
                return result
            raise StoreError("a result was committed and is not in the store", hint="check whether its folder was emptied")
        if outcome == "system":
            raise SystemFailure(TaskError.read(answer["error"]))
        # Another process claimed the try first: its result is this try's.
        self._is_waiting = True
        settled = await self._follow()
        if settled is None:
            raise StoreError("another process claimed the task, and its claim is not there")
        return settled

    async def _timed_out(self, process: WarmProcess, sink: LogSink, scratch: Path) -> TaskResult:
        limit = self._invocation.timeout_seconds
        message = f"the task ran longer than its timeout of {limit:g} s and was ended"
        try:
            # First the commit: what the task does while it is being ended no longer counts.
            return await self._outcomes.fail(TaskError.of("Timeout", message))
        finally:
            await self._discard(process, sink, scratch)

    async def _ended(self, end: Exit, process: WarmProcess, out_of_memory: bool) -> TaskResult:
        result = await self._outcomes.result()
        if result is not None:
            return result
        if self._kill_reason is not None:
            raise await self._outcomes.lost(self._kill_reason)
        if await self._outcomes.read_claim() is None:
            raise SystemFailure(TaskError.of("ProcessEnded", f"the process ended before the task began, with {end}"))
        lost_channel = process.channel_was_lost
        error = crash_error(end, out_of_memory=out_of_memory, channel_was_lost=lost_channel)
        return unwrap(await self._outcomes.record(error))

    # ------------------------------------------------------------------------------------ following

    async def _follow(self) -> TaskResult | None:
        """The result of a try that was started before, as soon as there is one; None if it never began.

        Raises:
            TaskLost: its process is gone, and there is no result.
            SystemFailure: it ended with one.
        """
        self._tell(phase="following")
        while True:
            settled = await self._outcomes.settled()
            claim = await self._outcomes.read_claim() if settled is None else None
            if claim is None:
                return settled
            # A try of this worker that no supervisor has is over, and with it its process.
            is_own = claim.owner == self._shop.owner
            if is_own or not await asyncio.to_thread(self._shop.owners.is_alive, claim):
                result = await self._outcomes.result()  # it may have been committed just before the process ended
                if result is None:
                    raise TaskLost("the worker that ran the task is gone, and with it the task's process")
                return result
            await asyncio.sleep(_POLL_SECONDS)
