"""The kinds of nodes, each with its state and its handler. A new kind needs a module here and a line in `HANDLERS`.

Like the engine, the kinds do no I/O and have no clock.
"""

from __future__ import annotations

from typing import Any

from flytemp_worker.engine import events, manual_retry
from flytemp_worker.engine.capacity import Limits
from flytemp_worker.engine.handlers import NodeHandler, Registry
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import AllocationIncreased, GateAnswered, RetryRequested
from flytemp_worker.engine.plan import Plan
from flytemp_worker.node_kinds import children, concurrency_budget, gates, map_chunks, tasks
from flytemp_worker.node_kinds.branches import BranchHandler
from flytemp_worker.node_kinds.children import LaunchPlanHandler
from flytemp_worker.node_kinds.dynamics import DynamicHandler
from flytemp_worker.node_kinds.gates import GateHandler, SleepHandler
from flytemp_worker.node_kinds.maps import MapHandler
from flytemp_worker.node_kinds.tasks import TaskHandler
from flytemp_worker.node_kinds.workflows import WorkflowHandler

HANDLERS: dict[str, NodeHandler] = {
    "task": TaskHandler(),
    "workflow": WorkflowHandler(),
    "branch": BranchHandler(),
    "map": MapHandler(),
    "dynamic": DynamicHandler(),
    "launch_plan": LaunchPlanHandler(),
    "gate": GateHandler(),
    "sleep": SleepHandler(),
}

REGISTRY = Registry(
    handlers=HANDLERS,
    listeners={
        **events.LISTENERS,
        GateAnswered: gates.on_answered,
        AllocationIncreased: concurrency_budget.on_increased,
        RetryRequested: manual_retry.on_retry,
    },
    queues=(children.start_queued, map_chunks.start_queued, tasks.start_queued),
)


def new_engine(plan: Plan, inputs: dict[str, Any] | None, limits: Limits | None = None) -> Engine:
    """Return the engine of an execution that has not begun."""
    return Engine(plan, inputs, REGISTRY, limits)
