"""What the interpreter decides to run is announced to the backend of its own process, which begins it at once.

See `flytemp_activities.early_start`. This is an interceptor, so the workflow itself knows nothing of it: it decides the same with
and without, and its history can be replayed anywhere.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, CancelledError
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from flytemp_activities.early_start import Announcement, EarlyStarter, try_of
from flytemp_activities.orphan_monitor import Run
from flytemp_worker.workflow.activity_calls import RUN_TASK

_ANNOUNCE, _WITHDRAW = "flytemp_announce", "flytemp_withdraw"


class EarlyStartInterceptor(Interceptor):
    """For the Temporal worker that has the interpreter; `begin` opens it.

    Args:
        announced: hears of the tasks.
        task_queue: the queue of the backend's tasks; those of other queues are not its own.
    """

    def __init__(self, announced: EarlyStarter, task_queue: str) -> None:
        self._announced = announced
        self._task_queue = task_queue
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """The backend has started, on the event loop that calls."""
        self._loop = asyncio.get_running_loop()

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002
        """What sits between each workflow and its commands."""
        input.unsafe_extern_functions.update({_ANNOUNCE: self._announce, _WITHDRAW: self._withdraw})
        return _Inbound

    def _announce(self, task_queue: str | None, argument: dict[str, Any], run: Run, activity_id: str, is_new: bool) -> None:
        """Called on the thread of a workflow. What is not ``is_new`` may have been announced before."""
        if task_queue != self._task_queue or self._loop is None or (is_new and not self._announced.has_room):
            return
        argument["announced"] = True
        if is_new:
            announcement = Announcement(argument, run, activity_id, time.monotonic())
            self._loop.call_soon_threadsafe(self._announced.hear, announcement)

    def _withdraw(self, argument: dict[str, Any]) -> None:
        if argument.get("announced") and self._loop is not None:
            self._loop.call_soon_threadsafe(self._announced.withdraw, try_of(argument))


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    """Of one workflow, as this process holds it.

    The first decisions that it takes here, and the first after a replay, are not announced. They may have been before, by a
    worker that died over them, and what that began may have come to its end: their activities look for it. A new announcement
    would begin it again.
    """

    def __init__(self, next: WorkflowOutboundInterceptor) -> None:  # noqa: A002
        super().__init__(next)
        self._first: int | None = None  # the length of the history with the first decisions

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        if workflow.unsafe.is_replaying():
            self._first = None
            return super().start_activity(input)
        info = workflow.info()
        length = info.get_current_history_length()
        self._first = self._first or length
        if input.activity != RUN_TASK or input.schedule_to_start_timeout is not None:
            return super().start_activity(input)
        argument: dict[str, Any] = input.args[0]
        if argument.get("resumed") or argument.get("stop"):
            return super().start_activity(input)
        external = workflow.extern_functions()
        external[_ANNOUNCE](input.task_queue, argument, (info.workflow_id, info.run_id), input.activity_id, length > self._first)
        handle = super().start_activity(input)
        handle.add_done_callback(lambda done: external[_WITHDRAW](argument) if _was_cancelled(done) else None)
        return handle


def _was_cancelled(done: asyncio.Task[Any]) -> bool:
    """The server says so. A workflow that leaves this process cancels what it waits for, too, but that is not it."""
    error = None if done.cancelled() else done.exception()
    return isinstance(error, ActivityError) and isinstance(error.cause, CancelledError)
