"""Trying again what failed, when a person asks for it: in an execution that goes on, or in one that had ended.

A node that is tried again gets a new attempt; its own retries count from there. What was skipped or stopped because of
it waits again, and so do the nodes around it. What succeeded stays, and so does what failed and was not named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp.errors import InputError, NotFound
from flytemp_worker.engine.phases import FINAL, NodePhase

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.messages import RetryRequested
    from flytemp_worker.engine.nodes import Node, Scope

P = NodePhase
FAILED = (P.FAILED, P.TIMED_OUT)


def to_retry(engine: Engine, paths: tuple[str, ...]) -> list[Node]:
    """The nodes that a request means; without paths all that failed, and were not failed by something in them.

    Raises:
        NotFound: there is no such node.
        InputError: it did not fail, or is being stopped; or nothing failed.
    """
    if not paths:
        nodes = [node for node in engine.nodes() if is_cause(node)]
        if not nodes and not _stopped(engine):
            raise InputError("nothing failed that could be tried again")
        return nodes
    nodes = []
    for path in paths:
        node = engine.by_path.get(path)
        if node is None:
            raise NotFound(f"there is no node {path!r}", hint="flytemp get execution shows the nodes")
        if node.phase not in FAILED:
            raise InputError(f"node {path} is {node.phase}", hint="only what is FAILED or TIMED_OUT can be tried again")
        nodes += [inner for inner in node.child.walk() if is_cause(inner)] if node.child is not None else [node]
    if engine.root.aborting and not engine.finished:
        raise InputError("the execution is stopping", hint="wait until it has ended, then retry it")
    return nodes


def is_cause(node: Node) -> bool:
    """It failed by itself: nothing in it did."""
    if node.phase not in FAILED or node is node.scope.handler:
        return False
    return node.child is None or not any(inner.phase in FAILED for inner in node.child.walk())


def _stopped(engine: Engine) -> bool:
    """It ended without a failure: it was cancelled, or its time passed."""
    return engine.finished and any(node.phase in (P.ABORTED, P.SKIPPED) for node in engine.nodes())


def on_retry(engine: Engine, event: RetryRequested) -> None:
    """Carry the request out; one that cannot be carried out any more changes nothing."""
    try:
        nodes = to_retry(engine, event.nodes)
    except (NotFound, InputError):
        return
    was_finished, engine.finished, engine.cancelled = engine.finished, False, None
    for node in nodes:
        _forget(engine, node)
    scopes = list(dict.fromkeys(scope for node in nodes for scope in _around(node.scope)))
    if was_finished and engine.root not in scopes:
        scopes.append(engine.root)
    for scope in reversed(scopes):  # inner ones first: an outer one counts what is open
        _reopen(engine, scope)
    for scope in scopes:
        _start(engine, scope)


def _around(scope: Scope) -> list[Scope]:
    """The scope and those around it, outermost first."""
    found = [scope]
    while scope.parent is not None:
        scope = scope.parent.scope
        found.append(scope)
    return found[::-1]


def _forget(engine: Engine, node: Node) -> None:
    """Back to waiting, with the number of its attempts."""
    if node.attempt:
        node.history.append(node.attempt_row(node.finished or engine.at))
        node.extra["base"] = node.attempt
    for key in ("deadline", "expired", "answer", "failure", "stored", "link", "inputs"):
        node.extra.pop(key, None)
    engine.answers.pop(node.path, None)
    if node.plan.gate is not None:
        engine.answers.pop(node.plan.gate["name"], None)
    node.error = node.message = node.finished = node.until = None
    node.outputs, node.lost = None, 0
    engine.ledger.put(node, P.WAITING)


def _reopen(engine: Engine, scope: Scope) -> None:
    """Its stopped nodes wait again, those around what is tried again run again, and it has no error but of what stays."""
    for node in scope.nodes:
        if node.phase in (P.SKIPPED, P.ABORTED) and not _not_taken(node):
            if node.child is not None and node.kind in ("workflow", "branch", "map", "dynamic"):
                _reopen(engine, node.child)
                _runs_again(engine, node)
            else:
                _forget(engine, node)
        elif node.phase in FAILED and node.child is not None and _is_open(node.child):
            _runs_again(engine, node)
    _still_skipped(engine, scope)
    scope.open = sum(node.phase not in FINAL for node in scope.nodes)
    failed = next((node for node in scope.nodes if node.phase in FAILED), None)
    scope.error = failed.error if failed is not None else None
    scope.aborting = scope.expired = False
    scope.started = engine.at
    scope.next = 0
    if scope.handler is not None and scope.open:
        handler, scope.handler = scope.handler, None
        engine.ledger.put(handler, P.WAITING)
        engine.counts[P.WAITING] -= 1
        engine.by_path.pop(handler.path, None)
    for node in scope.nodes:
        before = [other for other in scope.nodes if node.plan.index in other.plan.feeds]
        node.waiting = sum(other.phase is not P.SUCCEEDED for other in before)


def _still_skipped(engine: Engine, scope: Scope) -> None:
    """What depends on a node that stays failed stays skipped."""
    pending = [node for node in scope.nodes if node.phase in FAILED]
    while pending:
        for index in pending.pop().plan.feeds:
            fed = scope.nodes[index]
            if fed.phase is P.WAITING and not fed.attempt:
                engine.ledger.put(fed, P.SKIPPED)
                pending.append(fed)


def _not_taken(node: Node) -> bool:
    branch = node.scope.parent
    return node.scope.kind == "branch" and branch is not None and branch.child is not None and (
        branch.child.nodes[branch.extra["taken"]] is not node
    )


def _is_open(scope: Scope) -> bool:
    return any(node.phase not in FINAL for node in scope.nodes)


def _runs_again(engine: Engine, node: Node) -> None:
    node.error = node.message = node.finished = None
    for key in ("deadline", "expired"):
        node.extra.pop(key, None)
    engine.ledger.put(node, P.RUNNING)


def _start(engine: Engine, scope: Scope) -> None:
    """Set going what nothing holds back."""
    from flytemp_worker.engine import limits
    from flytemp_worker.engine.kinds import MAP

    limits.start_scope(engine, scope)
    for node in scope.nodes:
        if node.child is not None and node.phase is P.RUNNING and node.child.started == engine.at:
            continue
    if scope.kind == "map":
        MAP.open_items(engine, scope)
        return
    for node in scope.nodes:
        if node.phase is P.WAITING and node.waiting == 0 and not _not_taken(node):
            engine.make_ready(node)
