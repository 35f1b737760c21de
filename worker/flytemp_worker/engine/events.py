"""Handlers of the events: those of nodes are passed to the handler of the node's kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flytemp_worker.engine import deadlines
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import (
    BroadcastToChunks,
    CancelRequested,
    ChildClosed,
    IOCompleted,
    PauseRequested,
    ResumeRequested,
    SlotsReleased,
    TaskCancelled,
    TaskEvent,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
    TimerFired,
)
from flytemp_worker.engine.nodes import GraphRun, Node
from flytemp_worker.engine.phases import FINAL, IllegalMove, NodePhase

P = NodePhase


def _node_of(engine: Engine, event: TaskEvent | TimerFired | IOCompleted) -> Node:
    node = engine.by_path.get(event.node)
    if node is None:
        raise IllegalMove(event.node, f"{type(event).__name__} for a node that was never opened")
    return node


def _on_task(engine: Engine, event: TaskEvent) -> None:
    node = _node_of(engine, event)
    node.handler.on_task(engine, node, event)


def expects(engine: Engine, event: ChildClosed | SlotsReleased) -> bool:
    """Return True if a node has the child that the event is about, and the child may send the event now.

    Other events are ignored: the end of a child is reported twice, and any Temporal client can send the signal.
    """
    node = engine.by_path.get(event.node)
    return node is not None and node.handler.expects(engine, node, event)


def _on_child_closed(engine: Engine, event: ChildClosed) -> None:
    if expects(engine, event):
        node = engine.by_path[event.node]
        node.handler.on_child_closed(engine, node, event)


def _on_slots_released(engine: Engine, event: SlotsReleased) -> None:
    if expects(engine, event):
        node = engine.by_path[event.node]
        node.handler.on_slots_released(engine, node, event)


def _on_io(engine: Engine, event: IOCompleted) -> None:
    """Pass an answer to the node that requested it; if the node is being stopped, it ends instead."""
    node = _node_of(engine, event)
    if node.state.asks != event.operation or node.phase in FINAL:
        raise engine.illegal(node, f"an answer to {event.operation}, but it requested {node.state.asks}")
    node.state.asks = None
    if node.phase is P.CANCELLING:
        engine.on_stopped(node)
    elif event.error is not None:
        engine.fail_with(node, event.error)
    else:
        node.handler.on_io(engine, node, event)


def _on_timer(engine: Engine, event: TimerFired) -> None:
    """Handle a timer, which may fire although it was being cancelled."""
    key = (event.attempt, event.try_)
    if key == deadlines.TIMEOUT:
        scope = engine.root if event.node == "" else _node_of(engine, event).child
        if scope is not None:
            _on_timeout(engine, scope)
        return
    node = _node_of(engine, event)
    if key == deadlines.DEADLINE:
        _on_deadline(engine, node)
    elif key == (node.attempt, node.state.try_):
        node.handler.on_timer(engine, node)


def _on_timeout(engine: Engine, scope: GraphRun) -> None:
    if scope.aborting or scope.open == 0 or scope.failure_node is not None:
        return
    scope.expired = True
    scope.error = scope.error or deadlines.scope_error(scope)
    engine.abort(scope, "the workflow's time-out passed")


def _on_deadline(engine: Engine, node: Node) -> None:
    if node.phase in FINAL or node.expired or node.deadline is None:
        return
    if node.phase is P.CANCELLING:
        node.deadline = None
        return
    node.expired = True
    if node.phase is P.READY:
        engine.on_stopped(node)
    else:
        node.handler.abort(engine, node)


def _on_cancel(engine: Engine, event: CancelRequested) -> None:
    if engine.cancelled is None and not engine.finished:
        engine.cancelled = event.reason
        engine.abort(engine.root, "the execution was cancelled")


def _on_pause(engine: Engine, event: PauseRequested) -> None:
    if engine.paused is None and not engine.finished:
        engine.paused = {"by": event.by, "reason": event.reason, "at": engine.at}
        engine.emit(BroadcastToChunks({"pause": {"by": event.by, "reason": event.reason}}))


def _on_resume(engine: Engine, event: ResumeRequested) -> None:
    # A chunk may be paused by a signal that this engine did not send.
    if (engine.paused is not None or engine.capacity.allocated) and not engine.finished:
        engine.paused = None
        engine.emit(BroadcastToChunks({"resume": {"by": event.by}}))


LISTENERS: dict[type, Callable[[Engine, Any], None]] = {
    **dict.fromkeys((TaskSucceeded, TaskFailed, TaskLost, TaskCancelled), _on_task),
    TimerFired: _on_timer,
    IOCompleted: _on_io,
    ChildClosed: _on_child_closed,
    SlotsReleased: _on_slots_released,
    CancelRequested: _on_cancel,
    PauseRequested: _on_pause,
    ResumeRequested: _on_resume,
}
