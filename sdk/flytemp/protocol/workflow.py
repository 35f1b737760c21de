"""Temporal workflows of flytemp: types, arguments, updates, signals and memo keys.

The public input of ``FlytempWorkflow`` is `flytemp.records.launch.LaunchRequest`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, TypeAlias

from flytemp.protocol.field_readers import MaxLength
from flytemp.protocol.message import UNSET, Json, Message, Signal, Unset, Update

WORKFLOW_TYPE = "FlytempWorkflow"
"""The Temporal workflow type of an execution."""

CHUNK_WORKFLOW_TYPE = "FlytempMapPart"
"""The Temporal workflow type of a chunk of a large map. An execution starts its chunks itself."""

JANITOR_WORKFLOW_TYPE = "FlytempJanitor"
"""The Temporal workflow type behind the schedule that sweeps a Kubernetes cluster."""

DEFAULT_TASK_QUEUE = "flytemp"
"""The task queue of executions unless the settings name another."""

Requester: TypeAlias = Annotated[str, MaxLength(500)]
"""The user who sends a request, as the client names the user."""

Reason: TypeAlias = Annotated[str, MaxLength(5_000)]
"""The user's reason for a request."""

GateName: TypeAlias = Annotated[str, MaxLength(1_000)]
"""The name of a gate, or the path of its node."""

# --------------------------------------------------------------------------------- what `resolve` decided


@dataclass(frozen=True, slots=True)
class ExecutionSettings(Message):
    """Settings of the worker that resolved an execution. They are in the history, so a replay uses the same values.

    ``task_queue`` is the queue of the activities of tasks without a pool; ``pool_queue_prefix`` followed by the name of a pool is
    the queue of the pool's tasks. ``starts_ahead`` is the number of tries that may be started
    early. ``max_parallelism`` is the number of tries of the execution that may run at once, 0 for no limit.
    ``continue_as_new_events`` is the history length after which a run continues as new, 0 for Temporal's suggestion.
    ``allowed_uris`` are the prefixes of the URIs that a client may name; None permits each URI.
    """

    task_queue: str
    pool_queue_prefix: str = ""
    heartbeat_seconds: float = 10
    max_parallelism: int = 25
    max_in_flight: int = 1_000
    starts_ahead: int = 0
    max_system_tries: int = 10
    continue_as_new_events: int = 0
    drain_seconds: float = 30
    max_map_items: int = 1_000
    max_dynamic_depth: int = 50
    allowed_uris: list[str] | None = None

    def task_queue_of(self, pool: str) -> str:
        """Return the task queue of a pool's tasks, or of the tasks without a pool for an empty text."""
        return f"{self.pool_queue_prefix}{pool}" if pool else self.task_queue


@dataclass(frozen=True, slots=True)
class ParentNode(Message):
    """The launch plan node that started an execution: its workflow id, node path and attempt."""

    workflow_id: str
    node: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Resolved(Message):
    """Result of the activity ``flytemp.resolve``: the plan to run and the settings that apply.

    ``root`` is the root folder of the execution in the store. ``labels`` are those that become a search attribute. ``inputs`` is
    None if they are too long for a payload. If the plan has one page, ``plan`` is that page; otherwise its ``plan_pages`` pages
    are in the store. ``search_attributes`` is True if the namespace has flytemp's. ``options`` are the launch options that child
    executions inherit. A retried execution starts from the state in which it closed. That state has ``state_pages`` pages, and
    ``retry_nodes`` are the paths of the nodes to retry; an empty list means all that failed.
    ``is_reset`` is True if the run is the result of a Temporal reset to a point before this activity.
    """

    root: str
    execution: str
    project: str
    domain: str
    workflow: str
    version: str
    settings: ExecutionSettings
    plan_pages: int
    launch_plan: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Json] | None = None
    plan: str | None = None
    search_attributes: bool = False
    warnings: list[str] = field(default_factory=list)
    options: dict[str, Json] = field(default_factory=dict)
    parent: ParentNode | None = None
    timeout_seconds: float | None = None
    retry_nodes: list[str] | None = None
    state_pages: int = 0
    is_reset: bool = False

    def for_chunk(self) -> Resolved:
        """Return the part of this result that a chunk of a map needs."""
        return replace(self, plan=None, inputs=None, warnings=[], retry_nodes=None)


# ----------------------------------------------------------------------------------- workflow arguments


@dataclass(frozen=True, slots=True)
class Pause(Message):
    """A pause of an execution: the user who requested it, and the user's reason."""

    by: Requester = ""
    reason: Reason = ""


@dataclass(frozen=True, slots=True)
class ChunkArgument(Message):
    """The argument of the first run of a chunk's workflow: map items ``first`` to ``first + count - 1``.

    ``parent`` is the id of the workflow that started the chunk, ``execution_id`` that of the execution. ``node``, ``source``,
    ``graph`` and ``local`` identify the map node; ``name`` is the chunk's name in the store; ``chunk`` is its number, counted
    from 0. ``width`` is the number of slots allocated to the chunk. ``given`` are closed values of the map's inputs.
    ``max_failures`` is the number of failed items that the map tolerates. ``attempts_before`` is added to the attempt numbers of
    the chunk's calls. ``answers`` are the answers to gates so far, and ``paused`` is the pause in effect.
    ``epoch`` is that of `flytemp.protocol.activities.RunTaskArgument`.
    """

    parent: str
    execution_id: str
    node: str
    name: str
    chunk: int
    attempt: int
    source: str
    graph: str
    local: str
    first: int
    count: int
    width: int
    given: dict[str, Json]
    max_failures: int
    attempts_before: int = 0
    answers: dict[str, Json] = field(default_factory=dict)
    paused: Pause | None = None
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Continuation(Message):
    """The state that a run passes to the run that continues it as new.

    ``generation`` counts continue-as-new and manual retries; the engine's state is saved under it in ``pages`` pages.
    ``first_run_id`` is the first run id of the workflow.
    """

    resolved: Resolved
    generation: int
    pages: int
    first_run_id: str
    chunk: ChunkArgument | None = None


