"""Tasks: their attempts and tries, and what follows when one does not succeed."""

from __future__ import annotations

from dataclasses import dataclass

from flytemp.errors import FlytempError
from flytemp.literals.sizes import INLINE_BYTES
from flytemp_worker.engine.errors import Error, make_error
from flytemp_worker.engine.handlers import NodeHandler, P
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import (
    CancelTask,
    CancelTimer,
    RunTask,
    StartTimer,
    TaskEvent,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
)
from flytemp_worker.engine.nodes import Attempt, Node
from flytemp_worker.engine.values import close
from flytemp_worker.node_kinds import retry_backoff

MIN_CALL_BYTES = 256
"""Bytes of inputs that each call may have inline, if one try makes many calls."""


@dataclass(slots=True)
class TaskAttempt(Attempt):
    lookup: str = ""  # status of the result look-up before the last try

    @property
    def is_stored(self) -> bool:
        return True


class TaskHandler(NodeHandler):
    """Runs a task in a backend, if there is a slot for it."""

    attempt = TaskAttempt

    def start(self, engine: Engine, node: Node) -> None:
        engine.capacity.tasks.append(node)

    def run(self, engine: Engine, node: Node) -> None:
        state = _state(node)
        if state.try_ == 0:
            engine.begin_attempt(node)
        state.epoch = engine.epoch
        try:
            command = _command(node)
        except FlytempError as error:
            engine.fail_user(node, error)
            return
        engine.move(node, P.RUNNING, f"attempt {node.attempt}, try {state.try_}")
        engine.capacity.running += 1
        engine.emit(command)

    def is_in_flight(self, node: Node) -> bool:
        """Return True if a backend has a try of the node."""
        return node.phase is P.RUNNING or node.phase is P.CANCELLING

    def abort(self, engine: Engine, node: Node) -> None:
        if node.phase is P.BACKOFF or node.phase is P.READY:
            if node.phase is P.BACKOFF:
                engine.emit(CancelTimer(node.path, node.attempt, node.state.try_))
            node.state.message = node.state.until = None
            engine.on_stopped(node, "stopped between two attempts")
        elif not self.is_in_flight(node):
            super().abort(engine, node)
        elif node.phase is P.RUNNING:
            engine.move(node, P.CANCELLING, "the workflow is stopping")
            engine.emit(CancelTask(node.path, node.attempt, node.state.try_))

    def resume(self, engine: Engine, node: Node) -> None:
        if node.phase is P.READY:
            engine.capacity.tasks.append(node)
        elif node.phase is P.BACKOFF:
            seconds = node.seconds_left(engine.at)
            engine.emit(StartTimer(node.path, node.attempt, node.state.try_, seconds, "resumed"))
        elif not self.is_in_flight(node):
            super().resume(engine, node)
        else:
            engine.capacity.running += 1
            engine.emit(_command(node, resumed=True))
            if node.phase is P.CANCELLING:
                engine.emit(CancelTask(node.path, node.attempt, node.state.try_))

    def on_timer(self, engine: Engine, node: Node) -> None:
        if node.phase is not P.BACKOFF:
            return  # it fired while it was being cancelled
        node.state.message = node.state.until = None
        if node.state.try_ == 1:
            node.state.started_attempt = engine.at
        engine.move(node, P.READY, "the back-off has ended")
        engine.capacity.tasks.append(node)

    # --------------------------------------------------------------------------------------- events

    def on_task(self, engine: Engine, node: Node, event: TaskEvent) -> None:
        state = _state(node)
        if (node.attempt, state.try_) != (event.attempt, event.try_) or not self.is_in_flight(node):
            problem = f"{type(event).__name__} of attempt {event.attempt}, try {event.try_}"
            raise engine.illegal(node, f"{problem} while it is {node.phase} in attempt {node.attempt}, try {state.try_}")
        engine.capacity.running -= 1
        if isinstance(event, TaskSucceeded):
            state.outputs, state.size, state.lookup, state.error = event.outputs, event.size, event.lookup, None
            self.on_success(engine, node, event)
        elif isinstance(event, TaskFailed):
            self._on_failed(engine, node, event.error)
        elif isinstance(event, TaskLost):
            self._on_lost(engine, node, make_error("Lost", event.reason))
        elif node.phase is P.RUNNING:  # not by the engine: the activity itself was cancelled
            self._on_lost(engine, node, make_error("Stopped", "the task was stopped from outside flytemp"))
        else:
            engine.on_stopped(node)

    def on_success(self, engine: Engine, node: Node, event: TaskSucceeded) -> None:
        engine.finish(node, P.SUCCEEDED, "its result is committed")

    def _on_failed(self, engine: Engine, node: Node, error: Error) -> None:
        stopping, retryable = node.phase is P.CANCELLING, error.get("retryable", True)
        if error["kind"] == "SYSTEM" and (retryable or stopping):
            self._on_lost(engine, node, error)
        elif stopping or not retryable or node.attempt - node.attempts_before > node.plan.retries:
            engine.fail_with(node, error)
        else:
            node.fail_with(error)
            failures = node.attempt - node.attempts_before
            node.next_attempt(engine.at)
            seconds = retry_backoff.user_backoff(node.plan.backoff, failures, engine.seed + node.path)
            self._back_off(engine, node, seconds, f"attempt {node.attempt}")

    def _on_lost(self, engine: Engine, node: Node, error: Error) -> None:
        """Use another try, if any is left."""
        state = node.state
        state.lost += 1
        node.fail_with(error)
        if node.phase is P.CANCELLING:
            engine.on_stopped(node, "lost while it was being stopped")
        elif state.lost >= engine.limits.max_system_tries:
            message = f"gave up after {state.lost} tries that the platform lost; the last: {error['message']}"
            node.fail_with({**error, "message": message})
            engine.fail(node, P.FAILED)
        else:
            state.try_ += 1
            seconds = retry_backoff.system_backoff(state.lost, engine.seed + node.path)
            self._back_off(engine, node, seconds, f"try {state.try_}")

    def _back_off(self, engine: Engine, node: Node, seconds: float, why: str) -> None:
        engine.move(node, P.BACKOFF, f"{why} after {seconds:.3f} s")
        node.state.message = f"{why} follows a failure"
        node.state.until = engine.at + round(seconds * 1000)
        engine.emit(StartTimer(node.path, node.attempt, node.state.try_, seconds, why))


def start_queued(engine: Engine) -> bool:
    """Run the next task that waits for a slot."""
    capacity = engine.capacity
    if not capacity.tasks or not capacity.has_slot:
        return False
    node = capacity.tasks.popleft()
    if node.phase is P.READY:
        node.handler.run(engine, node)
    return True


def _state(node: Node) -> TaskAttempt:
    assert isinstance(node.state, TaskAttempt)
    return node.state


def _command(node: Node, *, resumed: bool = False) -> RunTask:
    """Return the command that runs the node's current try.

    Raises:
        InputError: an input does not exist.
    """
    plan, graph, state = node.plan, node.scope.graph, _state(node)
    calls = node.scope.calls_of(node)
    if calls is None:
        inputs, items = close(node.bindings, node.scope), None
    else:
        share = max(MIN_CALL_BYTES, INLINE_BYTES // len(calls))
        inputs, items = {}, tuple(close(bindings, node.scope, share) for bindings in calls)
    return RunTask(
        node.path, graph.name, plan.local, plan.name, plan.target, node.attempt, state.try_, inputs, resumed, graph.source,
        items, plan.queued, plan.pool, state.epoch,
    )  # fmt: skip
