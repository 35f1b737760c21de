"""Executions and their nodes, in the one form that commands print, the client returns and records store."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from flytemp.literals.types import Json


class Phase(StrEnum):
    """Phases of executions and nodes, as in Flyte.

    A node is QUEUED until a backend runs its task, and SKIPPED if it is never run. An execution is ABORTED if it was cancelled
    or terminated; a node is ABORTED if it was stopped while it ran. A PAUSED execution starts no new task until it is resumed.
    """

    UNDEFINED = "UNDEFINED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    SUCCEEDED = "SUCCEEDED"
    FAILING = "FAILING"
    FAILED = "FAILED"
    ABORTING = "ABORTING"
    ABORTED = "ABORTED"
    SKIPPED = "SKIPPED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def is_final(self) -> bool:
        """True if no other phase can follow."""
        return self in _FINAL


_FINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED, Phase.SKIPPED, Phase.TIMED_OUT})


class RecordModel(BaseModel):
    """Base of records. Readers ignore unknown fields, so that records can gain fields."""

    model_config = ConfigDict(extra="ignore")


class ErrorInfo(RecordModel):
    """Error of an execution, a node or an attempt.

    Attributes:
        code: the error's code, as in the reference of errors.
        message: the error's text.
        kind: USER for an error of the user's code or inputs, SYSTEM for one of the platform.
        node: the path of the node that failed.
        task: the name of the task that failed.
        attempt: the number of the attempt that failed.
        traceback: the Python traceback.
        retryable: False if a retry cannot help.
    """

    code: str
    message: str
    kind: Literal["USER", "SYSTEM"] = "USER"
    node: str | None = None
    task: str | None = None
    attempt: int | None = None
    traceback: str | None = None
    retryable: bool = True


class AttemptInfo(RecordModel):
    """Attempt of a task node. ``tries`` counts its starts: the platform starts an attempt again if it was lost."""

    attempt: int
    phase: Phase
    tries: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: ErrorInfo | None = None


class MapItems(RecordModel):
    """Numbers of the items of a map: in total and by state. The remaining items are waiting."""

    total: int
    succeeded: int = 0
    failed: int = 0
    running: int = 0


class GateAnswer(RecordModel):
    """Answer to a gate: the user, the time, and either ``approved`` with a ``reason``, or a ``value``."""

    by: str = ""
    at: datetime | None = None
    approved: bool | None = None
    reason: str | None = None
    value: Json = None


class GateInfo(RecordModel):
    """Gate of a node. Answers refer to it by ``name``. It waits from ``since`` until ``deadline`` at most."""

    name: str
    kind: Literal["approve", "input"]
    type: Json = None  # the literal type of an input, as in the spec
    since: datetime | None = None
    deadline: datetime | None = None
    answer: GateAnswer | None = None


class NodeExecution(RecordModel):
    """Node of an execution.

    Attributes:
        id: the path of the node. Nodes of sub-workflows, branches, maps and dynamic tasks are below their caller's path.
        name: the name of the node.
        kind: the kind, as in `flytemp.spec.models.NodeSpec`.
        target: the task, workflow or launch plan that the node calls.
        phase: the phase; a gate that waits is RUNNING.
        attempts: the number of attempts so far.
        started_at: the start of the first attempt.
        finished_at: the end of the last attempt.
        message: the reason for waiting, skipping or retrying.
        error: the error of the last attempt, if it failed.
        attempt_history: the attempts of a task.
        outputs_ref: "<path>/<attempt>" of the result in the store; see `flytemp.layout`.
        items: the items of a map.
        gate: the gate, for a gate node.
        child_execution: the workflow id of the execution that a launch plan's node started.
        lookup: the answer of the result look-up before the last try, empty if there was none.
    """

    id: str
    name: str
    kind: str
    target: str
    phase: Phase
    attempts: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: str | None = None
    error: ErrorInfo | None = None
    attempt_history: list[AttemptInfo] = []
    outputs_ref: str | None = None
    items: MapItems | None = None
    gate: GateInfo | None = None
    child_execution: str | None = None
    lookup: str = ""


class Pause(RecordModel):
    """Pause of an execution: the user, the time and the reason."""

    by: str = ""
    at: datetime | None = None
    reason: str = ""


class Execution(RecordModel):
    """Execution with its nodes.

    Attributes:
        inputs: the complete inputs.
        outputs: the outputs, once the execution succeeded.
        error: the first error, if the execution failed.
        nodes: the nodes in the order of the plan, callers before the nodes that they call.
        warnings: problems that did not prevent the launch.
        paused: the pause in effect.
        workflow_id: the id of the Temporal workflow.
        run_id: the id of the workflow's first run.
        metadata_uri: the folder of the execution's inputs, results and logs.
        raw_data_uri: the folder of the execution's files.
    """

    name: str
    project: str
    domain: str
    phase: Phase
    workflow: str | None = None
    version: str | None = None
    launch_plan: str | None = None
    inputs: dict[str, Json] | None = None
    outputs: dict[str, Json] | None = None
    error: ErrorInfo | None = None
    nodes: list[NodeExecution] = []
    started_at: datetime | None = None
    finished_at: datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    warnings: list[str] = []
    paused: Pause | None = None
    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""
    metadata_uri: str | None = None
    raw_data_uri: str | None = None
    schema_version: int = 1


class ExecutionSummary(RecordModel):
    """Entry in a list of executions."""

    name: str
    project: str
    domain: str
    phase: Phase
    workflow: str | None = None
    version: str | None = None
    launch_plan: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    workflow_id: str = ""
    run_id: str = ""
