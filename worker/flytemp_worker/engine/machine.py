"""The state machine itself: how nodes become ready, how scopes open and close, how failures and cancellations spread.

What a node does when it may run, and when it must stop, is its kind's business: see `kinds`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flytemp.errors import FlytempError
from flytemp_worker.engine import deadlines, manual_retry
from flytemp_worker.engine.kinds import EVENT_HANDLERS, HANDLERS, MAP, concurrency_budget
from flytemp_worker.engine.messages import (
    BroadcastToChunks,
    CancelRequested,
    Command,
    Event,
    Finish,
    PauseRequested,
    ResumeRequested,
    RetryRequested,
)
from flytemp_worker.engine.nodes import Error, GraphRun, Node, user_error
from flytemp_worker.engine.phases import FINAL, IllegalMove, NodePhase
from flytemp_worker.engine.plan import Plan
from flytemp_worker.engine.transition_log import TransitionLog
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
        max_map_items: a map of more calls than this is run in parts of this size, each a workflow of its own.
        max_dynamic_depth: how many dynamics may be inside each other.
    """

    def __init__(
        self,
        plan: Plan,
        inputs: dict[str, Any] | None,
        *,
        max_parallelism: int = 25,
        max_in_flight: int = 1_000,
        max_system_tries: int = 10,
        max_map_items: int = 1_000,
        max_dynamic_depth: int = 50,
    ) -> None:
        self.plan = plan
        self.limit = min(max_parallelism or max_in_flight, max_in_flight)
        self.window = max_in_flight  # what the platform lets run at once for now, within the limit
        self.max_in_flight = max_in_flight
        self.max_system_tries = max_system_tries
        self.max_map_items = max_map_items
        self.max_dynamic_depth = max_dynamic_depth
        self.root = GraphRun(plan.root, None, inputs)
        self.running = 0  # task nodes in the backend's hands: RUNNING or CANCELLING
        self.lent = 0  # of the limit, to the parts of maps that run
        self.borrowed = 0  # of a part of a map over a task: of its execution's limit
        self.lot = 1  # what it gives back of that at a time, at least
        self.children = 0  # executions of launch plans that run
        self.most_failures = 0  # of a part of a map: calls that may fail without it failing
        self.seed = ""  # of the jitter; the shell sets its execution's, so that equal executions do not retry in step
        self.cancelled: str | None = None
        self.finished = False
        self.holding = False  # no new tries are issued: the shell is about to continue as new
        self.paused: dict[str, Any] | None = None  # likewise, because a person asked for it
        self.answers: dict[str, dict[str, Any]] = {}  # of gates, by path or name
        self.convert: Callable[[dict[str, Any], Any], Any] = _as_it_is  # makes a value one of a gate's type, or raises
        self.base = 0  # of a part of a map: attempts that its calls had when the map ran before
        self.spent: dict[str, int] = {}  # attempts of nodes that were there before and are not now, by path
        self.waiting: dict[str, Node] = {}  # gates that wait for an answer, by path
        self.ledger = TransitionLog()
        self.ledger.journals = plan.structured
        self.counts = self.ledger.counts
        self.active = self.ledger.active
        self.at = 0  # milliseconds since the epoch, as of the event that is being taken in
        self.ready: deque[Node] = deque()  # tasks; those that were skipped while they queued stay in it
        self.ready_children: deque[Node] = deque()  # launch plans
        self.ready_parts: dict[Node, deque[int]] = {}  # parts of maps, by their numbers
        self.by_path: dict[str, Node] = {}
        self.move = self.ledger.move
        self._closing: deque[GraphRun] = deque()  # scopes whose last node ended
        self._opening: deque[GraphRun] = deque()  # scopes that were called
        self._commands: list[Command] = []

    # ---------------------------------------------------------------------------------- interface

    def begin(self, at: int) -> list[Command]:
        """Start the root workflow. ``at``, here and below, is the time in milliseconds since the epoch."""
        self.at = at
        self.call(self.root)
        return self.flush()

    def step(self, event: Event, at: int) -> list[Command]:
        """Take one event in, give the commands that follow from it.

        Raises:
            IllegalMove: the event does not fit the state; a bug, never the user's doing.
        """
        self.at = at
        _HANDLERS[type(event)](self, event)
        return self.flush()

    def hold(self) -> None:
        """Issue no more tries: what is in flight drains, and the state is about to be restored elsewhere."""
        self.holding = True

    def resume(self, at: int) -> list[Command]:
        """After a restore: issue again what was in flight, under the same attempt and try."""
        self.at = at
        self.holding = False
        for scope in self.scopes():
            deadlines.resume_scope(self, scope)
        for node in self.nodes():
            if node.phase not in FINAL and node.phase is not P.WAITING:
                deadlines.resume_node(self, node)
                HANDLERS[node.kind].resume(self, node)
        return self.flush()

    def nodes(self) -> Iterator[Node]:
        """All nodes of all open scopes, callers before what they call."""
        return self.root.walk()

    def scopes(self) -> Iterator[GraphRun]:
        """The root's scope and those of all nodes."""
        yield self.root
        for node in self.nodes():
            if node.child is not None:
                yield node.child

    @property
    def is_windowed(self) -> bool:
        """More could run at once, but for the platform's window."""
        running = self.running + self.lent
        return bool(self.ready) and self.window <= running < self.limit and not self.holding and self.paused is None

    @property
    def aborting(self) -> bool:
        """Something is being stopped: all of it, or a sub-workflow that fails at once within one that goes on."""
        return self.root.aborting or self.counts[P.CANCELLING] > 0

    # ----------------------------------------------------------------------------- what kinds call

    def emit(self, command: Command) -> None:
        self._commands.append(command)

    def call(self, scope: GraphRun) -> None:
        """Open a scope, once all that happens now has happened."""
        self.know(scope.nodes)
        self._opening.append(scope)

    def know(self, nodes: list[Node]) -> None:
        """Nodes come into being."""
        for node in nodes:
            self.by_path[node.path] = node
            before = self.spent.pop(node.path, self.base)
            if before:  # results of those attempts are in the store: never again under the same number
                node.attempt = node.extra["base"] = before
        self.counts[P.WAITING] += len(nodes)

    def drop(self, nodes: Iterable[Node]) -> None:
        """Nodes go away, and may come into being again."""
        for node in nodes:
            self.ledger.drop(node)
            del self.by_path[node.path]
            if node.attempt:
                self.spent[node.path] = node.attempt

    def known(self, path: str, what: str) -> Node:
        """The node of an event.

        Raises:
            IllegalMove: there is none.
        """
        node = self.by_path.get(path)
        if node is None:
            raise IllegalMove(path, f"{what} for a node that was never opened", ())
        return node

    def make_ready(self, node: Node) -> None:
        """All that the node waited for is there."""
        self.move(node, P.READY, "all it depends on succeeded")
        deadlines.start_node(self, node)
        HANDLERS[node.kind].start(self, node)

    def finish(self, node: Node, phase: NodePhase, why: str) -> None:
        """The node is in a final phase; what waited for it may go on."""
        deadlines.end_node(self, node)
        self.move(node, phase, why)
        node.finished = self.at
        scope = node.scope
        scope.open -= 1
        is_last = scope.open == 0  # what follows may end other nodes, of which one is the last then
        if phase is P.SUCCEEDED and not scope.aborting:
            for index in node.plan.feeds:
                fed = scope.nodes[index]
                fed.waiting -= 1
                if fed.waiting == 0 and fed.phase is P.WAITING:
                    self.make_ready(fed)
        if scope.kind == "map":
            MAP.item_ended(self, node)
        if is_last:
            self._closing.append(scope)

    def fail(self, node: Node, phase: NodePhase) -> None:
        """A node failed for good, as its error says: its scope, and every scope around it that fails at once, stops."""
        assert node.error is not None
        self.finish(node, phase, f"{node.error['code']}: {node.error['message']}"[:300])
        if node.scope.kind == "map":
            return  # the map counts it
        if node is node.scope.handler:
            self._handler_failed(node)
            return
        self._skip_fed(node)
        self.spread(node.scope, node.error, f"node {node.path} failed")

    def fail_user(self, node: Node, error: FlytempError) -> None:
        """The node cannot run, and it is the program's or its values' fault."""
        self.fail_with(node, user_error(error))

    def fail_with(self, node: Node, error: Error) -> None:
        node.fail_with(error)
        self.fail(node, node.failed_phase)

    def spread(self, scope: GraphRun | None, error: Error, reason: str) -> None:
        """An error in ``scope`` stops it, if it fails at once, and then what is around it."""
        while scope is not None and scope.kind != "map":
            scope.error = scope.error or error
            if not scope.graph.fail_immediately:
                return
            self.abort(scope, reason)
            if scope.parent is None or scope.parent is scope.parent.scope.handler:
                return  # what handles a failure fails by itself
            scope = scope.parent.scope

    def abort(self, scope: GraphRun, reason: str) -> None:
        """Stop all of it; a handler of failures that runs already is left to end."""
        if scope.aborting:
            return
        deadlines.end_scope(self, scope)
        scope.aborting = True
        scope.reason = reason
        for node in scope.nodes:
            if node.phase is P.WAITING or (node.phase is P.READY and node.try_ == 0):
                node.message = reason
                self.finish(node, P.SKIPPED, reason)
            elif node.phase not in FINAL:
                HANDLERS[node.kind].abort(self, node)

    # ------------------------------------------------------------------------------------- moving

    def close(self, scope: GraphRun) -> None:
        """All nodes of a scope that was set going again had ended already."""
        self._closing.append(scope)

    def flush(self) -> list[Command]:
        """Carry on as far as possible without another event.

        Scopes open and close from here, not where their cause is: a chain of sub-workflows may be of any length.
        """
        while True:
            if self._closing:
                self._close(self._closing.popleft())
            elif self._opening:
                self._open(self._opening.popleft())
            elif not self._start_next():
                break
        if self.borrowed:
            concurrency_budget.give_back(self)
        commands, self._commands = self._commands, []
        return commands

    def _start_next(self) -> bool:
        """Start one of what is ready, if it may start."""
        if self.holding or (self.paused is not None and not self.root.aborting):
            return False
        if self.ready_children and self.children < self.max_in_flight:
            node = self.ready_children.popleft()
            if node.phase is P.READY:
                HANDLERS[node.kind].run(self, node)
            return True
        if self.ready_parts and MAP.run_part(self):
            return True
        if self.ready and self.running + self.lent < min(self.limit, self.window):
            node = self.ready.popleft()
            if node.phase is P.READY:
                HANDLERS[node.kind].run(self, node)
            return True
        return False

    def _open(self, scope: GraphRun) -> None:
        if not scope.nodes:
            self._closing.append(scope)
        if not scope.aborting:  # else it was stopped before it opened
            scope.started = scope.started or self.at
            deadlines.start_scope(self, scope)
        if scope.kind == "map":
            MAP.open_items(self, scope)
            return
        for node in scope.nodes:
            if node.waiting == 0 and node.phase is P.WAITING:
                self.make_ready(node)

    def _close(self, scope: GraphRun) -> None:
        if scope.open:  # something was added, or tried again, meanwhile
            return
        deadlines.end_scope(self, scope)
        if self._needs_handler(scope):
            self._call_handler(scope)
            return
        node = scope.parent
        if scope.kind == "map":
            MAP.close_items(self, scope)
        elif node is None:
            self._finish_execution()
        elif scope.error is not None:
            node.error = scope.error
            # The first failure already stopped the scopes around this one, where they fail at once.
            self.fail(node, deadlines.failed_phase(scope))
        elif scope.aborting:
            deadlines.stopped(self, node)
        else:
            self.finish(node, P.SUCCEEDED, "its nodes succeeded")

    # --------------------------------------------------------------------------- failures and ends

    def _skip_fed(self, node: Node) -> None:
        """What depends on a node that did not succeed never runs."""
        pending = [node]
        while pending:
            current = pending.pop()
            for index in current.plan.feeds:
                fed = node.scope.nodes[index]
                if fed.phase is P.WAITING:
                    fed.message = f"{node.path} failed"
                    self.finish(fed, P.SKIPPED, fed.message)
                    pending.append(fed)

    def _needs_handler(self, scope: GraphRun) -> bool:
        failed = scope.error is not None or scope.aborting
        return scope.graph.on_failure is not None and scope.handler is None and failed

    def _call_handler(self, scope: GraphRun) -> None:
        """All else is over: the workflow's own on_failure runs, and nothing stops it."""
        assert scope.graph.on_failure is not None
        scope.handler = Node(scope.graph.on_failure, scope)
        self.know([scope.handler])
        scope.open += 1
        self.make_ready(scope.handler)

    def _handler_failed(self, node: Node) -> None:
        scope = node.scope
        assert node.error is not None
        if scope.error is not None:
            told = f"{scope.error['message']} (its on_failure failed, too: {node.error['message']})"
            scope.error = {**scope.error, "message": told}

    def _on_cancel(self, event: CancelRequested) -> None:
        if self.cancelled is None and not self.finished:
            self.cancelled = event.reason
            self.abort(self.root, "the execution was cancelled")

    def _on_pause(self, event: PauseRequested) -> None:
        if self.paused is None and not self.finished:
            self.paused = {"by": event.by, "reason": event.reason, "at": self.at}
            self.emit(BroadcastToChunks({"pause": {"by": event.by, "reason": event.reason}}))

    def _on_resume(self, event: ResumeRequested) -> None:
        if self.paused is not None and not self.finished:
            self.paused = None
            self.emit(BroadcastToChunks({"resume": {"by": event.by}}))

    def _finish_execution(self) -> None:
        self.finished = True
        if self.cancelled is not None:
            self.emit(Finish("ABORTED", reason=self.cancelled, error=self.root.error))
        elif self.root.error is not None:
            self.emit(Finish(str(deadlines.failed_phase(self.root)), error=self.root.error))
        else:
            self.emit(self._outputs())

    def _outputs(self) -> Finish:
        try:
            return Finish("SUCCEEDED", outputs=close(self.plan.root.outputs, self.root))
        except FlytempError as error:
            return Finish("FAILED", error=user_error(error))


def _as_it_is(gate: dict[str, Any], value: Any) -> Any:
    return value


_HANDLERS: dict[type, Callable[[Any, Any], None]] = {
    **EVENT_HANDLERS,
    CancelRequested: Engine._on_cancel,
    PauseRequested: Engine._on_pause,
    ResumeRequested: Engine._on_resume,
    RetryRequested: manual_retry.on_retry,
}
