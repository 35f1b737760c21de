"""The engine: a pure state machine that runs a plan.

``Engine.step(event, at) -> [command]``: no I/O, no clock, no asyncio, no Temporal. Read in this order:
`messages` (what goes in and out), `phases` (the transition table), `plan`, `values`, `machine`.
"""

from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import (
    CancelRequested,
    CancelTask,
    CancelTimer,
    Command,
    Event,
    Finish,
    RunTask,
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
    "CancelRequested",
    "CancelTask",
    "CancelTimer",
    "Command",
    "Engine",
    "Event",
    "Finish",
    "IllegalMove",
    "NodePhase",
    "Plan",
    "RunTask",
    "StartTimer",
    "TaskCancelled",
    "TaskFailed",
    "TaskLost",
    "TaskSucceeded",
    "TimerFired",
]
