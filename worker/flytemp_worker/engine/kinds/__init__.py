"""The kinds of nodes: each is a row of the engine's table, in a module of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flytemp_worker.engine import deadlines
from flytemp_worker.engine.kinds import base, children, concurrency_budget, gates, map_chunks, tasks
from flytemp_worker.engine.kinds.branches import BranchHandler
from flytemp_worker.engine.kinds.children import LaunchPlanHandler
from flytemp_worker.engine.kinds.dynamics import DynamicHandler
from flytemp_worker.engine.kinds.gates import GateHandler, SleepHandler
from flytemp_worker.engine.kinds.maps import MapHandler
from flytemp_worker.engine.kinds.tasks import TaskHandler
from flytemp_worker.engine.kinds.workflows import WorkflowHandler
from flytemp_worker.engine.messages import (
    AllocationIncreased,
    ChildClosed,
    GateAnswered,
    IOCompleted,
    SlotsReleased,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
    TimerFired,
)

MAP = MapHandler()

HANDLERS: dict[str, base.NodeHandler] = {
    "task": TaskHandler(),
    "workflow": WorkflowHandler(),
    "branch": BranchHandler(),
    "map": MAP,
    "dynamic": DynamicHandler(),
    "launch_plan": LaunchPlanHandler(),
    "gate": GateHandler(),
    "sleep": SleepHandler(),
}

EVENT_HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    TaskSucceeded: tasks.on_succeeded,
    TaskFailed: tasks.on_failed,
    TaskLost: tasks.on_lost,
    TaskCancelled: tasks.on_cancelled,
    TimerFired: deadlines.on_timer,
    IOCompleted: base.on_told,
    ChildClosed: children.on_child_closed,
    SlotsReleased: map_chunks.on_gave_back,
    AllocationIncreased: concurrency_budget.on_more_lent,
    GateAnswered: gates.on_answered,
}
