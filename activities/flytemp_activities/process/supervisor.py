"""One try in a process, from its order to its result, independent of the activities that wait for it."""

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
from flytemp_activities.try_reports import TryReports

_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """Shared objects of the supervisors of a worker. ``owner`` is the owner of its claims."""

    store: ObjectStore
    options: ProcessOptions
    pool: ProcessPool
    owners: Owners
    oom: OomCounter
    owner: str
    folder: Path  # folder of this worker, for scratch folders
    lookup: ResultLookup | None = None


class Supervisor:
    """Supervisor of one try, which may have been started before. ``task`` ends with the outcome of the try."""

    def __init__(self, context: ProcessContext, invocation: Invocation, environment: dict[str, str], *, resumed: bool) -> None:
        self._context = context
        self._store = context.store
        self._invocation = invocation
        self._outcomes = TryOutcomes(context.store, invocation, context.lookup)
        self._environment = environment
        self._process: WarmProcess | None = None
        self._kill_reason: str | None = None
        self._is_waiting = True  # waits for a slot, or for the end of a try that another worker runs
        self._reports = TryReports()
        self.task: asyncio.Task[TaskResult] = asyncio.create_task(self._run(resumed))

    def subscribe(self, report: Report) -> None:
        """Send the details of the try to ``report``, now and after every change."""
        self._reports.subscribe(report)

    def unsubscribe(self, report: Report) -> None:
        """Remove a subscriber. The try continues."""
        self._reports.unsubscribe(report)

    async def kill(self, reason: str) -> None:
        """End the processes of the try; return when none is left.

        `task` then ends with `TaskLost`, or with a result that was committed before.
        """
        self._kill_reason = self._kill_reason or reason
        await asyncio.sleep(0)  # a task that is cancelled before its first step has no handler for the cancellation
        if self._process is not None:
            await self._process.end(self._context.options.grace_seconds)
        elif self._is_waiting:
            self.task.cancel()
        if not self.task.done():
            await asyncio.wait([self.task])

    # --------------------------------------------------------------------------------------- start

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
        invocation, context = self._invocation, self._context
        self._reports.update(phase="queued" if context.pool.is_full else "starting")
        self._process = process = await context.pool.acquire(PoolKey.of(invocation.bundle, self._environment))
        self._is_waiting = False
        self._reports.update(phase="running", pid=process.pid, uid=process.marker)
        layout = RootLayout(invocation.execution_root)
        chunk = (invocation.node, invocation.attempt_key, invocation.try_)
        sink = LogSink(self._store, lambda number: layout.log_chunk(*chunk, number), context.options)
        scratch = context.folder / f"{process.pid}-{process.tasks}"
        ooms = context.oom.current()
        order = {"owner": context.owner, "scratch": str(scratch), "bundles": str(context.options.bundles)}
        try:
            async with asyncio.timeout(invocation.timeout_seconds):
                answer = await process.execute(order, invocation.model_dump_json(), sink, self._on_event)
        except TimeoutError:
            return await self._on_timeout(process, sink, scratch)
        except ProcessEnded as ended:
            await self._discard(process, sink, scratch)
            return await self._on_ended(ended.end, process, context.oom.current() > ooms)
        self._process = None
        context.pool.release(process, reusable=answer["reusable"])
        await sink.finish()
        return await self._on_answer(answer)

    def _on_event(self, event: str) -> None:
        if event == "claimed":
            self._reports.update(claimed=True)

    async def _discard(self, process: WarmProcess, sink: LogSink, scratch: Path) -> None:
        """End the process and everything that it started, keep its last output, and remove its scratch folder."""
        await self._context.pool.discard(process, self._context.options.grace_seconds)
        self._process = None
        await sink.finish()
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    # ---------------------------------------------------------------------------------------- ends

    async def _on_answer(self, answer: dict[str, Any]) -> TaskResult:
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
        # Another process has claimed the try: its result is the result of the try.
        self._is_waiting = True
        settled = await self._follow()
        if settled is None:
            raise StoreError("another process has claimed the task, and its claim is not in the store")
        return settled

    async def _on_timeout(self, process: WarmProcess, sink: LogSink, scratch: Path) -> TaskResult:
        limit = self._invocation.timeout_seconds
        message = f"the task ran longer than its timeout of {limit:g} s and was ended"
        try:
            # The commit comes first: a result of the task that is being ended does not count.
            return await self._outcomes.fail(TaskError.of("Timeout", message))
        finally:
            await self._discard(process, sink, scratch)

    async def _on_ended(self, end: Exit, process: WarmProcess, out_of_memory: bool) -> TaskResult:
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

    # -------------------------------------------------------------------------------------- follow

    async def _follow(self) -> TaskResult | None:
        """Wait for the result of a try that was started before; return None if its code was never started.

        Raises:
            TaskLost: its process is gone, and there is no result.
            SystemFailure: the try ended with a SYSTEM error.
        """
        self._reports.update(phase="following")
        while True:
            settled = await self._outcomes.settled()
            claim = await self._outcomes.read_claim() if settled is None else None
            if claim is None:
                return settled
            # A try of this worker without a supervisor has ended, and its process too.
            is_own = claim.owner == self._context.owner
            if is_own or not await asyncio.to_thread(self._context.owners.is_alive, claim):
                result = await self._outcomes.result()  # it may have been committed just before the process ended
                if result is None:
                    raise TaskLost("the worker that ran the task is gone, and the task's process too")
                return result
            await asyncio.sleep(_POLL_SECONDS)
