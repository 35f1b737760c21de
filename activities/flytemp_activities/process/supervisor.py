"""One try in a process, from its order to its result, independent of the activities that wait for it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from flytemp.errors import CorruptData, StoreError
from flytemp.layout import RootLayout
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import Report, SystemFailure, TaskLost
from flytemp_activities.process.child import Exit, ProcessEnded, TaskProcess
from flytemp_activities.process.control import Done
from flytemp_activities.process.crashes import OomCounter, crash_error
from flytemp_activities.process.leases import LeaseKeeper, Observation, Owners
from flytemp_activities.process.logs import LogSink
from flytemp_activities.process.options import ProcessOptions
from flytemp_activities.process.pool import ProcessNeed, ProcessPool
from flytemp_activities.result_lookup import ResultLookup
from flytemp_activities.try_outcomes import TryOutcomes, unwrap
from flytemp_activities.try_reports import TryReports

_POLL_SECONDS = 1.0
_REPORT_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """Shared objects of the supervisors of a worker. ``lease`` has the owner of its claims."""

    store: ObjectStore
    options: ProcessOptions
    pool: ProcessPool
    owners: Owners
    oom: OomCounter
    lease: LeaseKeeper
    folder: Path  # folder of this worker, for scratch folders
    lookup: ResultLookup | None = None


@dataclass(slots=True)
class _Allocation:
    """A slot and a process that a try has.

    Attributes:
        process: the process.
        scratch: folder of the task.
        sink: sink of the task's output.
        reusable: True if the process can take another task, False if it cannot, None if it must be ended at once.
    """

    process: TaskProcess
    scratch: Path
    sink: LogSink
    reusable: bool | None = True


class Supervisor:
    """Supervisor of one try, which may have been started before. ``task`` ends with the outcome of the try."""

    def __init__(self, context: ProcessContext, invocation: Invocation, environment: dict[str, str], *, resumed: bool) -> None:
        self._context = context
        self._store = context.store
        self._invocation = invocation
        self._outcomes = TryOutcomes(context.store, invocation, context.lookup, self._on_wait)
        self._environment = environment
        self._process: TaskProcess | None = None
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
        self._outcomes.hurry()
        await asyncio.sleep(0)  # a task that is cancelled before its first step has no handler for the cancellation
        if self._process is not None:
            await self._process.end(self._context.options.grace_seconds)
        elif self._is_waiting:
            self.task.cancel()
        if not self.task.done():
            await asyncio.wait([self.task])

    async def fence(self, reason: str, grace_seconds: float) -> None:
        """End the processes of the try, if it has any; return when none is left. Its outcome is written later."""
        if self._process is not None:
            self._kill_reason = self._kill_reason or reason
            await self._process.end(grace_seconds)

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
        # What may fail because of the invocation is made before the try has a slot.
        need = ProcessNeed.of(self._invocation, self._environment)
        document = self._invocation.model_dump_json()
        self._reports.update(phase="queued" if self._context.pool.is_full else "starting")
        async with self._allocation(need) as allocation:
            self._reports.update(phase="running", pid=allocation.process.pid, uid=allocation.process.marker)
            result = await self._execute(allocation, document)
        if result is not None:
            return result
        # Another process has claimed the try: its result is the result of the try.
        self._is_waiting = True
        settled = await self._follow()
        if settled is None:
            raise StoreError("another process has claimed the task, and its claim is not in the store")
        return settled

    @asynccontextmanager
    async def _allocation(self, need: ProcessNeed) -> AsyncIterator[_Allocation]:
        """Take a slot with a process for the block. Every end of the block returns both to the pool.

        A process that has not reported the end of the try is ended with everything that it started.
        """
        pool, sink = self._context.pool, self._sink()
        process = await pool.acquire(need)
        allocation = _Allocation(process, process.next_scratch(), sink)
        try:
            await self._context.lease.until_valid()
            self._process, self._is_waiting = process, False
            allocation.reusable = None  # until the process has reported the end of the try
            yield allocation
        finally:
            if allocation.reusable is None:
                await pool.discard(process, self._context.options.grace_seconds)
                self._process = None
                await asyncio.to_thread(shutil.rmtree, allocation.scratch, ignore_errors=True)
            else:
                self._process = None
                pool.release(process, reusable=allocation.reusable)
            await allocation.sink.finish()

    def _sink(self) -> LogSink:
        invocation = self._invocation
        layout, chunk = RootLayout(invocation.execution_root), (invocation.node, invocation.attempt_key, invocation.try_)
        return LogSink(self._store, lambda number: layout.log_chunk(*chunk, number), self._context.options)

    async def _execute(self, allocation: _Allocation, document: str) -> TaskResult | None:
        """Execute the try in its process; return its result, or None if another process has claimed the try."""
        context, process = self._context, allocation.process
        ooms = context.oom.current()
        order = {"owner": context.lease.owner, "scratch": str(allocation.scratch)}
        if process.bundle is not None:
            order["bundle"] = str(process.bundle)
        try:
            async with asyncio.timeout(self._invocation.timeout_seconds):
                answer = await process.execute(order, document, allocation.sink, self._on_claim)
        except TimeoutError:
            return await self._on_timeout()
        except ProcessEnded as ended:
            # The processes that the task left are ended before the outcome is recorded.
            await process.end(context.options.grace_seconds)
            return await self._on_ended(ended.end, process.violation, context.oom.current() > ooms)
        return await self._on_answer(answer, allocation)

    def _on_claim(self) -> None:
        self._reports.update(claimed=True)

    # ---------------------------------------------------------------------------------------- ends

    async def _on_answer(self, answer: Done, allocation: _Allocation) -> TaskResult | None:
        """Return the outcome that the process reports, if the store has it. Code of the task may have sent the report."""
        if answer.outcome == "failed" and answer.error is not None:
            return unwrap(await self._outcomes.record(answer.error))
        if answer.outcome == "committed":
            result = await self._outcomes.result()
            if result is not None:
                allocation.reusable = answer.reusable
                return result
        elif answer.outcome == "unclaimed":
            claim = await self._outcomes.read_claim()
            if claim is not None and not (self._context.lease.is_own(claim.owner) and claim.pid == allocation.process.pid):
                allocation.reusable = answer.reusable
                return None
        text = f"the task wrote to the control channel of the process that runs it: the outcome {answer.outcome!r} is not true"
        return unwrap(await self._outcomes.record(TaskError.of("Crashed", text)))

    async def _on_timeout(self) -> TaskResult:
        limit = self._invocation.timeout_seconds
        message = f"the task ran longer than its timeout of {limit:g} s and was ended"
        # The commit comes first: a result of the task that is being ended does not count.
        return await self._outcomes.fail(TaskError.of("Timeout", message))

    async def _on_ended(self, end: Exit, violation: str, out_of_memory: bool) -> TaskResult:
        result = await self._outcomes.result()
        if result is not None:
            return result
        if self._kill_reason is not None:
            raise await self._outcomes.lost(self._kill_reason)
        if await self._outcomes.read_claim() is None:
            raise SystemFailure(TaskError.of("ProcessEnded", f"the process ended before the task began, with {end}"))
        return unwrap(await self._outcomes.record(crash_error(end, out_of_memory=out_of_memory, violation=violation)))

    # -------------------------------------------------------------------------------------- follow

    async def _follow(self) -> TaskResult | None:
        """Wait for the result of a try that was started before; return None if its code was never started.

        While the store does not answer, the try counts as alive.

        Raises:
            TaskLost: its process is gone, and there is no result.
            SystemFailure: the try ended with a SYSTEM error.
        """
        self._reports.update(phase="following")
        observation = Observation()
        while True:
            try:
                settled = await self._outcomes.settled()
                claim = await self._outcomes.read_claim() if settled is None else None
                if claim is None:
                    return settled
                # A try of this worker without a supervisor has ended, and its process too.
                is_own = self._context.lease.is_own(claim.owner)
                if is_own or not await asyncio.to_thread(self._context.owners.is_alive, claim, observation):
                    result = await self._outcomes.result()  # it may have been committed just before the process ended
                    if result is None:
                        raise TaskLost("the worker that ran the task is gone, and the task's process too")
                    return result
            except CorruptData:
                raise
            except StoreError as error:
                self._on_wait(error)
            await asyncio.sleep(_POLL_SECONDS)

    def _on_wait(self, error: StoreError | None) -> None:
        """Report that the try waits for the store, or that the store has answered."""
        text = "" if error is None else f"waits for the store: {error}"
        self._reports.update(reason=error and type(error).__name__, message=text[:_REPORT_CHARACTERS])
