"""The state machine: how nodes become ready, how runs of graphs open and close, how failures and cancellations spread.

The handler of a node's kind defines what the node does when it runs or stops; see `handlers`. `events` has
what follows from each event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flytemp.errors import FlytempError
from flytemp_worker.engine import deadlines
from flytemp_worker.engine.capacity import Capacity, ChunkRole, Limits
from flytemp_worker.engine.errors import Error, from_exception
from flytemp_worker.engine.handlers import Registry, scope_failure
from flytemp_worker.engine.messages import Command, Event, Finish, RequestIO
from flytemp_worker.engine.nodes import GraphRun, Node
from flytemp_worker.engine.phases import FINAL, IllegalMove, NodePhase
from flytemp_worker.engine.plan import Plan
from flytemp_worker.engine.transition_log import TransitionLog

P = NodePhase


class Engine:
    """Runs a plan: it takes events and returns the commands that follow from them.

    Args:
        plan: the graphs to run.
        inputs: the launch's literals, or None if they are too large to be inline.
        registry: the kinds of nodes.
        limits: bounds of the execution.
        chunk: set if the engine runs one chunk of a map; see `node_kinds.map_chunks.chunk_engine`.
    """

    def __init__(
        self,
        plan: Plan,
        inputs: dict[str, Any] | None,
        registry: Registry,
        limits: Limits | None = None,
        chunk: ChunkRole | None = None,
    ) -> None:
        self.plan = plan
        self.registry = registry
        self.limits = limits or Limits()
        self.capacity = Capacity(self.limits)
        self.chunk = chunk
        self.root = GraphRun(plan.root, None, registry.handlers, inputs)
        self.seed = ""  # of the jitter: executions with different seeds do not retry in step
        self.epoch = ""  # of tries that are started from now on; see `messages.RunTask`
        self.convert: Callable[[dict[str, Any], Any], Any] = lambda _gate, value: value  # to a gate's type, or raises
        self.cancelled: str | None = None  # the reason
        self.finished = False
        self.holding = False  # no new tries are started, because the state is about to be restored elsewhere
        self.paused: dict[str, Any] | None = None  # no new tries are started, because a user requested it
        self.answers: dict[str, dict[str, Any]] = {}  # of gates, by path or name
        self.waiting: dict[str, Node] = {}  # gates that wait for an answer, by path
        self.by_path: dict[str, Node] = {}
        self.attempts_used: dict[str, int] = {}  # by nodes that were removed and may be made again, by path
        self.log = TransitionLog(records=plan.structured)
        self.move = self.log.move
        self.counts = self.log.counts
        self.active = self.log.active
        self.at = 0  # the time of the present event
        self._closing: deque[GraphRun] = deque()  # runs whose last node has ended
        self._opening: deque[GraphRun] = deque()
        self._commands: list[Command] = []

    # ---------------------------------------------------------------------------------- interface

    def begin(self, at: int) -> list[Command]:
        """Start the execution. ``at``, here and below, is the time in milliseconds since the epoch."""
        self.at = at
        self.open_scope(self.root)
        return self.flush()

    def step(self, event: Event, at: int) -> list[Command]:
        """Process one event and return the commands that follow from it.

        Raises:
            IllegalMove: the event does not fit the state, which is a bug.
        """
        self.at = at
        self.registry.listeners[type(event)](self, event)
        return self.flush()

    def hold(self) -> None:
        """Start no more tries: what is in flight ends, and the state is restored elsewhere."""
        self.holding = True

    def resume(self, at: int) -> list[Command]:
        """Issue again, after a restore, what was in flight, with the same attempts and tries."""
        self.at = at
        self.holding = False
        for scope in self.scopes():
            self._commands += deadlines.resume_scope(scope, at)
        for node in self.nodes():
            if node.phase not in FINAL and node.phase is not P.WAITING:
                self._commands += deadlines.resume_node(node, at)
                node.handler.resume(self, node)
        return self.flush()

    def nodes(self) -> Iterator[Node]:
        """Yield all nodes of all runs, each before the nodes of the run that it opened."""
        return self.root.walk()

    def scopes(self) -> Iterator[GraphRun]:
        """Yield the root run and those that nodes have opened."""
        yield self.root
        for node in self.nodes():
            if node.child is not None:
                yield node.child

    @property
    def is_windowed(self) -> bool:
        """True if more tasks could run at once but for the platform's window."""
        return self.capacity.is_windowed and not self.holding and self.paused is None

    @property
    def is_paused(self) -> bool:
        """True if a pause prevents new tries. It does not prevent those of the failure nodes after a cancellation."""
        return self.paused is not None and not self.root.aborting

    @property
    def aborting(self) -> bool:
        """True while anything is being stopped."""
        return self.root.aborting or self.counts[P.CANCELLING] > 0

    # -------------------------------------------------------------------------------- for handlers

    def emit(self, command: Command) -> None:
        self._commands.append(command)

    def request(self, node: Node, operation: str) -> None:
        """Request I/O; the answer goes to `NodeHandler.on_io`. The request is part of the state and repeated after a restore."""
        node.state.asks = operation
        argument = node.handler.io_argument(self, node, operation)
        self.emit(RequestIO(node.path, node.attempt, operation, argument, node.state.epoch))

    def begin_attempt(self, node: Node) -> None:
        """Count an attempt that begins now."""
        node.attempt += 1
        node.state.try_ = 1
        node.state.started_attempt = self.at
        node.state.epoch = self.epoch
        node.started = node.started or self.at

    def open_scope(self, scope: GraphRun) -> None:
        """Open a run once everything that happens now has happened."""
        self.register(scope.nodes)
        self._opening.append(scope)

    def reopen(self, scope: GraphRun, *, restarts: bool) -> None:
        """Continue a run that a manual retry has reset; ``restarts`` if it had ended."""
        if restarts:
            self._commands += deadlines.start_scope(scope)
        if scope.open == 0:
            self._closing.append(scope)

    def register(self, nodes: list[Node]) -> None:
        """Add new nodes.

        Results of attempts that a node of this path had before are in the store, so their numbers are not used again.
        """
        first = self.chunk.attempts_before if self.chunk is not None else 0
        for node in nodes:
            self.by_path[node.path] = node
            node.attempt = node.attempts_before = self.attempts_used.pop(node.path, first)
        self.counts[P.WAITING] += len(nodes)

    def unregister(self, nodes: Iterable[Node]) -> None:
        """Remove nodes; they may be added again."""
        for node in nodes:
            self.log.remove(node)
            del self.by_path[node.path]
            if node.attempt:
                self.attempts_used[node.path] = node.attempt

    def make_ready(self, node: Node) -> None:
        """Start a node, because all that it depends on has succeeded."""
        self.move(node, P.READY, "all it depends on succeeded")
        self.start_deadline(node)
        node.handler.start(self, node)

    def start_deadline(self, node: Node) -> None:
        self._commands += deadlines.start_node(node, self.at)

    def finish(self, node: Node, phase: NodePhase, why: str) -> None:
        """End a node; start those that have waited for it."""
        self._commands += deadlines.end_node(node)
        self.move(node, phase, why)
        node.state.finished = self.at
        scope = node.scope
        scope.open -= 1
        is_last = scope.open == 0  # what follows may end other nodes, of which one is the last then
        if phase is P.SUCCEEDED and not scope.aborting:
            for index in node.plan.feeds:
                fed = scope.nodes[index]
                fed.waiting -= 1
                if fed.waiting == 0 and fed.phase is P.WAITING:
                    self.make_ready(fed)
        scope.opener.on_node_ended(self, scope, node)
        if is_last:
            self._closing.append(scope)

    def fail(self, node: Node, phase: NodePhase) -> None:
        """End a node that failed for good with its error, and stop what fails with it."""
        error, scope = node.state.error, node.scope
        assert error is not None
        self.finish(node, phase, f"{error['code']}: {error['message']}"[:300])
        if node is scope.failure_node:
            self._add_to_error(scope, error)
        elif not scope.opener.counts_failures:
            self._skip_dependents(node)
            self.propagate_failure(scope, error, f"node {node.path} failed")

    def fail_with(self, node: Node, error: Error) -> None:
        """Fail a node with an error that happened in it."""
        node.fail_with(error)
        self.fail(node, node.state.failed_phase)

    def fail_user(self, node: Node, error: FlytempError) -> None:
        """Fail a node because of the program or its values."""
        self.fail_with(node, from_exception(error))

    def on_stopped(self, node: Node, why: str = "stopped") -> None:
        """End a node that was stopped: by its deadline, or with what is around it."""
        if node.expired:
            self.fail_with(node, deadlines.node_error(node))
            self.log.record(node)  # in a history, its activity was only cancelled
        else:
            self.finish(node, P.ABORTED, why)

    def propagate_failure(self, scope: GraphRun | None, error: Error, reason: str) -> None:
        """Stop a run in which a node failed, and the runs around it, as far as they fail immediately."""
        while scope is not None and not scope.opener.counts_failures:
            scope.error = scope.error or error
            if not scope.graph.fail_immediately:
                return
            self.abort(scope, reason)
            if scope.parent is None or scope.parent is scope.parent.scope.failure_node:
                return  # the failure of a failure node changes nothing around it
            scope = scope.parent.scope

    def abort(self, scope: GraphRun, reason: str) -> None:
        """Stop all nodes of a run but a failure node."""
        if scope.aborting:
            return
        self._commands += deadlines.end_scope(scope)
        scope.aborting = True
        scope.reason = reason
        for node in scope.nodes:
            if node.phase is P.WAITING or (node.phase is P.READY and node.state.try_ == 0):
                self.skip(node, reason)
            elif node.phase not in FINAL:
                node.handler.abort(self, node)

    def skip(self, node: Node, reason: str) -> None:
        node.state.message = reason
        self.finish(node, P.SKIPPED, reason)

    def finish_execution(self, outputs: Callable[[], dict[str, dict[str, Any]]], counts: tuple[int, int] | None = None) -> None:
        """Finish the execution or chunk; ``outputs`` are asked for only if it has succeeded."""
        self.finished = True
        if self.cancelled is not None:
            self.emit(Finish("ABORTED", reason=self.cancelled, error=self.root.error, counts=counts))
        elif self.root.error is not None:
            self.emit(Finish(str(scope_failure(self.root)), error=self.root.error, counts=counts))
        else:
            try:
                self.emit(Finish("SUCCEEDED", outputs=outputs(), counts=counts))
            except FlytempError as error:
                self.emit(Finish("FAILED", error=from_exception(error)))

    def illegal(self, node: Node, problem: str) -> IllegalMove:
        """Return the error of an event that does not fit the state of a node."""
        return IllegalMove(node.path, problem, self.log.moves_of(node.path))

    # ------------------------------------------------------------------------------------- moving

    def flush(self) -> list[Command]:
        """Advance as far as possible without another event.

        Runs open and close here instead of where the cause is, because sub-workflows may be nested to any depth.
        """
        while True:
            if self._closing:
                self._close(self._closing.popleft())
            elif self._opening:
                self._open(self._opening.popleft())
            elif not self._start_queued():
                break
        self.root.opener.on_idle(self)
        commands, self._commands = self._commands, []
        return commands

    def _start_queued(self) -> bool:
        if self.holding or self.is_paused:
            return False
        return any(start(self) for start in self.registry.queues)

    def _open(self, scope: GraphRun) -> None:
        if not scope.nodes:
            self._closing.append(scope)
        if not scope.aborting:  # else it was stopped before it opened
            scope.started = scope.started or self.at
            self._commands += deadlines.start_scope(scope)
        scope.opener.on_opened(self, scope)

    def _close(self, scope: GraphRun) -> None:
        if scope.open:  # a manual retry, or a failure node, came in between
            return
        self._commands += deadlines.end_scope(scope)
        failed = scope.error is not None or scope.aborting
        if failed and scope.graph.on_failure is not None and scope.failure_node is None:
            scope.failure_node = Node(scope.graph.on_failure, scope)
            scope.open += 1
            self.register([scope.failure_node])
            self.make_ready(scope.failure_node)
        else:
            scope.opener.on_closed(self, scope)

    def _skip_dependents(self, node: Node) -> None:
        """Skip what depends, directly or not, on a node that did not succeed."""
        pending = [node]
        while pending:
            for index in pending.pop().plan.feeds:
                fed = node.scope.nodes[index]
                if fed.phase is P.WAITING:
                    self.skip(fed, f"{node.path} failed")
                    pending.append(fed)

    def _add_to_error(self, scope: GraphRun, error: Error) -> None:
        """Mention the failure of a failure node in the error that it was to handle."""
        if scope.error is not None:
            message = f"{scope.error['message']} (its on_failure failed, too: {error['message']})"
            scope.error = {**scope.error, "message": message}
