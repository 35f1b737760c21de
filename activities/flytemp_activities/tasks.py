"""`run_task`: one try of a task, as an activity: heartbeats, cancellation, and the verdict for the engine."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from temporalio import activity
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from flytemp.errors import FlytempError
from flytemp.literals.navigate import value_at
from flytemp.records.launch import ExecutionContext
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.spec.models import WorkflowDocument
from flytemp.spec.plan import constant
from flytemp_activities.backend import Backend, SystemFailure, TaskLost, TryKey
from flytemp_activities.executions import Executions, inline_bytes
from flytemp_activities.failures import bounded, error_detail

INLINE_BYTES = 8 * 1024
"""A node's outputs travel inline up to this many bytes in all, else by reference (design: budgets)."""


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
        heartbeat_seconds: how often the server hears of a running task; cancellation reaches it in the answer.
        observer: hears of each try, or None.
    """

    def __init__(
        self,
        executions: Executions,
        backend: Backend,
        temporal: TemporalClient,
        heartbeat_seconds: float,
        observer: TryObserver | None = None,
    ) -> None:
        self._observer = observer
        self._executions = executions
        self._backend = backend
        self._temporal = temporal
        self._interval = max(0.2, min(1.0, heartbeat_seconds / 4))
        self._detached: set[asyncio.Task[None]] = set()

    @activity.defn(name="flytemp.run_task")
    async def run_task(self, argument: dict[str, Any]) -> dict[str, Any]:
        """Run one try. The argument is that of `flytemp_worker.workflow.calls.run_task`."""
        try:
            invocation = await self._invocation(argument)
        except FlytempError as error:
            # The spec or the context does not load: no fault of the task. The engine tries again, within bounds.
            raise _failure("SYSTEM", error.code, error.message, True) from error
        resumed = bool(argument.get("resumed")) or activity.info().attempt > 1
        return _answer(await self._observed(invocation, resumed))

    async def _observed(self, invocation: Invocation, resumed: bool) -> TaskResult:
        if self._observer is None:
            return await self._supervised(invocation, resumed)
        task = invocation.task.name
        self._observer.started(task)
        began, outcome = time.monotonic(), "detached"
        try:
            result = await self._supervised(invocation, resumed)
            outcome = result.status
        except ApplicationError as error:
            outcome = "lost" if error.type == "Lost" else "system-failure"
            raise
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            outcome = "cancelled" if details is not None and details.cancel_requested else "detached"
            raise
        finally:
            self._observer.ended(task, outcome, time.monotonic() - began)
        return result

    async def _invocation(self, argument: dict[str, Any]) -> Invocation:
        root = argument["execution"]
        context = self._executions.known(root)
        if context is None:
            context = await asyncio.to_thread(self._executions.context, root)
            await asyncio.to_thread(self._executions.document, context.spec)
        return self._build(argument, context)

    def _build(self, argument: dict[str, Any], context: ExecutionContext) -> Invocation:
        document = self._executions.document(context.spec)
        node, attempt = argument["node"], argument["attempt"]
        task = self._executions.task(context.spec, argument["workflow"], node, argument["task"])
        _, _, relative = argument["execution"].partition("/")
        return Invocation(
            store=self._executions.store.uri,
            execution_root=argument["execution"],
            node=node,
            attempt=attempt,
            try_=argument["try"],
            task=task,
            bundle=document.bundle,
            inputs={name: with_constants(value, document) for name, value in argument["inputs"].items()},
            raw_data_prefix=f"{context.raw_data_prefix}/{relative}/{node}/{attempt}",
            project=context.project,
            domain=context.domain,
            execution=context.execution,
            workflow=context.workflow,
            version=context.version,
            started_at=context.started_at,
            environment=task.settings.environment,
        )

    async def _supervised(self, invocation: Invocation, resumed: bool) -> TaskResult:
        """The backend's result, with heartbeats meanwhile; a cancellation is judged by its cause."""
        report: dict[str, Any] = {}
        running = asyncio.create_task(self._backend.run(invocation, resumed=resumed, report=report.update))
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=self._interval)
                if not running.done():
                    activity.heartbeat(report)
            return running.result()
        except asyncio.CancelledError:
            return await self._cancelled(invocation, running)
        except TaskLost as error:
            raise ApplicationError(
                str(error), error_detail("SYSTEM", "Lost", str(error), True), type="Lost", non_retryable=True
            ) from error
        except SystemFailure as error:
            raise _failure("SYSTEM", error.error.code, error.error.message, error.error.retryable) from error

    async def _cancelled(self, invocation: Invocation, running: asyncio.Task[TaskResult]) -> TaskResult:
        """The activity was cancelled: by the engine, or because something around it went away.

        Only the engine's own request, or a workflow that is over, stops the task. A worker that shuts down, a
        paused activity or a run that continued as new leaves it: a later activity joins it, or finds it lost.
        """
        details = activity.cancellation_details()
        key = (invocation.execution_root, invocation.node, invocation.attempt, invocation.try_)
        if details is not None and details.cancel_requested:
            await self._backend.kill(key)
            finished = await asyncio.gather(running, return_exceptions=True)
            if isinstance(finished[0], TaskResult):
                return finished[0]  # it was done before it could be stopped: a committed result counts
            raise asyncio.CancelledError
        running.cancel()
        if details is not None and (details.not_found or details.timed_out):
            self._watch_detached(key)
        raise asyncio.CancelledError

    def _watch_detached(self, key: TryKey) -> None:
        watcher = asyncio.create_task(self._stop_whenwith_constants(key, activity.info().workflow_id or ""))
        self._detached.add(watcher)
        watcher.add_done_callback(self._detached.discard)

    async def _stop_whenwith_constants(self, key: TryKey, workflow_id: str) -> None:
        """Delete nothing while any run of the workflow id is open; then stop what nobody waits for."""
        while key in self._running():
            if not await self._is_open(workflow_id):
                await self._backend.kill(key)
                return
            await asyncio.sleep(5)

    def _running(self) -> list[TryKey]:
        running: list[TryKey] = getattr(self._backend, "running", list)()
        return running

    async def _is_open(self, workflow_id: str) -> bool:
        try:
            description = await self._temporal.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            return error.status != RPCStatusCode.NOT_FOUND
        return description.status is WorkflowExecutionStatus.RUNNING


def with_constants(value: dict[str, Any], document: WorkflowDocument) -> dict[str, Any]:
    """A closed value with the plan's large literals put in."""
    if "k" in value:
        literal = constant(document, value["k"])
        return {"l": value_at(literal, value["p"]) if value.get("p") else literal}
    if "a" in value:
        return {"a": [with_constants(item, document) for item in value["a"]]}
    if "m" in value:
        return {"m": {key: with_constants(item, document) for key, item in value["m"].items()}}
    return value


def _answer(result: TaskResult) -> dict[str, Any]:
    """The activity's result, or the failure that the engine will judge."""
    if result.status == "failed":
        assert result.error is not None
        error = result.error
        raise _failure(error.kind, error.code, error.message, error.retryable)
    outputs = result.outputs or {}
    size = inline_bytes(outputs)
    return {"outputs": outputs, "size": size} if size <= INLINE_BYTES else {"size": size}


def _failure(kind: str, code: str, message: str, retryable: bool) -> ApplicationError:
    return ApplicationError(
        bounded(message), error_detail(kind, code, message, retryable), type=code, non_retryable=True
    )
