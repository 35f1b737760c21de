"""The engine: a pure state machine that runs a plan.

``Engine.step(event, at) -> [command]``: no I/O, no clock, no asyncio, no Temporal. Read in this order:
`messages` (what goes in and out), `phases` (the transition table), `plan`, `values`, `machine`, `kinds`.
"""

from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import (
    Ask,
    CancelChild,
    CancelRequested,
    CancelTask,
    CancelTimer,
    ChildClosed,
    Command,
    Event,
    Finish,
    GateAnswered,
    GiveBack,
    LendMore,
    MoreLent,
    PartGaveBack,
    PauseRequested,
    ResumeRequested,
    RetryRequested,
    RunTask,
    StartChild,
    StartPart,
    StartTimer,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
    TellParts,
    TimerFired,
    Told,
)
from flytemp_worker.engine.phases import IllegalMove, NodePhase
from flytemp_worker.engine.plan import Plan

__all__ = [
    "Ask",
    "CancelChild",
    "CancelRequested",
    "CancelTask",
    "CancelTimer",
    "ChildClosed",
    "Command",
    "Engine",
    "Event",
    "Finish",
    "GateAnswered",
    "GiveBack",
    "IllegalMove",
    "LendMore",
    "MoreLent",
    "NodePhase",
    "PartGaveBack",
    "PauseRequested",
    "Plan",
    "ResumeRequested",
    "RetryRequested",
    "RunTask",
    "StartChild",
    "StartPart",
    "StartTimer",
    "TaskCancelled",
    "TaskFailed",
    "TaskLost",
    "TaskSucceeded",
    "TellParts",
    "TimerFired",
    "Told",
]
