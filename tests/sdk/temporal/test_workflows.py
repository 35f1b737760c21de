"""Phases of workflows."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutType,
)

from flytemp.records.models import Phase
from flytemp.temporal.workflows import phase_of, phase_of_failure


def child_error(cause: BaseException) -> ChildWorkflowError:
    error = ChildWorkflowError(
        "failed",
        namespace="default",
        workflow_id="w",
        run_id="r",
        workflow_type="t",
        initiated_event_id=1,
        started_event_id=2,
        retry_state=RetryState.RETRY_POLICY_NOT_SET,
    )
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("status", list(WorkflowExecutionStatus))
def test_every_status_has_a_phase(status: WorkflowExecutionStatus) -> None:
    is_open = status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
    assert (phase_of(status) is Phase.RUNNING) == is_open
    assert phase_of(status).is_final == (not is_open)


def test_an_unknown_status_is_undefined() -> None:
    assert phase_of(None) is Phase.UNDEFINED


@pytest.mark.parametrize(
    ("cause", "phase"),
    [
        (TimeoutError("late", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=()), Phase.TIMED_OUT),
        (TerminatedError("terminated"), Phase.ABORTED),
        (CancelledError(), Phase.ABORTED),
        (asyncio.CancelledError(), Phase.ABORTED),
        (ApplicationError("boom"), Phase.FAILED),
    ],
)
def test_phase_of_a_failed_child(cause: BaseException, phase: Phase) -> None:
    assert phase_of_failure(child_error(cause)) is phase
    assert phase_of_failure(cause) is phase
