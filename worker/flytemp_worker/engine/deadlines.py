"""Timers of node deadlines and of workflow time-outs.

The backend enforces the time-out of an attempt; Temporal enforces that of waiting for a worker.
"""

from __future__ import annotations

from flytemp_worker.engine.errors import Error, make_error
from flytemp_worker.engine.messages import CancelTimer, Command, StartTimer
from flytemp_worker.engine.nodes import GraphRun, Node

DEADLINE = (0, 0)
"""``attempt`` and ``try_`` of the timer of a node's deadline."""

TIMEOUT = (0, -1)
"""``attempt`` and ``try_`` of the timer of a workflow's time-out."""


def start_node(node: Node, at: int) -> list[Command]:
    """Start the deadline of a node that may run from now on; it spans all attempts."""
    seconds = node.plan.deadline
    if seconds is None or node.deadline is not None:
        return []
    node.deadline = at + round(seconds * 1000)
    return [StartTimer(node.path, *DEADLINE, seconds, "deadline")]


def end_node(node: Node) -> list[Command]:
    return [CancelTimer(node.path, *DEADLINE)] if node.deadline is not None and not node.expired else []


def resume_node(node: Node, at: int) -> list[Command]:
    if node.deadline is None or node.expired:
        return []
    return [StartTimer(node.path, *DEADLINE, max(node.deadline - at, 1) / 1000, "deadline, resumed")]


def node_error(node: Node) -> Error:
    return make_error("Timeout", f"the deadline of {node.plan.deadline:g} s passed before the node ended", retryable=False)


def start_scope(scope: GraphRun) -> list[Command]:
    """Start the time-out of a workflow that starts."""
    seconds = scope.graph.timeout
    return [] if seconds is None else [StartTimer(scope.path, *TIMEOUT, seconds, "time-out of the workflow")]


def end_scope(scope: GraphRun) -> list[Command]:
    """End the time-out of a workflow whose nodes have ended or are stopping; it does not apply to a failure node."""
    return [CancelTimer(scope.path, *TIMEOUT)] if _is_timed(scope) else []


def resume_scope(scope: GraphRun, at: int) -> list[Command]:
    if not _is_timed(scope) or not scope.open:
        return []
    assert scope.graph.timeout is not None
    assert scope.started is not None
    left = max(scope.started + scope.graph.timeout * 1000 - at, 1) / 1000
    return [StartTimer(scope.path, *TIMEOUT, left, "time-out of the workflow, resumed")]


def scope_error(scope: GraphRun) -> Error:
    message = f"the time-out of {scope.graph.timeout:g} s passed before the workflow {scope.graph.name} ended"
    return {**make_error("Timeout", message, retryable=False), "node": scope.path or None, "task": None, "attempt": None}


def _is_timed(scope: GraphRun) -> bool:
    is_running = scope.started is not None and not scope.expired and not scope.aborting
    return scope.graph.timeout is not None and is_running and scope.failure_node is None
