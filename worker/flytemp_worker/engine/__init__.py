"""The engine: a pure state machine that runs a plan.

``Engine.step(event, at) -> [command]``: no I/O, no clock, no asyncio, no Temporal. Read in this order:
`messages` (what goes in and out), `phases` (the transition table), `plan`, `values`, `machine`, `kinds`.
"""

from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import (
    AllocationIncreased,
    BroadcastToChunks,
    CancelChild,
    CancelRequested,
    CancelTask,
    CancelTimer,
    ChildClosed,
    Command,
    Event,
    Finish,
    GateAnswered,
    IncreaseAllocation,
    IOCompleted,
    PauseRequested,
    ReleaseSlots,
    RequestIO,
    ResumeRequested,
    RetryRequested,
    RunTask,
    SlotsReleased,
    StartChild,
    StartChunk,
    StartTimer,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
    TimerFired,
)
from flytemp_worker.engine.phases import IllegalMove, NodePhase
from flytemp_worker.engine.plan import Plan

__all__ = [
    "AllocationIncreased",
    "BroadcastToChunks",
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
    "IOCompleted",
    "IllegalMove",
    "IncreaseAllocation",
    "NodePhase",
    "PauseRequested",
    "Plan",
    "ReleaseSlots",
    "RequestIO",
    "ResumeRequested",
    "RetryRequested",
    "RunTask",
    "SlotsReleased",
    "StartChild",
    "StartChunk",
    "StartTimer",
    "TaskCancelled",
    "TaskFailed",
    "TaskLost",
    "TaskSucceeded",
    "TimerFired",
]
