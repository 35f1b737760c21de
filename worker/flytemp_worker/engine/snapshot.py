"""The engine's state as plain JSON: for continue-as-new, for the record of the execution and for readers.

There is one row for each node that has begun or ended; all three uses have the same rows.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Any

from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.nodes import Attempt, GraphRun, Node
from flytemp_worker.engine.phases import FINAL, NodePhase

Row = dict[str, Any]

_PASSING_ON = ("gate", "branch", "workflow")


class _Fields:
    """The fields of a node and its attempt, or of a run, that are saved if they differ from their defaults."""

    def __init__(self, own: dict[str, Any], state: dict[str, Any]) -> None:
        self._own, self._state = own, state
        self._names, self._defaults = (*own, *state), (*own.values(), *state.values())
        self._values = attrgetter(*own, *(f"state.{name}" for name in state))

    def of(self, thing: Node | GraphRun) -> Row:
        values = zip(self._names, self._defaults, self._values(thing), strict=True)
        return {name: value for name, default, value in values if value is not default and value != default}

    def restore(self, thing: Node | GraphRun, row: Row) -> None:
        for name, value in row.items():
            if name in self._own:
                setattr(thing, name, value)
            elif name in self._state and isinstance(thing, Node):
                setattr(thing.state, name, value)


_NODE: dict[str, Any] = {"attempt": 0, "attempts_before": 0, "started": None, "deadline": None, "expired": False, "history": []}
_SCOPE = _Fields({"error": None, "aborting": False, "reason": "", "expired": False, "started": None}, {})
_NODES: dict[type[Attempt], _Fields] = {}  # filled by `_fields`


def _fields(node: Node) -> _Fields:
    kind = type(node.state)
    if kind not in _NODES:
        saved = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
        _NODES[kind] = _Fields(_NODE, saved)
    return _NODES[kind]


def _row(node: Node) -> Row:
    """Return the row of a node, without fields that have their defaults.

    A task that SUCCEEDED and has no ``outputs`` in its row has them in its result in the store.
    """
    row = {"id": node.path, "phase": str(node.phase), **_fields(node).of(node)}
    row.update(node.state.to_fields())
    if not _is_named_by_plan(node.scope):
        row.update(kind=node.kind, name=node.plan.name, target=node.plan.target)
    return row


def public_row(node: Node) -> Row:
    """Return a row for readers: without outputs, and with fields that only readers need."""
    row = {**_row(node), "kind": node.kind, **node.handler.public_fields(node)}
    row.pop("outputs", None)
    return row


def _is_named_by_plan(scope: GraphRun) -> bool:
    """Return True if the plan that the execution began with has the nodes of the run."""
    while scope.opener.is_named_by_plan:
        if scope.parent is None:
            return True
        scope = scope.parent.scope
    return False


def _has_row(node: Node) -> bool:
    return node.phase is not NodePhase.WAITING or node.attempt > 0


def rows(engine: Engine) -> list[Row]:
    """Return the rows of all nodes that do not just wait, each before those of the nodes in it."""
    return [_row(node) for node in engine.nodes() if _has_row(node)]


def public_rows(engine: Engine) -> list[Row]:
    """Return the rows as `public_row` gives them."""
    return [public_row(node) for node in engine.nodes() if _has_row(node)]


def state(engine: Engine) -> dict[str, Any]:
    """Return what `fill` needs besides the plans; outputs that no node will read are left out."""
    found = rows(engine)
    for row in found:
        if "outputs" in row and not _may_be_read(engine.by_path[row["id"]]):
            del row["outputs"]
    scopes = ((scope.path, _scope_row(scope)) for scope in engine.scopes() if scope.parent is not None)
    return {
        "rows": found,
        "inputs": engine.root.inputs,
        "root": _scope_row(engine.root),
        "scopes": {path: row for path, row in scopes if row},
        "attempts_used": engine.attempts_used,
        "cancelled": engine.cancelled,
        "finished": engine.finished,
        "paused": engine.paused,
        "answers": engine.answers,
        "epoch": engine.epoch,
    }


def _scope_row(scope: GraphRun) -> Row:
    row = _SCOPE.of(scope)
    if scope.graph.timeout is None:
        row.pop("started", None)
    return row


def _may_be_read(node: Node) -> bool:
    """Return True if a node that has not ended may read the outputs inline; later readers find them in the store."""
    graph = node.scope.graph
    if node.kind != "task" or node.scope.opener.counts_failures or node.scope.opener.is_transparent:
        return True
    if node.plan.index in graph.exported:
        return True
    readers = (node.scope.nodes[index] for index in node.plan.feeds)
    return any(reader.phase not in FINAL or reader.kind in _PASSING_ON for reader in readers)


def fill(engine: Engine, data: dict[str, Any], dynamics: dict[str, dict[str, Any]] | None = None) -> None:
    """Put a state into an engine that has not begun; `Engine.resume` continues it.

    ``dynamics`` are the plans of the dynamic nodes whose graphs had been read, by `Node.ref`.
    """
    for source, plan in (dynamics or {}).items():
        engine.plan.add(plan, source)
    engine.attempts_used = dict(data["attempts_used"])
    engine.cancelled, engine.finished, engine.paused = data["cancelled"], data["finished"], data["paused"]
    engine.answers, engine.epoch = data["answers"], data["epoch"]
    known = {row["id"]: row for row in data["rows"]}
    _restore_scope(engine, engine.root, data["root"], known, data["scopes"])


def _restore_scope(engine: Engine, scope: GraphRun, saved: Row, known: dict[str, Row], scopes: dict[str, Row]) -> None:
    _SCOPE.restore(scope, saved)
    engine.register(scope.nodes)
    if scope.graph.on_failure is not None:
        failure_node = Node(scope.graph.on_failure, scope)
        if failure_node.path in known:
            scope.failure_node = failure_node
            engine.register([failure_node])
    for node in (*scope.nodes, scope.failure_node):
        if node is not None and node.path in known:
            _restore_node(engine, node, known, scopes)
    failure_node_open = scope.failure_node is not None and scope.failure_node.phase not in FINAL
    scope.open = sum(node.phase not in FINAL for node in scope.nodes) + failure_node_open
    scope.count_waiting()


def _restore_node(engine: Engine, node: Node, known: dict[str, Row], scopes: dict[str, Row]) -> None:
    row = known[node.path]
    engine.log.place(node, NodePhase(row["phase"]))
    _fields(node).restore(node, row)
    node.state.from_fields(row)
    node.child = node.handler.restore_child(engine, node)
    if node.child is not None:
        _restore_scope(engine, node.child, scopes.get(node.path, {}), known, scopes)
