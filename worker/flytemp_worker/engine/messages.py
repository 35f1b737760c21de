"""What the engine hears (events) and what it asks for (commands).

A node is named by its path: ids joined by ".", outermost first (``n3.n0`` is node n0 of the sub-workflow n3).
An attempt is the user's (`retries`); a try is the platform's, within an attempt. Both count from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Any

# ------------------------------------------------------------------------------------------ events


@dataclass(frozen=True, slots=True)
class TaskSucceeded:
    """``outputs`` is None when they are too large to travel and lie in the attempt's result; ``size`` is their
    JSON's length in bytes."""

    node: str
    attempt: int
    try_: int
    outputs: dict[str, Json] | None
    size: int


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """``error`` is ``{"kind": "USER"|"SYSTEM", "code", "message", "retryable"}``. USER failures use the user's
    retries, SYSTEM failures the platform's tries."""

    node: str
    attempt: int
    try_: int
    error: dict[str, Json]


@dataclass(frozen=True, slots=True)
class TaskLost:
    """The try started and left no result, and nothing of it is alive: worker, pod or machine went away."""

    node: str
    attempt: int
    try_: int
    reason: str


@dataclass(frozen=True, slots=True)
class TaskCancelled:
    """The try was stopped because the engine asked for it."""

    node: str
    attempt: int
    try_: int


@dataclass(frozen=True, slots=True)
class TimerFired:
    node: str
    attempt: int
    try_: int


@dataclass(frozen=True, slots=True)
class CancelRequested:
    reason: str


@dataclass(frozen=True, slots=True)
class IOCompleted:
    """The answer to an `RequestIO`: ``answer``, or why there is none, as in `TaskFailed`."""

    node: str
    what: str
    answer: Json = None
    error: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class ChildClosed:
    """A launch plan's execution, or a part of a map, is over.

    ``phase`` is a final one. ``outputs`` are inline, or lie at ``outputs_uri``. ``counts`` are a part's calls that
    succeeded and failed.
    """

    node: str
    part: int
    attempt: int
    phase: str
    outputs: dict[str, Json] | None = None
    outputs_uri: str | None = None
    size: int = 0
    error: dict[str, Json] | None = None
    counts: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class SlotsReleased:
    """All calls of a part of a map have started, and no more than ``width`` of them are open."""

    node: str
    part: int
    attempt: int
    width: int


@dataclass(frozen=True, slots=True)
class AllocationIncreased:
    """To the engine of a part: so many of its calls may be open now."""

    width: int


@dataclass(frozen=True, slots=True)
class GateAnswered:
    """``gate`` is the path of a node, or the name that gates have. ``answer`` is ``{"by", "at", "approved", "reason"}`` or
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
    """Try failed nodes again; without ``nodes`` all that failed."""

    nodes: tuple[str, ...]


Event: TypeAlias = (
    TaskSucceeded
    | TaskFailed
    | TaskLost
    | TaskCancelled
    | TimerFired
    | CancelRequested
    | IOCompleted
    | ChildClosed
    | SlotsReleased
    | AllocationIncreased
    | GateAnswered
    | PauseRequested
    | ResumeRequested
    | RetryRequested
)

# ---------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class RunTask:
    """Run one try. ``inputs`` are closed values (see `values`). ``resumed``: it may have been started before.

    ``local`` and ``source`` name the node in a document: see `plan.NodePlan` and `plan.GraphPlan`. ``items`` are the
    inputs of each call, where one try makes several of a map's. ``queued`` bounds the seconds until it runs.
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


@dataclass(frozen=True, slots=True)
class CancelTask:
    node: str
    attempt: int
    try_: int


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Wake the node after ``seconds``; the answer is a `TimerFired` with the same key."""

    node: str
    attempt: int
    try_: int
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class CancelTimer:
    node: str
    attempt: int
    try_: int


@dataclass(frozen=True, slots=True)
class RequestIO:
    """Do a short piece of I/O; the answer is a `IOCompleted` with the same key. It can be repeated without harm.

    ==============  ================================================================  =====================================
    what            argument                                                          answer
    ==============  ================================================================  =====================================
    read            ``values``: closed values by name                                 ``values``: ``{"l"}`` or ``{"error"}``
    lengths         ``values``: closed values of lists by name                        ``lengths`` by name
    split           ``values`` as before, ``count``, ``size`` of a part, ``key``      nothing
    expand          nothing                                                           ``pages`` of the plan of a dynamic
    inputs          ``values``: closed values by name                                 ``values`` literals, or ``uri``
    store           ``outputs``: closed values by output, ``parts`` of a map's        nothing
    ==============  ================================================================  =====================================
    """

    node: str
    attempt: int
    what: str
    argument: dict[str, Json]


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start the execution of a launch plan. ``inputs`` are literals, or lie at ``inputs_uri``."""

    node: str
    attempt: int
    launch_plan: dict[str, Json]
    inputs: dict[str, Json]
    inputs_uri: str | None = None
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class StartChunk:
    """Start a part of a map: the calls of ``count`` items from ``first`` on, at most ``width`` at once.

    ``given`` are closed values of the map's inputs; those it maps over begin with the part's first item.
    ``most_failures``: with more, the part stops. ``source``, ``graph`` and ``local`` name the map's node, ``name`` the part
    in the store. ``base``: attempts of its calls count from there, because they had others when the map was tried before.
    """

    node: str
    name: str
    part: int
    attempt: int
    source: str
    graph: str
    local: str
    first: int
    count: int
    width: int
    given: dict[str, Json]
    most_failures: int
    resumed: bool = False
    base: int = 0


@dataclass(frozen=True, slots=True)
class CancelChild:
    """Stop what `StartChild` or `StartChunk` started; ``part`` is -1 for an execution."""

    node: str
    part: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class BroadcastToChunks:
    """Pass on to every part of a map that runs: an answer to a gate, a pause, a resumption."""

    message: dict[str, Json]


@dataclass(frozen=True, slots=True)
class IncreaseAllocation:
    """Tell a part of a map that it may have ``width`` calls open: a `AllocationIncreased` there."""

    node: str
    part: int
    attempt: int
    width: int


@dataclass(frozen=True, slots=True)
class ReleaseSlots:
    """Tell the execution that this part of a map needs no more than ``width`` any more: a `SlotsReleased` there."""

    width: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The execution is over: nothing runs any more. ``outputs`` are closed values, when it succeeded.

    A part of a map that is over has ``counts`` of the calls that succeeded and failed.
    """

    phase: str  # SUCCEEDED, FAILED, TIMED_OUT or ABORTED
    outputs: dict[str, Json] | None = None
    error: dict[str, Json] | None = None
    reason: str | None = None
    counts: tuple[int, int] | None = None


Command: TypeAlias = (
    RunTask
    | CancelTask
    | StartTimer
    | CancelTimer
    | RequestIO
    | StartChild
    | StartChunk
    | CancelChild
    | BroadcastToChunks
    | IncreaseAllocation
    | ReleaseSlots
    | Finish
)
