"""The kinds of nodes: each is a row of the engine's table, in a module of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flytemp_worker.engine import limits
from flytemp_worker.engine.kinds import base, children, gates, lending, parts, tasks
from flytemp_worker.engine.kinds.branches import BranchKind
from flytemp_worker.engine.kinds.children import LaunchPlanKind
from flytemp_worker.engine.kinds.dynamics import DynamicKind
from flytemp_worker.engine.kinds.gates import GateKind, SleepKind
from flytemp_worker.engine.kinds.maps import MapKind
from flytemp_worker.engine.kinds.tasks import TaskKind
from flytemp_worker.engine.kinds.workflows import WorkflowKind
from flytemp_worker.engine.messages import (
    ChildClosed,
    GateAnswered,
    MoreLent,
    PartGaveBack,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
    TimerFired,
    Told,
)

MAP = MapKind()

KINDS: dict[str, base.Kind] = {
    "task": TaskKind(),
    "workflow": WorkflowKind(),
    "branch": BranchKind(),
    "map": MAP,
    "dynamic": DynamicKind(),
    "launch_plan": LaunchPlanKind(),
    "gate": GateKind(),
    "sleep": SleepKind(),
}

HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    TaskSucceeded: tasks.on_succeeded,
    TaskFailed: tasks.on_failed,
    TaskLost: tasks.on_lost,
    TaskCancelled: tasks.on_cancelled,
    TimerFired: limits.on_timer,
    Told: base.on_told,
    ChildClosed: children.on_child_closed,
    PartGaveBack: parts.on_gave_back,
    MoreLent: lending.on_more_lent,
    GateAnswered: gates.on_answered,
}
