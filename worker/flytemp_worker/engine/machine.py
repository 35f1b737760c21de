"""The state machine itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from flytemp.errors import FlytempError
from flytemp_worker.engine import retry
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
from flytemp_worker.engine.phases import ACTIVE, FINAL, TRANSITIONS, IllegalMove, NodePhase
from flytemp_worker.engine.plan import GraphPlan, NodePlan, Plan
from flytemp_worker.engine.values import close

Error = dict[str, Any]
P = NodePhase

STORY_LENGTH = 4_000
"""How many moves, of all nodes together, are remembered to explain an illegal one."""


class Node:
    """The state of one node. Times are milliseconds since the epoch, as the shell gave them."""

    __slots__ = (
        "attempt", "child", "error", "finished", "history", "lost", "message", "outputs", "path", "phase", "plan",
        "scope", "size", "started", "started_attempt", "try_", "until", "waiting",
    )  # fmt: skip

    def __init__(self, plan: NodePlan, scope: Scope) -> None:
        self.plan = plan
        self.scope = scope
        self.path = plan.id if scope.path == "" else f"{scope.path}.{plan.id}"
        self.phase = P.WAITING
        self.waiting = plan.needs
        self.attempt = 0
        self.try_ = 0
        self.lost = 0  # tries of this attempt that the platform lost
        self.outputs: dict[str, Any] | None = None
        self.size = 0
        self.child: Scope | None = None
        self.error: Error | None = None
        self.message: str | None = None
        self.started: int | None = None
        self.started_attempt: int | None = None
        self.finished: int | None = None
        self.until: int | None = None  # when the back-off ends
        self.history: list[dict[str, Any]] = []  # attempts that ended and were followed by another


class Scope:
    """A graph being run: the root workflow, or a sub-workflow in its caller's node."""

    __slots__ = ("aborting", "error", "graph", "inputs", "nodes", "open", "parent", "path")

    def __init__(self, graph: GraphPlan, parent: Node | None, inputs: dict[str, Any] | None) -> None:
        self.graph = graph
        self.parent = parent
        self.path: str = "" if parent is None else parent.path
        self.inputs = inputs  # of the root only; None: too large to be inline
        self.nodes = [Node(node, self) for node in graph.nodes]
        self.open = len(self.nodes)
        self.error: Error | None = None
        self.aborting = False


