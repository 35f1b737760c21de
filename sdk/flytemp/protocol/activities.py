"""Activities of flytemp: names, arguments and results.

``execution`` in an argument is the root folder of the execution in the store (`flytemp.layout.ExecutionLayout.root`). A node
is identified by its node path and an attempt number that counts from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import NoneType

from flytemp.protocol.message import Activity, Json, Message
from flytemp.protocol.workflow import Resolved

# ------------------------------------------------------------------------------------------ launch


@dataclass(frozen=True, slots=True)
class ResolveArgument(Message):
    """A launch, and the identity of the Temporal workflow that runs it.

    ``launch`` is the input of the Temporal workflow: a `flytemp.records.launch.LaunchRequest` if the caller wrote a valid one.
    ``started_at`` is an RFC 3339 time.
    """

    launch: Json
    namespace: str
    workflow_id: str
    first_run_id: str
    started_at: str


RESOLVE = Activity("flytemp.resolve", ResolveArgument, Resolved)

# ----------------------------------------------------------------------------------- pages in the store


@dataclass(frozen=True, slots=True)
class PlanPage(Message):
    """Key of a page of an execution's plan; pages count from 0."""

    execution: str
    page: int


@dataclass(frozen=True, slots=True)
class SavePlanPage(Message):
    """A page of an execution's plan, and its text."""

    execution: str
    page: int
    text: str


@dataclass(frozen=True, slots=True)
class StatePage(Message):
    """Key of a page of a saved engine state.

    The state is that of a closed execution if ``closed`` is true, else that of the given ``generation``. ``chunk`` is
    "<chunk name>/<chunk attempt>" for the state of a chunk.
    """

    execution: str
    page: int
    generation: int = 0
    chunk: str | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class StateText(Message):
    """Text of a page of a state. ``is_reset`` is True if another run has loaded it before: this run is the result of a reset."""

    text: str
    is_reset: bool = False


@dataclass(frozen=True, slots=True)
class SaveStatePage(Message):
    """A page of a state of a running execution or chunk, and its text. The fields are those of `StatePage`."""

    execution: str
    page: int
    generation: int
    text: str
    chunk: str | None = None


LOAD_PLAN_PAGE = Activity("flytemp.load_plan_page", PlanPage, str)
SAVE_PLAN_PAGE = Activity("flytemp.save_plan_page", SavePlanPage, NoneType)
LOAD_STATE_PAGE = Activity("flytemp.load_state_page", StatePage, StateText)
SAVE_STATE_PAGE = Activity("flytemp.save_state_page", SaveStatePage, NoneType)

# ------------------------------------------------------------------------------------------- tasks


@dataclass(frozen=True, slots=True)
class RunTaskArgument(Message):
    """One try of a task.

    ``inputs`` are closed values by input name. ``items`` are the inputs of each call if the try makes several calls of a map.
    ``task``, ``graph`` and ``local`` (by default the last segment of ``node``) identify the task's node in a document: the
    execution's, or that of the dynamic node ``source``. ``resumed``: the try may have been started before. ``announced``: the
    worker that scheduled the activity started the try early. ``stop``: stop the try. ``epoch`` identifies the Temporal reset
    after which the try was scheduled; it is empty in an execution without a reset.
    """

    execution: str
    node: str
    graph: str
    task: str
    attempt: int
    try_: int
    inputs: dict[str, Json]
    local: str | None = None
    source: str = ""
    items: tuple[dict[str, Json], ...] | None = None
    resumed: bool = False
    announced: bool = False
    stop: bool = False
    epoch: str = ""

    @property
    def local_id(self) -> str:
        """The node's id within its graph."""
        return self.local or self.node.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class TaskOutputs(Message):
    """The outputs of a try that succeeded. ``size`` is the length of their JSON in bytes.

    Long outputs are left out; they are in the attempt's result in the store. ``lookup`` is the status of the result look-up that
    preceded the try, or empty.
    """

    size: int
    outputs: dict[str, Json] | None = None
    lookup: str = ""


@dataclass(frozen=True, slots=True)
class StartTasksArgument(Message):
    """Tries to start before their activities are scheduled. ``tries`` are pages of a list of `RunTaskArgument`."""

    tries: list[str]


@dataclass(frozen=True, slots=True)
class StartedTasks(Message):
    """The positions in `StartTasksArgument.tries` of the tries that were started, or that may have been."""

    started: list[int]


