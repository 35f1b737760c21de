"""`run_task`: one try of a task, as an activity: heartbeats, cancellation, and the verdict for the engine. And `start_tasks`:
many tries started at once, before their activities are.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from temporalio import activity
from temporalio.client import Client as TemporalClient
from temporalio.exceptions import ApplicationError

from flytemp.errors import FlytempError
from flytemp.literals.limits import INLINE_BYTES
from flytemp.records.launch import ExecutionContext, raw_data_uri
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.spec.bindings import with_constants
from flytemp.spec.models import WorkflowDocument
from flytemp.spec.pages import from_pages
from flytemp_activities.application_errors import bounded, error_detail
from flytemp_activities.backend import Backend, HeartbeatDetails, SystemFailure, TaskLost, TryKey, key_of
from flytemp_activities.early_start import EarlyStarter
from flytemp_activities.executions import Executions, inline_bytes, task_of
from flytemp_activities.heartbeats import Heartbeats
from flytemp_activities.orphan_monitor import Detached

START_SECONDS = 10.0
"""So long `start_tasks` takes at most; what has not started by then is left to the activities of the tries."""


class TryObserver(Protocol):
    """Hears of every try that a worker supervises; its metrics."""

    def started(self, task: str) -> None:
        """A try was taken."""
        ...

    def ended(self, task: str, outcome: str, seconds: float) -> None:
        """It is over for this worker. ``outcome`` is succeeded, failed, lost, system-failure, cancelled or detached."""
        ...


class TaskRunner:
    """The activity, over one backend.

    Args:
        executions: where a task's spec and its execution's context are read.
        backend: what runs it.
        temporal: to learn whether a workflow whose activity is gone still runs.
        observer: hears of each try, or None.
        slots: tries that may be in hand at once, beyond which none is started ahead; None: no bound.
    """

    def __init__(
        self,
        executions: Executions,
        backend: Backend,
        temporal: TemporalClient,
        observer: TryObserver | None = None,
        slots: int | None = None,
    ) -> None:
        self._observer = observer
        self._executions = executions
        self._backend = backend
        self._heartbeats = Heartbeats(temporal)
        self._detached = Detached(backend, temporal)
        self.announced = EarlyStarter(backend, temporal, self._detached, self._invocation, slots)

    @activity.defn(name="flytemp.run_task")
    async def run_task(self, argument: dict[str, Any]) -> dict[str, Any]:
        """Run one try. The argument is that of `flytemp_worker.workflow.activity_calls.run_task`."""
        try:
            invocation = await self._invocation(argument)
        except FlytempError as error:
            # The spec or the context does not load: no fault of the task. The engine tries again, within bounds.
            raise _failure("SYSTEM", error.code, error.message, True) from error
        key = key_of(invocation)
        self._detached.taken(key)
        resumed = self._may_be_there(argument, key)
        return _answer(await self._observed(invocation, resumed, stop=bool(argument.get("stop"))))

    def _may_be_there(self, argument: dict[str, Any], key: TryKey) -> bool:
        """Whether this try may have been started before, other than by what this worker has in hand."""
        is_fresh = self.announced.taken(key) or not argument.get("announced") or key in self._backend.running()
        return bool(argument.get("resumed")) or activity.info().attempt > 1 or not is_fresh

    async def _observed(self, invocation: Invocation, resumed: bool, stop: bool) -> TaskResult:
        if self._observer is None:
            return await self._supervised(invocation, resumed, stop)
        task = invocation.task.name
        self._observer.started(task)
        began, outcome = time.monotonic(), "detached"
        try:
            result = await self._supervised(invocation, resumed, stop)
            outcome = result.status
        except ApplicationError as error:
            outcome = "cancelled" if stop else "lost" if error.type == "Lost" else "system-failure"
            raise
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            outcome = "cancelled" if details is not None and details.cancel_requested else "detached"
            raise
        finally:
            self._observer.ended(task, outcome, time.monotonic() - began)
        return result

    @activity.defn(name="flytemp.start_tasks")
    async def start_tasks(self, argument: dict[str, Any]) -> dict[str, list[int]]:
        """Start tries, as many as there is room for and can be started at once. ``argument`` is that of
        `flytemp_worker.workflow.activity_calls.start_tasks`; the answer has the numbers of those that were ``started``, or
        may have been.

        Their activities come later, and find them. Until then they go on by themselves, as long as their execution does.
        """
        tries: Any = from_pages(argument["tries"])
        end = time.monotonic() + START_SECONDS
        starts: list[asyncio.Task[bool]] = []
        try:
            for one in tries:
                if time.monotonic() > end or not self.announced.has_room:
                    break
                starts.append(asyncio.create_task(self._start(await self._invocation({**argument, **one}))))
                await asyncio.sleep(0)  # the first pods are not to wait until the last are thought of
        except FlytempError as error:  # the activities meet the same, and tell the engine
            activity.logger.info("tasks are not started ahead, as their execution does not load: %s", error)
        try:
            waiting = set(starts)
            while waiting and time.monotonic() < end:
                activity.heartbeat({"phase": "starting", "started": len(starts) - len(waiting)})
                _, waiting = await asyncio.wait(waiting, timeout=1.0)
        finally:
            for start in starts:
                start.cancel()
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        return {"started": [number for number, outcome in enumerate(outcomes) if outcome is not False]}

    async def _start(self, invocation: Invocation) -> bool:
        started = await self._backend.start_early(invocation)
        if started:
            info = activity.info()
            self._detached.watch(key_of(invocation), info.workflow_id or "", info.workflow_run_id or "")
        return started

    async def _invocation(self, argument: dict[str, Any]) -> Invocation:
        root, source = argument["execution"], argument.get("source", "")
        known = self._executions.known(root, source)
        if known is None:
            known = await asyncio.to_thread(self._executions.load, root, source)
        return self._build(argument, *known)

    def _build(self, argument: dict[str, Any], context: ExecutionContext, document: WorkflowDocument) -> Invocation:
        node, attempt = argument["node"], argument["attempt"]
        local = argument.get("local") or node.rpartition(".")[2]
        task = task_of(document, argument["workflow"], local, argument["task"])
        constants = self._executions.constants(argument["execution"])
        items = argument.get("items")
        return Invocation(
            store=self._executions.store.uri,
            execution_root=argument["execution"],
            node=node,
            attempt=attempt,
            try_=argument["try"],
            task=task,
            bundle=task.bundle or document.bundle,
            inputs=with_constants(argument["inputs"], constants),
            items=None if items is None else tuple(with_constants(inputs, constants) for inputs in items),
            raw_data_prefix=f"{raw_data_uri(context.raw_data_prefix, argument['execution'])}/{node}/{attempt}",
            project=context.project,
            domain=context.domain,
            execution=context.execution,
            workflow=context.workflow,
            version=context.version,
            started_at=context.started_at,
            environment=task.settings.environment,
            interruptible=context.options.interruptible,
            service_account=context.options.service_account,
            labels=context.labels,
            annotations=context.annotations,
        )

    async def _supervised(self, invocation: Invocation, resumed: bool, stop: bool) -> TaskResult:
        """The backend's result, with heartbeats meanwhile; a cancellation is judged by its cause. ``stop``: end it first."""
        with self._heartbeats.of_this_activity() as pulse:
            running = asyncio.create_task(
                self._backend.run(invocation, resumed=resumed, report=pulse.tell, before=_last_heartbeat())
            )
            stopping = asyncio.create_task(self._stop(invocation)) if stop else None
            try:
                await self._heartbeats.until(running, pulse)
                return running.result()
            except asyncio.CancelledError:
                return await self._cancelled(invocation, running)
            except TaskLost as error:
                detail = error_detail("SYSTEM", "Lost", str(error), True)
                raise ApplicationError(str(error), detail, type="Lost", non_retryable=True) from error
            except SystemFailure as error:
                raise _failure("SYSTEM", error.error.code, error.error.message, error.error.retryable) from error
            finally:
                if stopping is not None:
                    stopping.cancel()

    async def _stop(self, invocation: Invocation) -> None:
        key = key_of(invocation)
        while key not in self._backend.running():
            await asyncio.sleep(0.01)
        await self._backend.kill(key)

    async def _cancelled(self, invocation: Invocation, running: asyncio.Task[TaskResult]) -> TaskResult:
        """The activity was cancelled: by the engine, or because something around it went away.

        Only the engine's own request, or an execution that is over, stops the task. A worker that shuts down, a
        paused activity or a run that continued as new leaves it: a later activity joins it, or finds it lost.
        """
        details = activity.cancellation_details()
        key = key_of(invocation)
        if details is not None and details.cancel_requested:
            await self._backend.kill(key)
            finished = await asyncio.gather(running, return_exceptions=True)
            if isinstance(finished[0], TaskResult):
                return finished[0]  # it was done before it could be stopped: a committed result counts
            raise asyncio.CancelledError
        running.cancel()
        if details is None or not details.worker_shutdown:  # a worker that ends stops its tasks itself
            info = activity.info()
            self._detached.watch(key, info.workflow_id or "", info.workflow_run_id or "")
        raise asyncio.CancelledError


def _last_heartbeat() -> HeartbeatDetails | None:
    """What the activity's attempt before this one said last."""
    details = activity.info().heartbeat_details
    return details[0] if details and isinstance(details[0], dict) else None


def _answer(result: TaskResult) -> dict[str, Any]:
    """The activity's result, or the failure that the engine will judge."""
    if result.status == "failed":
        assert result.error is not None
        error = result.error
        raise _failure(error.kind, error.code, error.message, error.retryable, error.failed_items)
    outputs = result.outputs or {}
    size = inline_bytes(outputs)
    return {"outputs": outputs, "size": size} if size <= INLINE_BYTES else {"size": size}


def _failure(
    kind: str, code: str, message: str, retryable: bool, failed_items: tuple[int, ...] | None = None
) -> ApplicationError:
    detail = error_detail(kind, code, message, retryable)
    if failed_items is not None:
        detail["failed_items"] = list(failed_items)
    return ApplicationError(bounded(message), detail, type=code, non_retryable=True)
