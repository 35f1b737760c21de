"""The state machine itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from flytemp.errors import FlytempError
from flytemp_worker.engine import retry
from flytemp_worker.engine.ledger import Ledger
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
from flytemp_worker.engine.nodes import Error, Node, Scope
from flytemp_worker.engine.phases import FINAL, IllegalMove, NodePhase
from flytemp_worker.engine.plan import Plan
from flytemp_worker.engine.values import close

P = NodePhase


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
        self.seed = ""  # of the jitter; the shell sets its execution's, so that equal executions do not retry in step
        self.cancelled: str | None = None
        self.finished = False
        self.holding = False  # no new tries are issued: the shell is about to continue as new
        self.ledger = Ledger()
        self.counts = self.ledger.counts
        self.active = self.ledger.active
        self._closing: deque[Scope] = deque()  # scopes whose last node ended
        self._opening: deque[Scope] = deque()  # scopes that were called
        self._ready: deque[Node] = deque()  # task nodes; those that were skipped while they queued stay in it
        self._by_path: dict[str, Node] = {}
        self._move = self.ledger.move
        self._commands: list[Command] = []
        self._at = 0

    # ---------------------------------------------------------------------------------- interface

    def begin(self, at: int) -> list[Command]:
        """Start the root workflow. ``at``, here and below, is the time in milliseconds since the epoch."""
        self._at = at
        self._call(self.root)
        return self._flush()

    def step(self, event: Event, at: int) -> list[Command]:
        """Take one event in, give the commands that follow from it.

        Raises:
            IllegalMove: the event does not fit the state; a bug, never the user's doing.
        """
        self._at = at
        _HANDLERS[type(event)](self, event)
        return self._flush()

    def hold(self) -> None:
        """Issue no more tries: what is in flight drains, and the state is about to be restored elsewhere."""
        self.holding = True

    def resume(self, at: int) -> list[Command]:
        """After a restore: issue again what was in flight, under the same attempt and try."""
        self._at = at
        self.holding = False
        for node in self.nodes():
            if node.plan.kind == "task" and node.phase in (P.RUNNING, P.CANCELLING):
                self._commands.append(self._run_command(node, resumed=True))
                if node.phase is P.CANCELLING:
                    self._commands.append(CancelTask(node.path, node.attempt, node.try_))
            elif node.phase is P.BACKOFF:
                self._commands.append(StartTimer(node.path, node.attempt, node.try_, node.seconds_left(at), "resumed"))
            elif node.phase is P.READY:
                self._ready.append(node)
        return self._flush()

    def nodes(self) -> Iterator[Node]:
        """All nodes of all open scopes, callers before what they call."""
        return self.root.walk()

    @property
    def aborting(self) -> bool:
        """Something is being stopped: all of it, or a sub-workflow that fails at once within one that goes on."""
        return self.root.aborting or self.counts[P.CANCELLING] > 0

    # ------------------------------------------------------------------------------------- moving

    def _flush(self) -> list[Command]:
        """Carry on as far as possible without another event.

        Scopes open and close from here, not where their cause is: a chain of sub-workflows may be of any length.
        """
        while True:
            if self._closing:
                self._close(self._closing.popleft())
            elif self._opening:
                self._open(self._opening.popleft())
            elif self._ready and self.running < self.limit and not self.holding:
                node = self._ready.popleft()
                if node.phase is P.READY:
                    self._run(node)
            else:
                break
        commands, self._commands = self._commands, []
        return commands

    def _call(self, scope: Scope) -> None:
        self._know(scope)
        self._opening.append(scope)

    def _open(self, scope: Scope) -> None:
        if not scope.nodes:
            self._closing.append(scope)
        for node in scope.nodes:
            if node.waiting == 0 and node.phase is P.WAITING:  # else it was stopped before it opened
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
            node.fail_with(_user_error(error))
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

    def _known(self, event: TaskSucceeded | TaskFailed | TaskLost | TaskCancelled | TimerFired) -> Node:
        node = self._by_path.get(event.node)
        if node is None:
            raise IllegalMove(event.node, f"{type(event).__name__} for a node that was never opened", ())
        return node

    def _in_flight(self, event: TaskSucceeded | TaskFailed | TaskLost | TaskCancelled) -> Node:
        node = self._known(event)
        current = (node.attempt, node.try_) == (event.attempt, event.try_)
        if not current or node.phase not in (P.RUNNING, P.CANCELLING) or node.plan.kind != "task":
            what = f"{type(event).__name__} of attempt {event.attempt}, try {event.try_}"
            state = f"it is {node.phase} in attempt {node.attempt}, try {node.try_}"
            raise IllegalMove(node.path, f"{what} while {state}", self.ledger.story(node.path))
        self.running -= 1
        return node

    def _on_succeeded(self, event: TaskSucceeded) -> None:
        node = self._in_flight(event)
        node.outputs, node.size = event.outputs, event.size
        node.error = None
        self._finish(node, P.SUCCEEDED, "its result is committed")

    def _on_failed(self, event: TaskFailed) -> None:
        node = self._in_flight(event)
        node.fail_with(event.error)
        stopping, retryable = node.phase is P.CANCELLING, event.error.get("retryable", True)
        if event.error["kind"] == "SYSTEM" and (retryable or stopping):
            self._next_try(node)
        elif stopping or not retryable or node.attempt > node.plan.retries:
            self._fail(node, node.failed_phase)
        else:
            self._next_attempt(node)

    def _on_lost(self, event: TaskLost) -> None:
        node = self._in_flight(event)
        node.fail_with({"kind": "SYSTEM", "code": "Lost", "message": event.reason, "retryable": True})
        self._next_try(node)

    def _on_cancelled(self, event: TaskCancelled) -> None:
        node = self._in_flight(event)
        if node.phase is P.RUNNING:
            # Nobody here asked for it: someone stopped the activity itself, so the platform's budget pays.
            message = "the task was stopped from outside flytemp"
            node.fail_with({"kind": "SYSTEM", "code": "Stopped", "message": message, "retryable": True})
            self._next_try(node)
        else:
            self._finish(node, P.ABORTED, "stopped")

    def _next_try(self, node: Node) -> None:
        node.lost += 1
        if node.phase is P.CANCELLING:
            self._finish(node, P.ABORTED, "lost while it was being stopped")
        elif node.lost >= self.max_system_tries:
            assert node.error is not None
            last = node.error["message"]
            node.error["message"] = f"gave up after {node.lost} tries that the platform lost; the last: {last}"
            self._fail(node, P.FAILED)
        else:
            node.try_ += 1
            self._back_off(node, retry.system_backoff(node.lost, self.seed + node.path), f"try {node.try_}")

    def _next_attempt(self, node: Node) -> None:
        node.history.append(node.attempt_row(self._at))
        failures = node.attempt
        node.attempt, node.try_, node.lost = node.attempt + 1, 1, 0
        self._back_off(node, retry.user_backoff(node.plan.backoff, failures, self.seed + node.path), f"attempt {node.attempt}")

    def _back_off(self, node: Node, seconds: float, why: str) -> None:
        self._move(node, P.BACKOFF, f"{why} after {seconds:.3f} s")
        node.message = f"{why} follows a failure"
        node.until = self._at + round(seconds * 1000)
        self._commands.append(StartTimer(node.path, node.attempt, node.try_, seconds, why))

    def _on_timer(self, event: TimerFired) -> None:
        node = self._known(event)
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
            node.message = node.until = None
            self._finish(node, P.ABORTED, "stopped between two attempts")
        elif node.phase is P.READY and node.attempt:
            self._finish(node, P.ABORTED, "stopped between two attempts")

    # ------------------------------------------------------------------------------ sub-workflows

    def _start_workflow(self, node: Node) -> None:
        node.attempt = node.try_ = 1
        node.started = node.started_attempt = self._at
        self._move(node, P.RUNNING, "its sub-workflow starts")
        node.child = Scope(self.plan.graphs[node.plan.target], node)
        self._call(node.child)

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
            self._closing.append(scope)

    def _fail(self, node: Node, phase: NodePhase) -> None:
        """A node failed for good: its scope, and every scope around it that fails at once, stops."""
        assert node.error is not None
        self._finish(node, phase, f"{node.error['code']}: {node.error['message']}"[:300])
        self._skip_fed(node)
        scope: Scope | None = node.scope
        while scope is not None:
            scope.error = scope.error or node.error
            if not scope.graph.fail_immediately:
                break
            self._abort(scope, f"node {node.path} failed")
            scope = scope.parent.scope if scope.parent is not None else None

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
        for node in scope.nodes:
            if node.phase is P.WAITING or (node.phase is P.READY and node.attempt == 0):
                node.message = reason
                self._finish(node, P.SKIPPED, reason)
            elif node.phase not in FINAL:
                _ABORT[node.plan.kind](self, node)

    def _on_cancel(self, event: CancelRequested) -> None:
        if self.cancelled is None and not self.finished:
            self.cancelled = event.reason
            self._abort(self.root, "the execution was cancelled")

    def _close(self, scope: Scope) -> None:
        node = scope.parent
        if node is None:
            self._finish_execution()
        elif scope.error is not None:
            node.error = scope.error
            # The first failure already stopped the scopes around this one, where they fail at once.
            self._fail(node, P.FAILED)
        elif scope.aborting:
            self._finish(node, P.ABORTED, "stopped")
        else:
            self._finish(node, P.SUCCEEDED, "its nodes succeeded")

    def _finish_execution(self) -> None:
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
            return Finish("FAILED", error=_user_error(error))


def _user_error(error: FlytempError) -> Error:
    return {"kind": "USER", "code": error.code, "message": error.message, "retryable": False}


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
