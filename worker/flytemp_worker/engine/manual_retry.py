"""Trying again what failed, when a person asks for it: in an execution that goes on, or in one that had ended.

A node that is tried again gets a new attempt; its own retries count from there. What was skipped or stopped because of
it waits again, and the nodes around it go on. What succeeded stays, and so does what failed and was not named. A
handler of the failure is forgotten: it runs when there is a failure again. Calls of a map that are graphs go on at once,
even when there are more of them than the map's own concurrency.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flytemp.errors import InputError, NotFound
from flytemp_worker.engine.phases import FINAL, NodePhase

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.messages import RetryRequested
    from flytemp_worker.engine.nodes import GraphRun, Node

P = NodePhase
FAILED = (P.FAILED, P.TIMED_OUT)
STOPPED = (P.SKIPPED, P.ABORTED)

_OF_THE_ATTEMPT = ("deadline", "expired", "answer", "failure", "stops", "stored", "link", "inputs", "asked", "items")
"""What of `Node.extra` the next attempt does not begin with."""


def nodes_to_retry(engine: Engine, paths: tuple[str, ...]) -> list[Node]:
    """The nodes that a request means; without paths all that failed, and were not failed by something in them.

    Raises:
        NotFound: there is no such node.
        InputError: it did not fail, or is being stopped; or nothing failed.
    """
    if engine.root.aborting and not engine.finished:
        raise InputError("the execution is stopping", hint="wait until it has ended, then retry it")
    if not paths:
        nodes = [node for node in _causes(engine.root) if _obstacle(engine, node) is None]
        if not nodes and not (engine.finished and engine.root.aborting):  # it was stopped, and nothing failed
            raise InputError("nothing failed that could be tried again")
        return nodes
    found: dict[Node, None] = {}
    for path in paths:
        node = engine.by_path.get(path)
        if node is None:
            raise NotFound(f"there is no node {path!r}", hint="flytemp get execution shows the nodes")
        if node.phase not in FAILED:
            raise InputError(f"node {path} is {node.phase}", hint="only what is FAILED or TIMED_OUT can be tried again")
        obstacle = _obstacle(engine, node)
        if obstacle is not None:
            raise InputError(f"node {path} cannot be tried again: {obstacle}")
        found.update(dict.fromkeys(_causes_of(node)))
    return list(found)


def _causes(scope: GraphRun) -> Iterator[Node]:
    """What failed in the scope by itself: nothing in it did. What a map that succeeded could do without is none."""
    for node in scope.nodes:
        if node.phase in FAILED:
            yield from _causes_of(node)
        elif node.child is not None and node.phase is not P.SUCCEEDED:
            yield from _causes(node.child)


def _causes_of(node: Node) -> Iterator[Node]:
    inner = list(_causes(node.child)) if node.child is not None else []
    yield from inner or [node]


def _obstacle(engine: Engine, node: Node) -> str | None:
    """Why nothing can be tried again there, or not yet."""
    while True:
        scope, caller = node.scope, node.scope.parent
        if node is scope.handler:
            return "it handles a failure, and does so again when what failed is tried again and fails"
        if caller is not None and caller.phase is P.SUCCEEDED:
            return f"{caller.path} succeeded without it"
        is_over = engine.finished if caller is None else caller.phase in FINAL
        handling = scope.handler is not None and scope.handler.phase not in FINAL
        ending = caller is not None and "asks" in caller.extra
        if not is_over and (scope.aborting or handling or ending):
            return f"{caller.path if caller is not None else 'the execution'} is just ending"
        if caller is None:
            return None
        node = caller


def on_retry(engine: Engine, event: RetryRequested) -> None:
    """Carry the request out; one that cannot be carried out any more changes nothing."""
    try:
        nodes = nodes_to_retry(engine, event.nodes)
    except (NotFound, InputError):
        return
    was_over, engine.finished, engine.cancelled = engine.finished, False, None
    around: set[GraphRun] = set()
    for node in nodes:
        scope: GraphRun | None = node.scope
        while scope is not None and scope not in around:
            around.add(scope)
            scope = scope.parent.scope if scope.parent is not None else None
    reopening = ManualRetry(engine, set(nodes), around)
    reopening.reopen(engine.root, was_over)
    reopening.start()


class ManualRetry:
    """Sets scopes going again: those ``around`` the ``chosen`` nodes, and what was stopped in them."""

    def __init__(self, engine: Engine, chosen: set[Node], around: set[GraphRun]) -> None:
        self._engine, self._chosen, self._around = engine, chosen, around
        self._scopes: list[tuple[GraphRun, bool]] = []  # outermost first; whether they were over

    def reopen(self, scope: GraphRun, was_over: bool) -> None:
        self._scopes.append((scope, was_over))
        if scope.handler is not None:
            inner = scope.handler.child
            self._engine.drop([scope.handler, *(inner.walk() if inner is not None else ())])
            scope.handler = None
        for node in scope.nodes:
            self._node(node)
        _still_skipped(self._engine, scope)
        scope.open = sum(node.phase not in FINAL for node in scope.nodes)
        scope.aborting = scope.expired = False
        scope.reason = ""
        scope.error = _error_left(self._engine, scope)
        scope.next = 0
        if was_over:
            scope.started = self._engine.at
        for node in scope.nodes:
            node.waiting = node.plan.needs if scope.kind == "graph" else 0
        for node in scope.nodes:
            if node.phase is P.SUCCEEDED:
                for index in node.plan.feeds:
                    scope.nodes[index].waiting -= 1

    def _node(self, node: Node) -> None:
        child, again = node.child, node in self._chosen or (node.phase in STOPPED and not _not_taken(node))
        if child is not None and (again or child in self._around):
            was_over = node.phase in FINAL
            if was_over:
                _go_on(self._engine, node)
            self.reopen(child, was_over)
        elif again:
            _forget(self._engine, node)

    def start(self) -> None:
        """Set going what nothing holds back."""
        from flytemp_worker.engine import deadlines
        from flytemp_worker.engine.kinds import MAP

        engine = self._engine
        for scope, was_over in self._scopes:
            if was_over:
                deadlines.start_scope(engine, scope)
            if scope.open == 0:
                engine.close(scope)
        for scope, _ in self._scopes:
            if scope.kind == "map":
                MAP.open_items(engine, scope)
                continue
            for node in scope.nodes:
                if node.phase is P.WAITING and node.waiting == 0:
                    engine.make_ready(node)


def _forget(engine: Engine, node: Node) -> None:
    """Back to waiting, with the number of its attempts."""
    if node.try_:
        node.history.append(node.attempt_row(node.finished or engine.at))
        node.extra["base"] = node.attempt
    if "answer" in node.extra and node.plan.gate is not None:
        engine.answers.pop(node.path, None)
        engine.answers.pop(node.plan.gate["name"], None)
    for key in _OF_THE_ATTEMPT:
        node.extra.pop(key, None)
    node.error = node.message = node.finished = node.until = node.outputs = None
    node.try_ = node.lost = node.size = 0
    engine.ledger.put(node, P.WAITING)


def _go_on(engine: Engine, node: Node) -> None:
    """What is in the node is tried again: in the same attempt, whose graph and results stay."""
    from flytemp_worker.engine import deadlines

    node.error = node.message = node.finished = None
    for key in ("deadline", "expired"):
        node.extra.pop(key, None)
    engine.ledger.put(node, P.RUNNING)
    deadlines.start_node(engine, node)


def _still_skipped(engine: Engine, scope: GraphRun) -> None:
    """What depends on a node that stays failed stays skipped."""
    pending = [node for node in scope.nodes if node.phase in FAILED]
    while pending:
        current = pending.pop()
        for index in current.plan.feeds:
            fed = scope.nodes[index]
            if fed.phase is P.WAITING:
                fed.message, fed.finished = f"{current.path} failed", engine.at
                engine.ledger.put(fed, P.SKIPPED)
                pending.append(fed)


def _error_left(engine: Engine, scope: GraphRun) -> dict[str, object] | None:
    """The error of what stays failed, where that fails the scope."""
    failed = [node for node in scope.nodes if node.phase in FAILED]
    if scope.kind == "map":
        from flytemp_worker.engine.kinds import maps

        count = maps.counts(scope)[1]
        return maps.too_many_failed(scope, count, failed[0]) if failed and count > maps.most_failures(engine, scope) else None
    return failed[0].error if failed else None


def _not_taken(node: Node) -> bool:
    branch = node.scope.parent
    return node.scope.kind == "branch" and branch is not None and branch.extra["taken"] != node.plan.index