class Engine:
    """Runs a plan: give it events, carry out its commands.

    Args:
        plan: what to run.
        inputs: the launch's literals, or None when they are too large to be inline.
        max_parallelism: task nodes that may be in the backend's hands at once; 0 is without a limit of the user's.
        max_in_flight: the platform's own bound on that number (Temporal allows 2,000 pending operations).
        max_system_tries: tries per attempt, beyond which a lost task fails.
    """

    def __init__(
        self,
        plan: Plan,
        inputs: dict[str, Any] | None,
        *,
        max_parallelism: int = 25,
        max_in_flight: int = 1_000,
        max_system_tries: int = 10,
    ) -> None:
        self.plan = plan
        self.limit = min(max_parallelism or max_in_flight, max_in_flight)
        self.max_system_tries = max_system_tries
        self.root = Scope(plan.root, None, inputs)
        self.running = 0  # task nodes in the backend's hands: RUNNING or CANCELLING
        self.cancelled: str | None = None
        self.finished = False
        self.holding = False  # no new tries are issued: the shell is about to continue as new
        self.counts: dict[NodePhase, int] = dict.fromkeys(NodePhase, 0)
        self.active: dict[str, Node] = {}  # RUNNING, BACKOFF or CANCELLING, for those who watch
        self._ready: deque[Node] = deque()
        self._by_path: dict[str, Node] = {}
        self._story: deque[tuple[str, str]] = deque(maxlen=STORY_LENGTH)
        self._commands: list[Command] = []
        self._at = 0

    # ---------------------------------------------------------------------------------- interface

    def begin(self, at: int) -> list[Command]:
        """Start the root workflow. ``at``, here and below, is the time in milliseconds since the epoch."""
        self._at = at
        self._open(self.root)
        return self._flush()

    def step(self, event: Event, at: int) -> list[Command]:
        """Take one event in, give the commands that follow from it.

        Raises:
            IllegalMove: the event does not fit the state; a bug, never the user's doing.
        """
        self._at = at
        if self.finished:
            raise IllegalMove("-", f"{type(event).__name__} after the execution finished", ())
        _HANDLERS[type(event)](self, event)
        return self._flush()

    def hold(self) -> None:
        """Issue no more tries until `resume`."""
        self.holding = True

    def resume(self, at: int) -> list[Command]:
        """After a restore: issue again what was in flight, under the same attempt and try."""
        self._at = at
        self.holding = False
        for node in self.nodes():
            if node.plan.kind == "task" and node.phase is P.RUNNING:
                self._commands.append(self._run_command(node, resumed=True))
            elif node.phase is P.BACKOFF:
                self._commands.append(StartTimer(node.path, node.attempt, node.try_, _left(node, at), "resumed"))
            elif node.phase is P.READY:
                self._ready.append(node)
        return self._flush()

    def nodes(self) -> Iterator[Node]:
        """All nodes of all open scopes, callers before what they call."""

        def walk(scope: Scope) -> Iterator[Node]:
            for node in scope.nodes:
                yield node
                if node.child is not None:
                    yield from walk(node.child)

        return walk(self.root)

    @property
    def aborting(self) -> bool:
        return self.root.aborting

    # ------------------------------------------------------------------------------------- moving

    def _move(self, node: Node, phase: NodePhase, why: str) -> None:
        if phase not in TRANSITIONS[node.phase]:
            raise IllegalMove(node.path, f"cannot go from {node.phase} to {phase} ({why})", self.story(node.path))
        self._story.append((node.path, f"{node.phase} → {phase}: {why}"))
        self._count(node, phase)

    def _count(self, node: Node, phase: NodePhase) -> None:
        self.counts[node.phase] -= 1
        self.counts[phase] += 1
        if phase in ACTIVE:
            self.active[node.path] = node
        elif node.phase in ACTIVE:
            self.active.pop(node.path, None)
        node.phase = phase

    def story(self, path: str) -> list[str]:
        """The remembered moves of one node, oldest first."""
        return [text for node, text in self._story if node == path]

    def _flush(self) -> list[Command]:
        ready = self._ready
        while ready and self.running < self.limit and not self.holding:
            node = ready.popleft()
            if node.phase is P.READY:  # else it was skipped while it queued
                self._run(node)
        commands, self._commands = self._commands, []
        return commands

    def _open(self, scope: Scope) -> None:
        self._know(scope)
        if not scope.nodes:
            self._close(scope)
            return
        for node in scope.nodes:
            if node.waiting == 0 and node.phase is P.WAITING:
                self._make_ready(node)

    def _know(self, scope: Scope) -> None:
        for node in scope.nodes:
            self._by_path[node.path] = node
        self.counts[P.WAITING] += len(scope.nodes)

    def _make_ready(self, node: Node) -> None:
        self._move(node, P.READY, "all it depends on succeeded")
        _START[node.plan.kind](self, node)

    # -------------------------------------------------------------------------------------- tasks

    def _start_task(self, node: Node) -> None:
        self._ready.append(node)

    def _run(self, node: Node) -> None:
        if node.attempt == 0:
            node.attempt, node.try_, node.started, node.started_attempt = 1, 1, self._at, self._at
        try:
            command = self._run_command(node)
        except FlytempError as error:
            node.error = _error(node, {"kind": "USER", "code": error.code, "message": error.message, "retryable": False})
            self._fail(node, P.FAILED)
            return
        self._move(node, P.RUNNING, f"attempt {node.attempt}, try {node.try_}")
        self.running += 1
        self._commands.append(command)

    def _run_command(self, node: Node, resumed: bool = False) -> RunTask:
        plan = node.plan
        return RunTask(
            node.path, node.scope.graph.name, plan.index, plan.name, plan.target, node.attempt, node.try_,
            close(plan.inputs, node.scope), resumed,
        )  # fmt: skip

    def _in_flight(self, event: TaskSucceeded | TaskFailed | TaskLost | TaskCancelled) -> Node:
        node = self._by_path.get(event.node)
        if node is None:
            raise IllegalMove(event.node, f"{type(event).__name__} for a node that was never opened", ())
        current = node.attempt == event.attempt and node.try_ == event.try_
        if not current or node.phase not in (P.RUNNING, P.CANCELLING) or node.plan.kind != "task":
            text = f"{type(event).__name__} of attempt {event.attempt}, try {event.try_} in {node.phase} of {node.attempt}, {node.try_}"
            raise IllegalMove(event.node, text, self.story(event.node))
        self.running -= 1
        return node

    def _on_succeeded(self, event: TaskSucceeded) -> None:
        node = self._in_flight(event)
        node.outputs, node.size = event.outputs, event.size
        node.error = None
        self._finish(node, P.SUCCEEDED, "its result is committed")

    def _on_failed(self, event: TaskFailed) -> None:
        node = self._in_flight(event)
        node.error = _error(node, event.error)
        if event.error["kind"] == "SYSTEM":
            self._next_try(node)
        elif node.phase is P.CANCELLING or not event.error.get("retryable", True) or node.attempt > node.plan.retries:
            self._fail(node, P.TIMED_OUT if event.error["code"] == "Timeout" else P.FAILED)
        else:
            self._next_attempt(node)

    def _on_lost(self, event: TaskLost) -> None:
        node = self._in_flight(event)
        node.error = _error(node, {"kind": "SYSTEM", "code": "Lost", "message": event.reason, "retryable": True})
        self._next_try(node)

    def _on_cancelled(self, event: TaskCancelled) -> None:
        node = self._in_flight(event)
        if node.phase is P.RUNNING:
            # Nobody here asked for it: someone stopped the activity itself, so the platform's budget pays.
            message = "the task was stopped from outside flytemp"
            node.error = _error(node, {"kind": "SYSTEM", "code": "Stopped", "message": message, "retryable": True})
            self._next_try(node)
        else:
            self._finish(node, P.ABORTED, "stopped")

    def _next_try(self, node: Node) -> None:
        node.lost += 1
        if node.phase is P.CANCELLING:
            self._finish(node, P.ABORTED, "lost while it was being stopped")
        elif node.lost >= self.max_system_tries:
            assert node.error is not None
            node.error["message"] = f"gave up after {node.lost} tries that the platform lost; the last: {node.error['message']}"
            self._fail(node, P.FAILED)
        else:
            node.try_ += 1
            self._back_off(node, retry.system_backoff(node.lost, node.path), f"try {node.try_}")

    def _next_attempt(self, node: Node) -> None:
        node.history.append(_attempt_row(node, self._at))
        failures = node.attempt
        node.attempt, node.try_, node.lost = node.attempt + 1, 1, 0
        self._back_off(node, retry.user_backoff(node.plan.backoff, failures, node.path), f"attempt {node.attempt}")

    def _back_off(self, node: Node, seconds: float, why: str) -> None:
        self._move(node, P.BACKOFF, f"{why} after {seconds:.3f} s")
        node.message = f"{why} follows a failure"
        node.until = self._at + round(seconds * 1000)
        self._commands.append(StartTimer(node.path, node.attempt, node.try_, seconds, why))

    def _on_timer(self, event: TimerFired) -> None:
        node = self._by_path[event.node]
        if node.phase is not P.BACKOFF or (node.attempt, node.try_) != (event.attempt, event.try_):
            return  # it fired while it was being cancelled
        node.message = node.until = None
        if node.try_ == 1:
            node.started_attempt = self._at
        self._move(node, P.READY, "back-off is over")
        self._ready.append(node)

    def _abort_task(self, node: Node) -> None:
        if node.phase is P.RUNNING:
            self._move(node, P.CANCELLING, "the workflow is stopping")
            self._commands.append(CancelTask(node.path, node.attempt, node.try_))
        elif node.phase is P.BACKOFF:
            self._commands.append(CancelTimer(node.path, node.attempt, node.try_))
            self._finish(node, P.ABORTED, "stopped between two attempts")
        elif node.phase is P.READY and node.attempt:
            self._finish(node, P.ABORTED, "stopped between two attempts")

    # ------------------------------------------------------------------------------ sub-workflows

    def _start_workflow(self, node: Node) -> None:
        node.attempt = node.try_ = 1
        node.started = node.started_attempt = self._at
        self._move(node, P.RUNNING, "its sub-workflow starts")
        node.child = Scope(self.plan.graphs[node.plan.target], node, None)
        self._open(node.child)

    def _abort_workflow(self, node: Node) -> None:
        if node.phase is P.RUNNING:
            self._move(node, P.CANCELLING, "the workflow is stopping")
            assert node.child is not None
            self._abort(node.child, "the workflow is stopping")

    # ---------------------------------------------------------------------------- ends and errors

    def _finish(self, node: Node, phase: NodePhase, why: str) -> None:
        self._move(node, phase, why)
        node.finished = self._at
        scope = node.scope
        scope.open -= 1
        if phase is P.SUCCEEDED and not scope.aborting:
            for index in node.plan.feeds:
                fed = scope.nodes[index]
                fed.waiting -= 1
                if fed.waiting == 0 and fed.phase is P.WAITING:
                    self._make_ready(fed)
        if scope.open == 0:
            self._close(scope)

    def _fail(self, node: Node, phase: NodePhase) -> None:
        """A node failed for good: its scope, and every scope around it that fails at once, stops."""
        assert node.error is not None
        node.scope.open += 1  # the scopes below must not close before all of them know
        self._finish(node, phase, f"{node.error['code']}: {node.error['message']}"[:300])
        scope: Scope | None = node.scope
        while scope is not None:
            scope.error = scope.error or node.error
            if not scope.graph.fail_immediately:
                break
            self._abort(scope, f"node {node.path} failed")
            scope = scope.parent.scope if scope.parent is not None else None
        self._skip_fed(node)
        node.scope.open -= 1
        if node.scope.open == 0:
            self._close(node.scope)

    def _skip_fed(self, node: Node) -> None:
        """What depends on a node that did not succeed never runs."""
        pending = [node]
        while pending:
            current = pending.pop()
            for index in current.plan.feeds:
                fed = node.scope.nodes[index]
                if fed.phase is P.WAITING:
                    fed.message = f"{node.path} failed"
                    self._finish(fed, P.SKIPPED, fed.message)
                    pending.append(fed)

    def _abort(self, scope: Scope, reason: str) -> None:
        if scope.aborting:
            return
        scope.aborting = True
        scope.open += 1  # do not close while walking
        for node in scope.nodes:
            if node.phase is P.WAITING or (node.phase is P.READY and node.attempt == 0):
                node.message = reason
                self._finish(node, P.SKIPPED, reason)
            elif node.phase not in FINAL:
                _ABORT[node.plan.kind](self, node)
        scope.open -= 1
        if scope.open == 0 and not self.finished:
            self._close(scope)

    def _on_cancel(self, event: CancelRequested) -> None:
        if self.cancelled is None:
            self.cancelled = event.reason
            self._abort(self.root, "the execution was cancelled")

    def _close(self, scope: Scope) -> None:
        node = scope.parent
        if node is None:
            self._finish_execution()
        elif node.phase in FINAL:
            return
        elif scope.error is not None:
            node.error = scope.error
            # The first failure already stopped the scopes around this one, where they fail at once.
            self._fail(node, P.FAILED)
        elif scope.aborting:
            self._finish(node, P.ABORTED, "stopped")
        else:
            self._finish(node, P.SUCCEEDED, "its nodes succeeded")

    def _finish_execution(self) -> None:
        if self.finished:
            return
        self.finished = True
        if self.cancelled is not None:
            self._commands.append(Finish("ABORTED", reason=self.cancelled, error=self.root.error))
        elif self.root.error is not None:
            self._commands.append(Finish("FAILED", error=self.root.error))
        else:
            self._commands.append(self._outputs())

    def _outputs(self) -> Finish:
        try:
            return Finish("SUCCEEDED", outputs=close(self.plan.root.outputs, self.root))
        except FlytempError as error:
            return Finish("FAILED", error={"kind": "USER", "code": error.code, "message": error.message, "retryable": False})


