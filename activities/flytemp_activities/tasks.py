"""Activities that run tasks: `run_task` for one try, and `start_tasks` to start many tries before their activities arrive."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from flytemp.errors import CorruptData, FlytempError, StoreError
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.outcomes import LOST_CODES
from flytemp.protocol.activities import RUN_TASK, START_TASKS, RunTaskArgument, StartedTasks, StartTasksArgument, TaskOutputs
from flytemp.records.launch import ExecutionContext
from flytemp.runtime.build_invocation import TryRequest, build_invocation
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp.spec.models import WorkflowDocument
from flytemp.spec.pages import from_pages
from flytemp_activities.application_errors import application_error, bounded, bug_failure, error_detail
from flytemp_activities.backend import Backend, HeartbeatDetails, SystemFailure, TryKey, key_of
from flytemp_activities.definitions import implements
from flytemp_activities.early_start import EarlyStarter, try_of
from flytemp_activities.executions import Executions, inline_bytes, task_of
from flytemp_activities.heartbeats import Heartbeats
from flytemp_activities.workflow_liveness import WorkflowLiveness, run_of_activity

START_SECONDS = 10.0
"""Longest duration of `start_tasks`. Tries that have not started by then are left to their activities."""

logger = logging.getLogger("flytemp.tasks")


class TryObserver(Protocol):
    """Receiver of the starts and ends of a worker's tries, for its metrics."""

    def started(self, task: str) -> None:
        """Take note that an activity has begun a try of the task."""
        ...

    def ended(self, task: str, outcome: str, seconds: float) -> None:
        """Take note that an activity has ended. ``outcome`` is succeeded, failed, lost, system-failure, cancelled or detached."""
        ...


