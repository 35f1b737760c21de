"""Deadlines of nodes and time-outs of workflows: timers beside the work, which stop it when they fire.

The time-out of one attempt is the backend's to keep, and that of waiting for a worker Temporal's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp_worker.engine.messages import CancelTimer, StartTimer, TimerFired
from flytemp_worker.engine.phases import FINAL, NodePhase

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.nodes import Error, GraphRun, Node

P = NodePhase

DEADLINE = (0, 0)
TIMEOUT = (0, -1)
"""What a timer's attempt and try are when it is no back-off: of a node's deadline, of a workflow's time-out."""


# ------------------------------------------------------------------------------------------- nodes


def start_node(engine: Engine, node: Node) -> None:
    """The node may run from now on: its deadline counts, over all attempts."""
    seconds = node.plan.deadline
    if seconds is not None and "deadline" not in node.extra:
        node.extra["deadline"] = engine.at + round(seconds * 1000)
        engine.emit(StartTimer(node.path, *DEADLINE, seconds, "deadline"))


def end_node(engine: Engine, node: Node) -> None:
    if "deadline" in node.extra and not is_expired(node):
        engine.emit(CancelTimer(node.path, *DEADLINE))


def resume_node(engine: Engine, node: Node) -> None:
    if "deadline" in node.extra and not is_expired(node):
        left = max(node.extra["deadline"] - engine.at, 1) / 1000
        engine.emit(StartTimer(node.path, *DEADLINE, left, "deadline, resumed"))


def is_expired(node: Node) -> bool:
    return bool(node.extra.get("expired", False))


def stopped(engine: Engine, node: Node, why: str = "stopped") -> None:
    """What ran in the node has been stopped: because its deadline passed, or because something around it stops."""
    if is_expired(node):
        engine.fail_with(node, _timeout(f"it was not done within its deadline of {node.plan.deadline:g} s"))
        engine.ledger.write(node)  # its activity was only cancelled
    else:
        engine.finish(node, P.ABORTED, why)


def _on_deadline(engine: Engine, node: Node) -> None:
    from flytemp_worker.engine.kinds import HANDLERS

    if node.phase in FINAL or is_expired(node) or "deadline" not in node.extra:
        return
    if node.phase is P.CANCELLING:
        del node.extra["deadline"]
        return
    node.extra["expired"] = True
    if node.phase is P.READY:
        stopped(engine, node)
    else:
        HANDLERS[node.kind].abort(engine, node)


# ------------------------------------------------------------------------------------------ scopes


def start_scope(engine: Engine, scope: GraphRun) -> None:
    """The workflow starts: its time-out counts."""
    if scope.graph.timeout is not None and scope.kind == "graph":
        engine.emit(StartTimer(scope.path, *TIMEOUT, scope.graph.timeout, "time-out of the workflow"))


def end_scope(engine: Engine, scope: GraphRun) -> None:
    """All in it is over, or stops. A handler of its failure may still follow; that has no time-out of the workflow's."""
    if _counts(scope) and scope.handler is None:
        engine.emit(CancelTimer(scope.path, *TIMEOUT))


def resume_scope(engine: Engine, scope: GraphRun) -> None:
    if _counts(scope) and scope.open and scope.handler is None:
        assert scope.graph.timeout is not None
        assert scope.started is not None
        left = max(scope.started + scope.graph.timeout * 1000 - engine.at, 1) / 1000
        engine.emit(StartTimer(scope.path, *TIMEOUT, left, "time-out of the workflow, resumed"))


def _counts(scope: GraphRun) -> bool:
    timed = scope.graph.timeout is not None and scope.kind == "graph" and scope.started is not None
    return timed and not scope.expired and not scope.aborting


def failed_phase(scope: GraphRun) -> NodePhase:
    """What a failed workflow is: TIMED_OUT by its own time-out alone, not by one of something in it."""
    return P.TIMED_OUT if scope.expired else P.FAILED


def _on_timeout(engine: Engine, scope: GraphRun) -> None:
    if scope.aborting or scope.open == 0 or scope.handler is not None:
        return
    scope.expired = True
    error = _timeout(f"workflow {scope.graph.name} was not done within its time-out of {scope.graph.timeout:g} s")
    scope.error = scope.error or {**error, "node": scope.path or None, "task": None, "attempt": None}
    engine.abort(scope, "the workflow's time-out passed")


def on_timer(engine: Engine, event: TimerFired) -> None:
    """A timer fired. One that was being cancelled just then may still."""
    from flytemp_worker.engine.kinds import HANDLERS

    if (event.attempt, event.try_) == TIMEOUT:
        scope = engine.root if event.node == "" else engine.known(event.node, "TimerFired").child
        if scope is not None:
            _on_timeout(engine, scope)
        return
    node = engine.known(event.node, "TimerFired")
    if (event.attempt, event.try_) == DEADLINE:
        _on_deadline(engine, node)
    elif (node.attempt, node.try_) == (event.attempt, event.try_):
        HANDLERS[node.kind].timer(engine, node)


def _timeout(message: str) -> Error:
    return {"kind": "USER", "code": "Timeout", "message": message, "retryable": False}