@dataclass(frozen=True, slots=True)
class ContinuedArgument(Message):
    """The argument of a run that continues another. Only a run with a predecessor may have it."""

    continued: Continuation


@dataclass(frozen=True, slots=True)
class ChunkStart(Message):
    """The argument of a chunk's workflow: ``resolved`` and ``chunk`` for the first run, then ``continued``."""

    resolved: Resolved | None = None
    chunk: ChunkArgument | None = None
    continued: Continuation | None = None


# ---------------------------------------------------------------------------------------- updates


@dataclass(frozen=True, slots=True)
class AnswerRequest(Message):
    """An answer to a gate: exactly one of ``value`` and ``approved``. ``gate`` is a gate's name or a node path."""

    gate: GateName
    value: Json | Unset = UNSET
    approved: bool | Unset = UNSET
    reason: Reason = ""
    by: Requester = ""


@dataclass(frozen=True, slots=True)
class ResumeRequest(Message):
    """The end of a pause, and the user who requested it."""

    by: Requester = ""


@dataclass(frozen=True, slots=True)
class RetryRequest(Message):
    """Nodes to retry by node path; all that failed if ``nodes`` is empty. ``by`` is the user who requested it."""

    nodes: list[str] = field(default_factory=list)
    by: Requester = ""


@dataclass(frozen=True, slots=True)
class AffectedNodes(Message):
    """Paths of the nodes that a request had an effect on."""

    nodes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Done(Message):
    """An empty result."""


ANSWER = Update("flytemp.answer", AnswerRequest, AffectedNodes)
PAUSE = Update("flytemp.pause", Pause, Done)
RESUME = Update("flytemp.resume", ResumeRequest, Done)
RETRY = Update("flytemp.retry", RetryRequest, AffectedNodes)

# ---------------------------------------------------------------------------------------- signals

NO_CHUNK = -1
"""The chunk number in messages about a child execution."""


@dataclass(frozen=True, slots=True)
class ChildClosed(Message):
    """From a child workflow to its parent: the final phase, the outputs or their URI, and the error.

    ``chunk`` is `NO_CHUNK` for a child execution. ``counts`` are the succeeded and failed items of a chunk.
    """

    node: str
    attempt: int
    phase: str
    chunk: int = NO_CHUNK
    outputs: dict[str, Json] | None = None
    outputs_uri: str | None = None
    size: int = 0
    error: dict[str, Json] | None = None
    counts: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class SlotsReleased(Message):
    """From a chunk to its parent: the chunk needs no more than ``width`` slots from now on."""

    node: str
    chunk: int
    attempt: int
    width: int


@dataclass(frozen=True, slots=True)
class GateAnswer(Message):
    """An answer to a gate: exactly one of ``value`` and ``approved``. ``at`` is a time in milliseconds since the epoch."""

    gate: GateName
    at: int
    by: Requester = ""
    value: Json | Unset = UNSET
    approved: bool | Unset = UNSET
    reason: Reason = ""


@dataclass(frozen=True, slots=True)
class ParentMessage(Message):
    """From a parent to a chunk: exactly one of the fields. ``width`` is the new number of slots."""

    answer: GateAnswer | None = None
    pause: Pause | None = None
    resume: ResumeRequest | None = None
    width: int | None = None


CHILD_CLOSED = Signal("flytemp.child_closed", ChildClosed)
SLOTS_RELEASED = Signal("flytemp.slots_released", SlotsReleased)
PARENT_MESSAGE = Signal("flytemp.parent_message", ParentMessage)

# ------------------------------------------------------------------------------------------- memo

CONTENT_MEMO = "flytemp.content"
"""The digest of a launch, so that a repeated launch under the same name is recognised."""

ROWS_MEMO = "flytemp.rows"
"""The rows of the nodes that changed last: a `RowsMemo`."""

WAITING_MEMO = "flytemp.waiting"
"""The gates that wait for an answer: a list of `WaitingGateMemo`."""


@dataclass(frozen=True, slots=True)
class RowsMemo(Message):
    """Rows of nodes (see `flytemp_worker.engine.snapshot`). ``paused`` is present if it changed; null after a pause."""

    rows: list[dict[str, Json]]
    paused: dict[str, Json] | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class WaitingGateMemo(Message):
    """A gate that waits for an answer.

    ``node`` is its path, ``gate`` its name, ``kind`` "approve" or "input", ``type`` the literal type of an input, ``since`` a
    time in milliseconds since the epoch. ``execution`` is the workflow id of the execution if a chunk has the gate.
    """

    node: str
    gate: str
    kind: str
    type: Json = None
    since: int | None = None
    execution: str | None = None
