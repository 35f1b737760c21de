"""Manual retry of failed nodes, in an execution that runs or in one that has ended.

A retried node gets a new attempt, from which its task's retries count anew. Nodes that were skipped or stopped because of it
wait again, and the runs around it continue. Nodes that succeeded keep their results, and failed nodes that the request does
not include stay failed. A failure node is removed, and is called again if there is another failure. Calls of a map that are
graphs continue at once, even if there are more of them than the map's concurrency.
"""

from __future__ import annotations

from collections.abc import Iterator

from flytemp.errors import InputError, NotFound
from flytemp_worker.engine.handlers import P
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import RetryRequested
from flytemp_worker.engine.nodes import GraphRun, Node
from flytemp_worker.engine.phases import FAILED, FINAL

STOPPED = (P.SKIPPED, P.ABORTED)


def nodes_to_retry(engine: Engine, paths: tuple[str, ...]) -> list[Node]:
    """Return the nodes that a request includes. Without paths, these are all nodes that failed by themselves.

    Raises:
        NotFound: there is no such node.
        InputError: a node did not fail, or something around it is ending; or nothing failed.
    """
    if engine.root.aborting and not engine.finished:
        raise InputError("the execution is stopping", hint="wait until it has ended, then retry it")
    if not paths:
        nodes = [node for node in _failed_in(engine.root) if _obstacle(engine, node) is None]
        if not nodes and not (engine.finished and engine.root.aborting):  # a cancelled execution needs no failed node
            raise InputError("no node failed that can be retried")
        return nodes
    found: dict[Node, None] = {}
    for path in paths:
        node = engine.by_path.get(path)
        if node is None:
            raise NotFound(f"the execution has no node {path!r}", hint="flytemp get execution shows the nodes")
        if node.phase not in FAILED:
            raise InputError(f"node {path} is {node.phase}", hint="only FAILED and TIMED_OUT nodes can be retried")
        obstacle = _obstacle(engine, node)
        if obstacle is not None:
            raise InputError(f"node {path} cannot be retried: {obstacle}")
        found.update(dict.fromkeys(_failed_below(node)))
    return list(found)


def _failed_in(scope: GraphRun) -> Iterator[Node]:
    """Yield the nodes that failed by themselves. Failed items that a successful map tolerated are not included."""
    for node in scope.nodes:
        if node.phase in FAILED:
            yield from _failed_below(node)
        elif node.child is not None and node.phase is not P.SUCCEEDED:
            yield from _failed_in(node.child)


def _failed_below(node: Node) -> list[Node]:
    """Return the nodes in a failed node that made it fail, or else the node itself."""
    return (list(_failed_in(node.child)) if node.child is not None else []) or [node]


def _obstacle(engine: Engine, node: Node) -> str | None:
    """Return why a failed node cannot be retried, or not yet."""
    while True:
        scope, caller = node.scope, node.scope.parent
        if node is scope.failure_node:
            return "it handles a failure; it runs again if the nodes that failed are retried and fail again"
        if caller is not None and caller.phase is P.SUCCEEDED:
            return f"{caller.path} succeeded without it"
        has_ended = engine.finished if caller is None else caller.phase in FINAL
        is_handling = scope.failure_node is not None and scope.failure_node.phase not in FINAL
        is_ending = caller is not None and caller.state.asks is not None
        if not has_ended and (scope.aborting or is_handling or is_ending):
            return f"{caller.path if caller is not None else 'the execution'} is ending"
        if caller is None:
            return None
        node = caller


def on_retry(engine: Engine, event: RetryRequested) -> None:
    """Perform a retry; a request that no longer applies changes nothing."""
    try:
        nodes = nodes_to_retry(engine, event.nodes)
    except (NotFound, InputError):
        return
    had_ended, engine.finished, engine.cancelled = engine.finished, False, None
    around: set[GraphRun] = set()
    for node in nodes:
        scope: GraphRun | None = node.scope
        while scope is not None and scope not in around:
            around.add(scope)
            scope = scope.parent.scope if scope.parent is not None else None
    retry = _ManualRetry(engine, set(nodes), around)
    retry.reset(engine.root, had_ended)
    retry.start()


class _ManualRetry:
    """Retry of the ``chosen`` nodes, in the runs ``around`` them, and of what was stopped there."""

    def __init__(self, engine: Engine, chosen: set[Node], around: set[GraphRun]) -> None:
        self._engine, self._chosen, self._around = engine, chosen, around
        self._runs: list[tuple[GraphRun, bool]] = []  # outermost first; True if the run had ended

    def reset(self, scope: GraphRun, had_ended: bool) -> None:
        """Put a run and its nodes back to where they can continue."""
        self._runs.append((scope, had_ended))
        if scope.failure_node is not None:
            inner = scope.failure_node.child
            self._engine.unregister([scope.failure_node, *(inner.walk() if inner is not None else ())])
            scope.failure_node = None
        for node in scope.nodes:
            self._reset_node(node)
        self._skip_dependents(scope)
        scope.open = sum(node.phase not in FINAL for node in scope.nodes)
        scope.aborting = scope.expired = False
        scope.reason = ""
        scope.error = scope.opener.remaining_error(self._engine, scope)
        if had_ended:
            scope.started = self._engine.at
        scope.count_waiting()

    def _reset_node(self, node: Node) -> None:
        engine, child = self._engine, node.child
        again = node in self._chosen or (node.phase in STOPPED and node.scope.opener.is_retried(node))
        if child is not None and (again or child in self._around):
            had_ended = node.phase in FINAL
            if had_ended:  # it continues in the same attempt, whose graph and results stay
                node.state.error = node.state.message = node.state.finished = None
                node.deadline, node.expired = None, False
                engine.log.place(node, P.RUNNING)
                engine.start_deadline(node)
            self.reset(child, had_ended)
        elif again:
            if node.state.try_:
                node.history.append(node.attempt_row(node.state.finished or engine.at))
                node.attempts_before = node.attempt
            node.handler.forget(engine, node)
            node.state = node.handler.attempt()
            node.deadline, node.expired = None, False
            engine.log.place(node, P.WAITING)

    def _skip_dependents(self, scope: GraphRun) -> None:
        """Skip again what depends on a node that stays failed."""
        pending = [node for node in scope.nodes if node.phase in FAILED]
        while pending:
            current = pending.pop()
            for index in current.plan.feeds:
                fed = scope.nodes[index]
                if fed.phase is P.WAITING:
                    fed.state.message, fed.state.finished = f"{current.path} failed", self._engine.at
                    self._engine.log.place(fed, P.SKIPPED)
                    pending.append(fed)

    def start(self) -> None:
        """Start what can start in the runs."""
        for scope, had_ended in self._runs:
            self._engine.reopen(scope, restarts=had_ended)
        for scope, _ in self._runs:
            scope.opener.on_opened(self._engine, scope)
