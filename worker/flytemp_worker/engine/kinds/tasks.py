"""Tasks: attempts and tries, and what follows when one did not succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp.errors import FlytempError
from flytemp.literals.sizes import INLINE_BYTES
from flytemp_worker.engine import deadlines, retry
from flytemp_worker.engine.kinds.base import NodeHandler, P
from flytemp_worker.engine.messages import (
    CancelTask,
    CancelTimer,
    RunTask,
    StartTimer,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
)
from flytemp_worker.engine.phases import IllegalMove
from flytemp_worker.engine.values import close

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.nodes import Node

TASKS = ("task", "dynamic")
"""The kinds whose nodes a backend runs."""

GROUP_MIN_BYTES = 256


class TaskHandler(NodeHandler):
    """Runs in a backend, within the limits of what may run at once."""

    def start(self, engine: Engine, node: Node) -> None:
        engine.ready.append(node)

    def run(self, engine: Engine, node: Node) -> None:
        if node.try_ == 0:
            node.attempt, node.try_, node.started_attempt = node.attempt + 1, 1, engine.at
            node.started = node.started or engine.at
        try:
            command = run_command(node)
        except FlytempError as error:
            engine.fail_user(node, error)
            return
        engine.move(node, P.RUNNING, f"attempt {node.attempt}, try {node.try_}")
        engine.running += 1
        engine.emit(command)

    def abort(self, engine: Engine, node: Node) -> None:
        if node.phase is P.RUNNING:
            engine.move(node, P.CANCELLING, "the workflow is stopping")
            engine.emit(CancelTask(node.path, node.attempt, node.try_))
        elif node.phase is P.BACKOFF:
            engine.emit(CancelTimer(node.path, node.attempt, node.try_))
            node.message = node.until = None
            deadlines.stopped(engine, node, "stopped between two attempts")
        elif node.phase is P.READY and node.attempt:
            deadlines.stopped(engine, node, "stopped between two attempts")

    def resume(self, engine: Engine, node: Node) -> None:
        if node.phase in (P.RUNNING, P.CANCELLING):
            engine.emit(run_command(node, resumed=True))
            if node.phase is P.CANCELLING:
                engine.emit(CancelTask(node.path, node.attempt, node.try_))
        elif node.phase is P.BACKOFF:
            engine.emit(StartTimer(node.path, node.attempt, node.try_, node.seconds_left(engine.at), "resumed"))
        elif node.phase is P.READY:
            engine.ready.append(node)

    def timer(self, engine: Engine, node: Node) -> None:
        if node.phase is not P.BACKOFF:
            return  # it fired while it was being cancelled
        node.message = node.until = None
        if node.try_ == 1:
            node.started_attempt = engine.at
        engine.move(node, P.READY, "back-off is over")
        engine.ready.append(node)

    def succeeded(self, engine: Engine, node: Node, event: TaskSucceeded) -> None:
        engine.finish(node, P.SUCCEEDED, "its result is committed")


def run_command(node: Node, resumed: bool = False) -> RunTask:
    """The command that runs the node's current try.

    Raises:
        InputError: its inputs lead nowhere.
    """
    plan, graph = node.plan, node.scope.graph
    items = None
    if node.scope.map is not None and node.index is not None and node.scope.map.group > 1:
        from flytemp_worker.engine.kinds.maps import items_of

        calls = items_of(node)
        share = max(GROUP_MIN_BYTES, INLINE_BYTES // len(calls))
        items = tuple(close(bindings, node.scope, share) for bindings in calls)
    return RunTask(
        node.path, graph.name, plan.local, plan.name, plan.target, node.attempt, node.try_,
        close(node.bindings, node.scope) if items is None else {},
        resumed, graph.source, items, plan.queued,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------ events


def _in_flight(engine: Engine, event: TaskSucceeded | TaskFailed | TaskLost | TaskCancelled) -> Node:
    node = engine.known(event.node, type(event).__name__)
    current = (node.attempt, node.try_) == (event.attempt, event.try_)
    generated = node.child is not None or "asks" in node.extra
    if not current or node.phase not in (P.RUNNING, P.CANCELLING) or node.kind not in TASKS or generated:
        what = f"{type(event).__name__} of attempt {event.attempt}, try {event.try_}"
        state = f"it is {node.phase} in attempt {node.attempt}, try {node.try_}"
        raise IllegalMove(node.path, f"{what} while {state}", engine.ledger.story(node.path))
    engine.running -= 1
    return node


def on_succeeded(engine: Engine, event: TaskSucceeded) -> None:
    from flytemp_worker.engine.kinds import HANDLERS

    node = _in_flight(engine, event)
    node.outputs, node.size = event.outputs, event.size
    node.error = None
    HANDLERS[node.kind].succeeded(engine, node, event)


def on_failed(engine: Engine, event: TaskFailed) -> None:
    node = _in_flight(engine, event)
    node.fail_with(event.error)
    stopping, retryable = node.phase is P.CANCELLING, event.error.get("retryable", True)
    if event.error["kind"] == "SYSTEM" and (retryable or stopping):
        _next_try(engine, node)
    elif stopping or not retryable or node.attempt - node.extra.get("base", 0) > node.plan.retries:
        engine.fail(node, node.failed_phase)
    else:
        _next_attempt(engine, node)


def on_lost(engine: Engine, event: TaskLost) -> None:
    node = _in_flight(engine, event)
    node.fail_with({"kind": "SYSTEM", "code": "Lost", "message": event.reason, "retryable": True})
    _next_try(engine, node)


def on_cancelled(engine: Engine, event: TaskCancelled) -> None:
    node = _in_flight(engine, event)
    if node.phase is P.RUNNING:
        # Nobody here asked for it: someone stopped the activity itself, so the platform's budget pays.
        message = "the task was stopped from outside flytemp"
        node.fail_with({"kind": "SYSTEM", "code": "Stopped", "message": message, "retryable": True})
        _next_try(engine, node)
    else:
        deadlines.stopped(engine, node)


def _next_try(engine: Engine, node: Node) -> None:
    node.lost += 1
    if node.phase is P.CANCELLING:
        deadlines.stopped(engine, node, "lost while it was being stopped")
    elif node.lost >= engine.max_system_tries:
        assert node.error is not None
        last = node.error["message"]
        node.error["message"] = f"gave up after {node.lost} tries that the platform lost; the last: {last}"
        engine.fail(node, P.FAILED)
    else:
        node.try_ += 1
        _back_off(engine, node, retry.system_backoff(node.lost, engine.seed + node.path), f"try {node.try_}")


def _next_attempt(engine: Engine, node: Node) -> None:
    node.history.append(node.attempt_row(engine.at))
    failures = node.attempt - node.extra.get("base", 0)
    node.attempt, node.try_, node.lost = node.attempt + 1, 1, 0
    seconds = retry.user_backoff(node.plan.backoff, failures, engine.seed + node.path)
    _back_off(engine, node, seconds, f"attempt {node.attempt}")


def _back_off(engine: Engine, node: Node, seconds: float, why: str) -> None:
    engine.move(node, P.BACKOFF, f"{why} after {seconds:.3f} s")
    node.message = f"{why} follows a failure"
    node.until = engine.at + round(seconds * 1000)
    engine.emit(StartTimer(node.path, node.attempt, node.try_, seconds, why))
