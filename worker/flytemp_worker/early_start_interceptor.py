"""Interceptor that announces the tasks of the interpreter to the early starter of the same process.

See `flytemp_activities.early_start`. The interceptor keeps early start out of the workflow's code: the workflow decides the same
with and without it, and its history can be replayed anywhere.
"""

from __future__ import annotations

import asyncio
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

from flytemp.protocol.activities import RUN_TASK, RunTaskArgument
from flytemp_activities.early_start import EarlyStarter, try_of
from flytemp_activities.workflow_liveness import WorkflowRun

_ANNOUNCE, _CANCEL = "flytemp_announce", "flytemp_cancel_early_start"


class EarlyStartInterceptor(Interceptor):
    """Interceptor of the Temporal worker that runs the interpreter.

    Args:
        early_starter: receives the announcements.
        task_queue: the task queue of the early starter's backend. Tasks of other queues are not announced.
    """

    def __init__(self, early_starter: EarlyStarter, task_queue: str) -> None:
        self._early_starter = early_starter
        self._task_queue = task_queue

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002
        """Return the interceptor of each workflow."""
        input.unsafe_extern_functions.update({_ANNOUNCE: self._announce, _CANCEL: self._cancel})
        return _Inbound

    def _announce(self, task_queue: str | None, argument: dict[str, Any], run: WorkflowRun, is_new: bool) -> None:
        """Announce a task, on the thread of its workflow. A task that is not new may have been announced before."""
        if task_queue != self._task_queue or (is_new and not self._early_starter.has_room):
            return
        argument["announced"] = True
        if is_new:
            self._early_starter.announce(RunTaskArgument.from_json(argument), run)

    def _cancel(self, argument: dict[str, Any]) -> None:
        if argument.get("announced"):
            self._early_starter.cancel(try_of(RunTaskArgument.from_json(argument)))


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    """Interceptor of the activities of one workflow in this process.

    Tasks of the first decisions in this process, and of the first decisions after a replay, are not new: another worker may have
    announced them and died before its decisions were recorded, and the tries may even have ended. Their activities look for the
    tries. A new announcement would start them again.
    """

    def __init__(self, next: WorkflowOutboundInterceptor) -> None:  # noqa: A002
        super().__init__(next)
        self._first_length: int | None = None  # the length of the history at the first decisions

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        if workflow.unsafe.is_replaying():
            self._first_length = None
            return super().start_activity(input)
        info = workflow.info()
        length = info.get_current_history_length()
        self._first_length = self._first_length or length
        if input.activity != RUN_TASK.name or input.schedule_to_start_timeout is not None:
            return super().start_activity(input)
        argument: dict[str, Any] = input.args[0]
        if argument.get("resumed") or argument.get("stop"):
            return super().start_activity(input)
        external = workflow.extern_functions()
        run = WorkflowRun(info.workflow_id, info.run_id)
        external[_ANNOUNCE](input.task_queue, argument, run, length > self._first_length)
        handle = super().start_activity(input)
        handle.add_done_callback(lambda done: external[_CANCEL](argument) if _was_cancelled(done) else None)
        return handle


def _was_cancelled(done: asyncio.Task[Any]) -> bool:
    """Return True if the server cancelled the activity. A workflow's eviction cancels the handle itself, which is different."""
    error = None if done.cancelled() else done.exception()
    return isinstance(error, ActivityError) and isinstance(error.cause, CancelledError)
