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


Event: TypeAlias = TaskSucceeded | TaskFailed | TaskLost | TaskCancelled | TimerFired | CancelRequested

# ---------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class RunTask:
    """Run one try. ``inputs`` are closed values (see `values`). ``resumed``: it may have been started before."""

    node: str
    graph: str
    index: int
    name: str
    task: str
    attempt: int
    try_: int
    inputs: dict[str, Json]
    resumed: bool = False


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
class Finish:
    """The execution is over: nothing runs any more. ``outputs`` are closed values, when it succeeded."""

    phase: str  # SUCCEEDED, FAILED or ABORTED
    outputs: dict[str, Json] | None = None
    error: dict[str, Json] | None = None
    reason: str | None = None


Command: TypeAlias = RunTask | CancelTask | StartTimer | CancelTimer | Finish
