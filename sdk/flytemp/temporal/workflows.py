"""Workflows as Temporal describes them: descriptions, first runs and phases."""

from __future__ import annotations

import asyncio

from temporalio import exceptions
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecution, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from flytemp.errors import TemporalUnavailable
from flytemp.protocol.message import Json
from flytemp.records.models import Phase

_PHASES = {
    WorkflowExecutionStatus.RUNNING: Phase.RUNNING,
    WorkflowExecutionStatus.COMPLETED: Phase.SUCCEEDED,
    WorkflowExecutionStatus.FAILED: Phase.FAILED,
    WorkflowExecutionStatus.CANCELED: Phase.ABORTED,
    WorkflowExecutionStatus.TERMINATED: Phase.ABORTED,
    WorkflowExecutionStatus.TIMED_OUT: Phase.TIMED_OUT,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: Phase.RUNNING,
}


def phase_of(status: WorkflowExecutionStatus | None) -> Phase:
    """Return the phase that corresponds to a workflow's status; UNDEFINED for a status that is not known."""
    return _PHASES.get(status, Phase.UNDEFINED) if status is not None else Phase.UNDEFINED


def phase_of_failure(error: BaseException) -> Phase:
    """Return the phase of a child workflow whose failure its parent received as ``error``."""
    cause = error.cause if isinstance(error, exceptions.ChildWorkflowError) else error
    if isinstance(cause, exceptions.TimeoutError):
        return Phase.TIMED_OUT
    stopped = (exceptions.TerminatedError, exceptions.CancelledError, asyncio.CancelledError)
    return Phase.ABORTED if isinstance(cause, stopped) else Phase.FAILED


def first_run_id(description: WorkflowExecutionDescription) -> str:
    """Return the first run id of a workflow's chain of continued runs; records are stored under it."""
    return description.raw_description.workflow_execution_info.first_run_id or description.run_id


async def describe_workflow(temporal: TemporalClient, workflow_id: str) -> WorkflowExecutionDescription | None:
    """Return Temporal's description of the latest run, or None if Temporal does not know the id.

    Raises:
        TemporalUnavailable: Temporal answers with another error.
    """
    try:
        return await temporal.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise unavailable(error) from error


async def memo_field(execution: WorkflowExecution, key: str) -> Json:
    """Return a field of a workflow's memo; None if it is missing or cannot be decoded.

    Any client may start a workflow with any memo, so the other fields are not decoded.
    """
    payload = execution.raw_info.memo.fields.get(key)
    if payload is None:
        return None
    try:
        return (await execution.data_converter.decode([payload]))[0]
    except (ApplicationError, KeyError, RuntimeError, TypeError, ValueError):
        return None


def unavailable(error: RPCError) -> TemporalUnavailable:
    """Return the error to raise for a failed call to Temporal."""
    return TemporalUnavailable(
        f"Temporal answered {error.status.name}: {error.message}", hint="is the server running? flytemp dev starts one"
    )