RUN_TASK = Activity("flytemp.run_task", RunTaskArgument, TaskOutputs)
START_TASKS = Activity("flytemp.start_tasks", StartTasksArgument, StartedTasks)

# ------------------------------------------------------------------------------------------ chunks


@dataclass(frozen=True, slots=True)
class ChunkPlanArgument(Message):
    """The map node of a chunk, and the closed values of the map's inputs."""

    execution: str
    node: str
    source: str
    graph: str
    local: str
    given: dict[str, Json]
    first_run_id: str = ""


@dataclass(frozen=True, slots=True)
class ChunkPlan(Message):
    """The plan of one call of a map as pages, and the chunk's items by input name if they are short.

    ``is_reset`` is True if the activity's run is not ``ChunkPlanArgument.first_run_id``.
    """

    pages: list[str]
    items: dict[str, list[Json]] | None = None
    is_reset: bool = False


@dataclass(frozen=True, slots=True)
class SaveChunkRows(Message):
    """A page of the rows of a chunk's nodes. ``name`` is "<chunk name>/<chunk attempt>"."""

    execution: str
    name: str
    page: int
    text: str


@dataclass(frozen=True, slots=True)
class SaveChunkOutputs(Message):
    """The outputs of a chunk as closed values by name. ``name`` is that of `SaveChunkRows`."""

    execution: str
    name: str
    outputs: dict[str, Json]


CHUNK_PLAN = Activity("flytemp.chunk_plan", ChunkPlanArgument, ChunkPlan)
SAVE_CHUNK_ROWS = Activity("flytemp.save_chunk_rows", SaveChunkRows, NoneType)
SAVE_CHUNK_OUTPUTS = Activity("flytemp.save_chunk_outputs", SaveChunkOutputs, NoneType)

# ------------------------------------------------------------------------------------------- close


@dataclass(frozen=True, slots=True)
class PageRange(Message):
    """``count`` pages that were saved as the state of a ``generation``."""

    generation: int
    count: int


@dataclass(frozen=True, slots=True)
class RecordExecutionArgument(Message):
    """The end of an execution.

    ``outputs`` are closed values by name. ``closed`` is a time in milliseconds since the epoch. The rows of the nodes, and the
    state of an execution that did not succeed, are one page in ``rows`` and ``state``, or saved pages.
    """

    execution: str
    phase: str
    closed: int
    outputs: dict[str, Json] | None = None
    error: dict[str, Json] | None = None
    reason: str | None = None
    warnings: list[str] = field(default_factory=list)
    rows: str | None = None
    rows_pages: PageRange | None = None
    state: str | None = None
    state_pages: PageRange | None = None


@dataclass(frozen=True, slots=True)
class RecordedExecution(Message):
    """The final phase of an execution, its outputs as literals or the URI of their JSON, and its error.

    ``size`` is the length of the outputs' JSON in bytes; only an execution that a launch plan node started has it.
    """

    phase: str
    execution: str
    outputs: dict[str, Json] | None = None
    outputs_uri: str | None = None
    size: int = 0
    error: dict[str, Json] | None = None


RECORD_EXECUTION = Activity("flytemp.record_execution", RecordExecutionArgument, RecordedExecution)

# ------------------------------------------------------------------------------------------ others


@dataclass(frozen=True, slots=True)
class WorkflowIds(Message):
    """Temporal workflow ids. ``parent`` is the id of the workflow that should have started them, if that matters."""

    workflows: list[str]
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class ClosedWorkflows(Message):
    """The final phases of those workflows of a request that are closed, by workflow id.

    ``foreign`` are the open workflows that `WorkflowIds.parent` did not start.
    """

    phases: dict[str, str]
    foreign: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ShortTimerArgument(Message):
    """A time to wait, in seconds; much less than one."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SweepPodsArgument(Message):
    """No parameters: the worker's settings name the cluster."""


@dataclass(frozen=True, slots=True)
class RemovedPods(Message):
    """The pods that the janitor removed: each with its name and the reason."""

    pods: list[dict[str, str]]


CLOSED_WORKFLOWS = Activity("flytemp.closed_workflows", WorkflowIds, ClosedWorkflows)
SHORT_TIMER = Activity("flytemp.short_timer", ShortTimerArgument, NoneType)
SWEEP_PODS = Activity("flytemp.sweep_pods", SweepPodsArgument, RemovedPods)