def _error(node: Node, error: Error) -> Error:
    return {**error, "node": node.path, "task": node.plan.target, "attempt": node.attempt}


def _left(node: Node, at: int) -> float:
    """Seconds until a back-off ends; a timer needs a positive number."""
    return max((node.until or at) - at, 1) / 1000


def _attempt_row(node: Node, at: int) -> dict[str, Any]:
    timed_out = node.error is not None and node.error["code"] == "Timeout"
    phase = P.TIMED_OUT if timed_out else P.FAILED
    return {
        "attempt": node.attempt, "tries": node.try_, "phase": str(phase), "started": node.started_attempt, "finished": at,
        "error": node.error,
    }  # fmt: skip


_HANDLERS: dict[type, Callable[[Engine, Any], None]] = {
    TaskSucceeded: Engine._on_succeeded,
    TaskFailed: Engine._on_failed,
    TaskLost: Engine._on_lost,
    TaskCancelled: Engine._on_cancelled,
    TimerFired: Engine._on_timer,
    CancelRequested: Engine._on_cancel,
}

# A node kind is a row in these two tables: what happens when it may run, and when it must stop.
_START: dict[str, Callable[[Engine, Node], None]] = {"task": Engine._start_task, "workflow": Engine._start_workflow}
_ABORT: dict[str, Callable[[Engine, Node], None]] = {"task": Engine._abort_task, "workflow": Engine._abort_workflow}
