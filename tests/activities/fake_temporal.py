"""Stand-in for a Temporal client that answers `describe` from a list."""

from __future__ import annotations

from dataclasses import dataclass, field

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

SCHEDULED, STARTED, CANCEL_REQUESTED, PAUSED = (
    PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
    PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED,
)
NOT_FOUND = RPCError("not found", RPCStatusCode.NOT_FOUND, b"")
UNAVAILABLE = RPCError("unavailable", RPCStatusCode.UNAVAILABLE, b"")


@dataclass
class Description:
    """The attributes of `WorkflowExecutionDescription` that are used."""

    status: WorkflowExecutionStatus = WorkflowExecutionStatus.RUNNING
    run_id: str = "run-3"
    first_run: str = "run-1"
    is_deciding: bool = False
    activities: dict[str, PendingActivityState.ValueType] = field(default_factory=dict)

    @property
    def raw_description(self) -> DescribeWorkflowExecutionResponse:
        return DescribeWorkflowExecutionResponse(
            workflow_execution_info=WorkflowExecutionInfo(first_run_id=self.first_run),
            pending_activities=[PendingActivityInfo(activity_id=name, state=state) for name, state in self.activities.items()],
            pending_workflow_task=PendingWorkflowTaskInfo() if self.is_deciding else None,
        )


OPEN = Description()
CLOSED = Description(WorkflowExecutionStatus.TERMINATED)
USED_AGAIN = Description(first_run="run-9")


class FakeTemporal:
    """Answers for the latest run of any workflow with each given answer in turn, and with the last one from then on."""

    def __init__(self, *answers: Description | RPCError) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.first_run = "run-1"  # of the chain that an older run belongs to

    def get_workflow_handle(self, workflow_id: str, *, run_id: str | None = None) -> FakeTemporal | _OlderRun:
        return self if run_id is None else _OlderRun(self.first_run)

    async def describe(self) -> Description:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, RPCError):
            raise answer
        return answer


@dataclass
class _OlderRun:
    first_run: str

    async def describe(self) -> Description:
        return Description(first_run=self.first_run)
