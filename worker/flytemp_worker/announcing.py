"""What the interpreter decides to run is announced to the backend of its own process, which begins it at once.

See `flytemp_activities.announced`. This is an interceptor, so the workflow itself knows nothing of it: it decides the same with
and without, and its history can be replayed anywhere.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from temporalio import workflow
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from flytemp_activities.announced import Announced, Announcement
from flytemp_activities.detached import Run
from flytemp_worker.workflow.calls import RUN_TASK

_ANNOUNCE = "flytemp_announce"


class Announcing(Interceptor):
    """For the Temporal worker that has the interpreter; `begin` opens it.

    Args:
        announced: hears of the tasks.
        task_queue: the queue of the backend's tasks; those of other queues are not its own.
    """

    def __init__(self, announced: Announced, task_queue: str) -> None:
        self._announced = announced
        self._task_queue = task_queue
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """The backend has started, on the event loop that calls."""
        self._loop = asyncio.get_running_loop()

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002
        """What sits between each workflow and its commands."""
        input.unsafe_extern_functions[_ANNOUNCE] = self._announce
        return _Inbound

    def _announce(self, task_queue: str | None, argument: dict[str, Any], run: Run, activity_id: str, is_new: bool) -> None:
        """Called on the thread of a workflow. What is not ``is_new`` may have been announced before."""
        if task_queue != self._task_queue or self._loop is None:
            return
        argument["announced"] = True
        if is_new:
            announcement = Announcement(argument, run, activity_id, time.monotonic())
            self._loop.call_soon_threadsafe(self._announced.hear, announcement)


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    """Of one workflow, as this process holds it.

    The first decisions that it takes here are not announced. They may have been before, by a worker that died over them, and
    what that began may have come to its end: their activities look for it. A new announcement would begin it again.
    """

    def __init__(self, next: WorkflowOutboundInterceptor) -> None:  # noqa: A002
        super().__init__(next)
        self._first: int | None = None  # the length of the history with the first decisions

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        if not workflow.unsafe.is_replaying():
            info = workflow.info()
            length = info.get_current_history_length()
            self._first = self._first or length
            if input.activity == RUN_TASK and input.schedule_to_start_timeout is None:
                argument: dict[str, Any] = input.args[0]
                if not (argument.get("resumed") or argument.get("stop")):
                    run = (info.workflow_id, info.run_id)
                    announce = workflow.extern_functions()[_ANNOUNCE]
                    announce(input.task_queue, argument, run, input.activity_id, length > self._first)
        return super().start_activity(input)
