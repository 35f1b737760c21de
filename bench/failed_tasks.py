"""Detection of failed workflow tasks in a history."""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent


def is_failed_task(event: HistoryEvent) -> bool:
    """Return whether a workflow task failed because of the worker.

    `UnhandledCommand` is the server's way to say that a signal arrived while a run was just about to end or to continue as
    new: nothing is wrong, and the run is asked again (https://docs.temporal.io/references/errors#unhandled-command). Every
    workflow that continues as new while its children live meets it now and then.
    """
    if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
        return False
    cause = event.workflow_task_failed_event_attributes.cause
    return cause != WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND


def is_asked_again(event: HistoryEvent) -> bool:
    """Return whether the server repeated a workflow task because a signal arrived while the run ended or continued as new."""
    return event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED and not is_failed_task(event)
