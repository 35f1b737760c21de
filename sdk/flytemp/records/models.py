"""An execution and its nodes: one shape from `run`, `launch --wait`, `get execution`, the client and the record."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from flytemp.literals.types import Json


class Phase(StrEnum):
    """Flyte's phases, for executions and nodes.

    A node is QUEUED until its task is handed to a backend, and SKIPPED if it never was. ABORTED is an
    execution that was cancelled or terminated, or a node that ran and was stopped from outside. PAUSED is an execution
    of which nothing new is started until somebody resumes it.
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
        return self in _FINAL


_FINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED, Phase.SKIPPED, Phase.TIMED_OUT})


class RecordModel(BaseModel):
    """Unlike a spec, a record may gain fields: a reader ignores what it does not know."""

    model_config = ConfigDict(extra="ignore")


class ErrorInfo(RecordModel):
    """Why something failed. ``kind`` says who is at fault: the user's code or what runs it."""

    code: str
    message: str
    kind: Literal["USER", "SYSTEM"] = "USER"
    node: str | None = None
    task: str | None = None
    attempt: int | None = None
    traceback: str | None = None
    retryable: bool = True


class AttemptInfo(RecordModel):
    """One attempt of a task node. ``tries`` counts its starts: more than one when the platform lost it."""

    attempt: int
    phase: Phase
    tries: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: ErrorInfo | None = None


class MapItems(RecordModel):
    """How many calls a map makes, and where they stand; the others wait."""

    total: int
    succeeded: int = 0
    failed: int = 0
    running: int = 0


class GateAnswer(RecordModel):
    """Who answered a gate, when, and what: ``approved`` (with the ``reason`` given) or a ``value``."""

    by: str = ""
    at: datetime | None = None
    approved: bool | None = None
    reason: str | None = None
    value: Json = None


class GateInfo(RecordModel):
    """A gate, by the ``name`` that an answer names. It waits from ``since``, at most until ``deadline``."""

    name: str
    kind: Literal["approve", "input"]
    type: Json = None  # the literal type of an input, as in the spec
    since: datetime | None = None
    deadline: datetime | None = None
    answer: GateAnswer | None = None


class NodeExecution(RecordModel):
    """One node. ``id`` is its path: nodes of sub-workflows, branches, maps and dynamics are below their caller's.

    ``kind`` is that of `flytemp.spec.models.NodeSpec`. A gate that waits is RUNNING. ``child_execution`` is the
    workflow id of the execution that a launch plan's node started.
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
    outputs_ref: str | None = None  # "<path>/<attempt>": where the node's result lies, see `layout`
    items: MapItems | None = None
    gate: GateInfo | None = None
    child_execution: str | None = None


class Pause(RecordModel):
    """Who paused an execution, and when."""

    by: str = ""
    at: datetime | None = None
    reason: str = ""


class Execution(RecordModel):
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
    run_id: str = ""  # the first run's id
    metadata_uri: str | None = None  # where the execution's inputs, results and logs lie
    raw_data_uri: str | None = None  # where its files lie
    schema_version: int = 1


class ExecutionSummary(RecordModel):
    """A line of a list of executions."""

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