class TaskRunner:
    """Activities that run tasks on one backend.

    Args:
        executions: reader of the tasks' specs and their executions' contexts.
        backend: the backend that runs the tries.
        liveness: poller of the workflows that the tries belong to.
        observer: receives the start and end of each try, if given.
        slots: number of tries at which no further one is started early. None means no limit.
    """

    def __init__(
        self,
        executions: Executions,
        backend: Backend,
        liveness: WorkflowLiveness,
        observer: TryObserver | None = None,
        slots: int | None = None,
    ) -> None:
        self._observer = observer
        self._executions = executions
        self._backend = backend
        self._heartbeats = Heartbeats(liveness)
        self.early_starter = EarlyStarter(backend, liveness, self._invocation, slots)

    @implements(RUN_TASK)
    async def run_task(self, argument: RunTaskArgument) -> TaskOutputs:
        """Run one try and return its outputs.

        Raises:
            ApplicationError: the try failed. Its detail is the error for the engine.
        """
        try:
            return await self._run_task(argument)
        except ApplicationError:
            raise
        except FlytempError as error:
            await self._backend.kill(try_of(argument))
            raise _failure("SYSTEM", error.code, error.message, TaskError.of_platform(error).retryable) from error
        except Exception as error:
            # Temporal would repeat the activity without end. The engine repeats the try within its bounds.
            logger.exception("node %s of %s failed because of a bug of flytemp", argument.node, argument.execution)
            await self._backend.kill(try_of(argument))  # the next try must not run beside this one
            raise bug_failure(error) from error

    async def _run_task(self, argument: RunTaskArgument) -> TaskOutputs:
        try:
            invocation = await self._invocation(argument)
        except CorruptData as error:
            raise _failure("SYSTEM", error.code, error.message, False) from error
        except StoreError as error:  # Temporal repeats the activity, with back-off, until the store answers
            raise application_error(error) from error
        except FlytempError as error:
            # An error of the platform: the spec or the context does not load. The engine tries again, within bounds.
            raise _failure("SYSTEM", error.code, error.message, True) from error
        resumed = self._may_have_started(argument, key_of(invocation))
        return _answer(await self._observed(invocation, resumed, stop=argument.stop))

    def _may_have_started(self, argument: RunTaskArgument, key: TryKey) -> bool:
        """Claim the try. Return True if it may have been started, other than as a try that this worker's backend runs."""
        is_fresh = self.early_starter.claim(key) or not argument.announced or key in self._backend.running()
        return argument.resumed or activity.info().attempt > 1 or not is_fresh

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
            outcome = "cancelled" if stop else "lost" if error.type in LOST_CODES else "system-failure"
            raise
        except Exception:
            outcome = "system-failure"
            raise
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            outcome = "cancelled" if details is not None and details.cancel_requested else "detached"
            raise
        finally:
            self._observer.ended(task, outcome, time.monotonic() - began)
        return result

    @implements(START_TASKS)
    async def start_tasks(self, argument: StartTasksArgument) -> StartedTasks:
        """Start as many tries as have room and can be started at once, before their activities arrive."""
        tries = [RunTaskArgument.from_json(one) for one in from_pages(argument.tries)]
        deadline = time.monotonic() + START_SECONDS
        starts: list[asyncio.Task[bool]] = []
        run = run_of_activity()
        try:
            for one in tries:
                if time.monotonic() > deadline or not self.early_starter.has_room:
                    break
                invocation = await self._invocation(one)
                starts.append(asyncio.create_task(self.early_starter.start(invocation, run, deadline)))
                await asyncio.sleep(0)  # the request of the first pod is sent before the last pod is prepared
        except Exception as error:  # noqa: BLE001 - the activities meet the same error and report it
            logger.info("tasks are not started early: their execution does not load: %s", error)
        try:
            waiting = set(starts)
            while waiting and time.monotonic() < deadline:
                activity.heartbeat({"phase": "starting", "started": len(starts) - len(waiting)})
                _, waiting = await asyncio.wait(waiting, timeout=1.0)
        finally:
            for start in starts:
                start.cancel()
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        return StartedTasks([number for number, outcome in enumerate(outcomes) if outcome is not False])

    async def _invocation(self, argument: RunTaskArgument) -> Invocation:
        root, source = argument.execution, argument.source
        known = self._executions.known(root, source)
        if known is None:
            known = await asyncio.to_thread(self._executions.load, root, source)
        return self._build(argument, *known)

    def _build(self, argument: RunTaskArgument, context: ExecutionContext, document: WorkflowDocument) -> Invocation:
        task = task_of(document, argument.graph, argument.local_id, argument.task)
        request = TryRequest(
            execution_root=argument.execution,
            node=argument.node,
            attempt=argument.attempt,
            try_=argument.try_,
            inputs=argument.inputs,
            items=argument.items,
            epoch=argument.epoch,
        )
        constants = self._executions.constants(argument.execution)
        return build_invocation(request, task, document, context, store=self._executions.store.uri, constants=constants)

    async def _supervised(self, invocation: Invocation, resumed: bool, stop: bool) -> TaskResult:
        """Return the backend's result, and send heartbeats until then. With ``stop``, stop the try first."""
        with self._heartbeats.of_this_activity() as heartbeat:
            running = asyncio.create_task(
                self._backend.run(invocation, resumed=resumed, report=heartbeat.update, before=_last_heartbeat())
            )
            stopping = asyncio.create_task(self._stop(invocation)) if stop else None
            try:
                await self._heartbeats.send_until_done(running, heartbeat)
                return running.result()
            except asyncio.CancelledError:
                return await self._cancelled(invocation, running)
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
        """Stop the try, or leave it running, as the cause of the activity's cancellation requires.

        Only the engine's own request and the end of the execution stop a try. It is left running if the worker shuts down, if
        the activity is paused or reset, and if the run continues as new: a later activity joins the try or finds it lost.
        """
        details = activity.cancellation_details()
        key = key_of(invocation)
        if details is not None and details.cancel_requested:
            await self._backend.kill(key)
            finished = await asyncio.gather(running, return_exceptions=True)
            if isinstance(finished[0], TaskResult):
                return finished[0]  # committed before the try could be stopped
            raise asyncio.CancelledError
        running.cancel()
        if details is None or not details.worker_shutdown:  # at a shutdown, the backend decides about its tries
            self.early_starter.take_back(key, run_of_activity())
        raise asyncio.CancelledError


def _last_heartbeat() -> HeartbeatDetails | None:
    """Return the last heartbeat of the activity's previous attempt, if there was one."""
    details = activity.info().heartbeat_details
    return details[0] if details and isinstance(details[0], dict) else None


def _answer(result: TaskResult) -> TaskOutputs:
    """Return the activity's result, or raise the failure for the engine."""
    if result.status == "failed":
        assert result.error is not None
        error = result.error
        raise _failure(error.kind, error.code, error.message, error.retryable, error.failed_items)
    outputs = result.outputs or {}
    size = inline_bytes(outputs)
    return TaskOutputs(size, outputs if size <= INLINE_BYTES else None, result.lookup)


def _failure(
    kind: str, code: str, message: str, retryable: bool, failed_items: tuple[int, ...] | None = None
) -> ApplicationError:
    detail = error_detail(kind, code, message, retryable)
    if failed_items is not None:
        detail["failed_items"] = list(failed_items)
    return ApplicationError(bounded(message), detail, type=detail["code"], non_retryable=True)
