"""The engine's input (events) and output (commands).

A node is named by its path: ids joined by ".", outermost first (``n3.n0`` is node n0 of the sub-workflow n3).
Attempts are the user's (``retries``); tries are the platform's, within an attempt. Both count from 1.
Chunks of a map are numbered from 0; ``chunk`` is -1 for the execution of a launch plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from flytemp_worker.engine.errors import Error

Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class _OfTry:
    node: str
    attempt: int
    try_: int


@dataclass(frozen=True, slots=True)
class _OfChunk:
    """``chunk`` is the number of a chunk of a map; -1 for the execution of a launch plan."""

    node: str
    chunk: int
    attempt: int


# ------------------------------------------------------------------------------------------ events


@dataclass(frozen=True, slots=True)
class TaskSucceeded(_OfTry):
    """``outputs`` are inline; those that are too large are only in the attempt's result. ``size`` is the length of their JSON in
    bytes. ``lookup`` is the status of a result look-up that preceded the try, such as "hit"."""

    outputs: dict[str, Json] | None
    size: int
    lookup: str = ""


@dataclass(frozen=True, slots=True)
class TaskFailed(_OfTry):
    """USER errors use the user's retries, SYSTEM errors the platform's tries."""

    error: Error


@dataclass(frozen=True, slots=True)
class TaskLost(_OfTry):
    """The try started and left no result, and nothing of it is alive: its worker, pod or machine disappeared."""

    reason: str


@dataclass(frozen=True, slots=True)
class TaskCancelled(_OfTry):
    """The try was stopped, as a rule because the engine requested it."""


@dataclass(frozen=True, slots=True)
class TimerFired(_OfTry):
    pass


@dataclass(frozen=True, slots=True)
class CancelRequested:
    reason: str


@dataclass(frozen=True, slots=True)
class IOCompleted:
    """The answer to a `RequestIO`, or the error that prevented one."""

    node: str
    operation: str
    answer: Json = None
    error: Error | None = None


@dataclass(frozen=True, slots=True)
class ChildClosed(_OfChunk):
    """The execution of a launch plan, or a chunk of a map, has ended.

    ``phase`` is a final one, or LOST for a chunk that closed without a result. ``outputs`` are inline, or stored at
    ``outputs_uri``. ``counts`` are the numbers of a chunk's calls that succeeded and failed.
    """

    phase: str
    outputs: dict[str, Json] | None = None
    outputs_uri: str | None = None
    size: int = 0
    error: Error | None = None
    counts: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class SlotsReleased(_OfChunk):
    """All calls of a chunk have started, and at most ``width`` of them are open."""

    width: int


@dataclass(frozen=True, slots=True)
class AllocationIncreased:
    """This engine's chunk may have ``width`` calls open."""

    width: int


@dataclass(frozen=True, slots=True)
class GateAnswered:
    """``gate`` is the path of a node, or a name that gates share. ``answer`` is ``{"by", "at", "approved", "reason"}`` or
    ``{"by", "at", "value"}``."""

    gate: str
    answer: dict[str, Json]


@dataclass(frozen=True, slots=True)
class PauseRequested:
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    by: str


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """Retry failed nodes: these, or all if ``nodes`` is empty."""

    nodes: tuple[str, ...]


TaskEvent: TypeAlias = TaskSucceeded | TaskFailed | TaskLost | TaskCancelled

Event: TypeAlias = (
    TaskEvent | TimerFired | CancelRequested | IOCompleted | ChildClosed | SlotsReleased | AllocationIncreased | GateAnswered
    | PauseRequested | ResumeRequested | RetryRequested
)  # fmt: skip

# ---------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class RunTask:
    """Run one try.

    Attributes:
        graph, local, source: the node in a document; see `plan.NodePlan` and `plan.GraphPlan`.
        inputs: closed values.
        resumed: the try may have been started before.
        items: the inputs of each call, if one try makes several calls of a map; ``inputs`` is empty then.
        queued: seconds that the try may wait until it runs.
        route: name of the pool that the try is sent to; "" for the default.
        epoch: set after a reset of the workflow, so that the try does not re-attach to an earlier one.
    """

    node: str
    graph: str
    local: str
    name: str
    task: str
    attempt: int
    try_: int
    inputs: dict[str, Json]
    resumed: bool = False
    source: str = ""
    items: tuple[dict[str, Json], ...] | None = None
    queued: float | None = None
    route: str = ""
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class CancelTask(_OfTry):
    pass


@dataclass(frozen=True, slots=True)
class StartTimer(_OfTry):
    """Send a `TimerFired` with the same key after ``seconds``."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class CancelTimer(_OfTry):
    pass


@dataclass(frozen=True, slots=True)
class RequestIO:
    """Perform a short I/O operation and send an `IOCompleted` with the same key. Every operation can be repeated.

    ==============  ==================================================================  ====================================
    operation       argument                                                            answer
    ==============  ==================================================================  ====================================
    read            ``values``: closed values by name                                   ``values``: literals or ``{"error"}``
    lengths         ``values``: closed values of lists by name                          ``lengths`` by name
    split           ``values`` as above, ``count``, ``size`` of a chunk                 nothing
    expand          nothing                                                             the plan that a dynamic node made
    inputs          ``values``: closed values by name                                   ``values``: literals, or ``uri``
    store           ``outputs``: closed values by output, ``chunks`` of a map's         nothing
    ==============  ==================================================================  ====================================
    """

    node: str
    attempt: int
    operation: str
    argument: dict[str, Json]
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start the execution of a launch plan. ``inputs`` are literals, or stored at ``inputs_uri``."""

    node: str
    attempt: int
    launch_plan: dict[str, Json]
    inputs: dict[str, Json]
    inputs_uri: str | None = None
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class StartChunk:
    """Start a chunk of a map.

    Attributes:
        name: the chunk's key in the store, below the execution.
        source, graph, local: the map's node in a document.
        first, count: the items of the chunk.
        width: calls that may be open at once.
        given: closed values of the map's inputs; lists that it maps over begin with the chunk's first item.
        max_failures: the chunk stops if more calls fail.
        attempts_before: attempts of its calls are counted from here, because an earlier attempt of the map has used others.
    """

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
    resumed: bool = False
    attempts_before: int = 0


@dataclass(frozen=True, slots=True)
class CancelChild(_OfChunk):
    """Stop what `StartChild` or `StartChunk` started."""

    reason: str


@dataclass(frozen=True, slots=True)
class BroadcastToChunks:
    """Send every running chunk the answer to a gate, a pause or its end: ``{"answer" | "pause" | "resume": …}``."""

    message: dict[str, Json]


@dataclass(frozen=True, slots=True)
class IncreaseAllocation(_OfChunk):
    """Send a chunk an `AllocationIncreased`."""

    width: int


@dataclass(frozen=True, slots=True)
class ReleaseSlots:
    """Send the execution a `SlotsReleased` for this chunk."""

    width: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The execution or chunk has ended, and nothing is in flight.

    ``phase`` is SUCCEEDED, FAILED, TIMED_OUT or ABORTED. ``outputs`` are closed values if it succeeded. ``counts`` are the
    numbers of a chunk's calls that succeeded and failed.
    """

    phase: str
    outputs: dict[str, Json] | None = None
    error: Error | None = None
    reason: str | None = None
    counts: tuple[int, int] | None = None


Command: TypeAlias = (
    RunTask | CancelTask | StartTimer | CancelTimer | RequestIO | StartChild | StartChunk | CancelChild | BroadcastToChunks
    | IncreaseAllocation | ReleaseSlots | Finish
)  # fmt: skip
