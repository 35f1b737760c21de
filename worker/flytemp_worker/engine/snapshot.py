"""The engine's state as plain JSON: for continue-as-new, for the execution's record, for a reader's view.

One row per node that has a story; a node still waiting for others has none. The same rows serve all three.
"""

from __future__ import annotations

from typing import Any

from flytemp_worker.engine.kinds import maps
from flytemp_worker.engine.kinds.branches import cases
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.nodes import GraphRun, Node
from flytemp_worker.engine.phases import FINAL, NodePhase
from flytemp_worker.engine.plan import Plan

Row = dict[str, Any]

_FIELDS = (
    "attempt", "try_", "lost", "size", "started", "started_attempt", "finished", "until", "message", "error", "history",
    "outputs", "extra",
)  # fmt: skip
_HANDING_ON = ("gate", "branch", "workflow")
_DEFAULTS: dict[str, Any] = {"attempt": 0, "try_": 0, "lost": 0, "size": 0, "history": [], "extra": {}}


def row(node: Node) -> Row:
    """One node, without fields at their defaults. A task that SUCCEEDED without ``outputs`` has them in its result."""
    data: Row = {"id": node.path, "phase": str(node.phase)}
    for field in _FIELDS:
        value = getattr(node, field)
        if value != _DEFAULTS.get(field):
            data[field] = value
    if not is_static(node.scope):
        data.update(kind=node.kind, name=node.plan.name, target=node.plan.target)
    return data


def told(node: Node) -> Row:
    """A row for a reader: without outputs, which lie elsewhere, and with what a person wants to know of the kind."""
    data = {**row(node), "kind": node.kind}
    data.pop("outputs", None)
    if node.plan.gate is not None:
        data["gate"] = node.plan.gate
    if node.kind == "map" and node.child is not None:
        data["counts"] = list(maps.counts(node.child))
    return data


def is_static(scope: GraphRun) -> bool:
    """Whether the plan that the execution began with names the scope's nodes: no map and no dynamic is around them."""
    while scope.parent is not None:
        if scope.kind == "map" or scope.parent.kind == "dynamic":
            return False
        scope = scope.parent.scope
    return scope.kind != "map"


def rows(engine: Engine) -> list[Row]:
    """Every node that is not simply waiting, callers before what they call."""
    return [row(node) for node in engine.nodes() if node.phase is not NodePhase.WAITING or node.attempt]


def for_record(engine: Engine) -> list[Row]:
    """As `rows`, for readers."""
    return [told(node) for node in engine.nodes() if node.phase is not NodePhase.WAITING or node.attempt]


def state(engine: Engine) -> dict[str, Any]:
    """All that `restore` needs beside the plan and those of the dynamics in it.

    Outputs that nothing is waiting for are left out.
    """
    scopes = list(engine.scopes())
    kept = rows(engine)
    reading: dict[GraphRun, set[int]] = {}
    for data in kept:
        if "outputs" in data and not _is_read_inline(engine.by_path[data["id"]], reading):
            del data["outputs"]
    return {
        "rows": kept,
        "inputs": engine.root.inputs,
        "cancelled": engine.cancelled,
        "errors": {scope.path: scope.error for scope in scopes if scope.error is not None},
        "aborting": [scope.path for scope in scopes if scope.aborting],
        "reasons": {scope.path: scope.reason for scope in scopes if scope.reason},
        "expired": [scope.path for scope in scopes if scope.expired],
        "started": engine.root.started,
        "starts": {scope.path: scope.started for scope in scopes[1:] if _started_late(scope)},
        "spent": engine.spent,
        "finished": engine.finished,
        "paused": engine.paused,
        "answers": engine.answers,
    }


def _started_late(scope: GraphRun) -> bool:
    """A graph with a time-out that counts from another time than the node's attempt."""
    assert scope.parent is not None
    return scope.graph.timeout is not None and scope.started not in (None, scope.parent.started_attempt)


def _is_read_inline(node: Node, reading: dict[GraphRun, set[int]]) -> bool:
    """Whether a node that has not ended may take its outputs. Later readers find them in its result in the store."""
    if node.kind != "task" or node.scope.kind != "graph" or node.plan.index in node.scope.graph.exported:
        return True
    if node.scope not in reading:
        reading[node.scope] = _readers(node.scope)
    return any(index in reading[node.scope] for index in node.plan.feeds)


def _readers(scope: GraphRun) -> set[int]:
    """The nodes that may yet read what they take, or hand it on to one that may: a gate does, and so may a workflow."""
    before: dict[int, list[Node]] = {}
    for node in scope.nodes:
        if node.kind in _HANDING_ON:
            for index in node.plan.feeds:
                before.setdefault(index, []).append(node)
    exported = scope.graph.exported
    found = {
        node.plan.index for node in scope.nodes
        if node.phase not in FINAL or (node.kind in _HANDING_ON and node.plan.index in exported)
    }  # fmt: skip
    pending = list(found)
    while pending:
        for node in before.get(pending.pop(), ()):
            if node.plan.index not in found:
                found.add(node.plan.index)
                pending.append(node.plan.index)
    return found


def restore(plan: Plan, data: dict[str, Any], dynamics: dict[str, dict[str, Any]] | None = None, **limits: int) -> Engine:
    """The engine as it was when `state` saw it, between two steps; `Engine.resume` sets it going again.

    ``dynamics`` are the plans of the dynamics that had run, by `Node.ref`.
    """
    engine = Engine(plan, data["inputs"], **limits)
    fill(engine, data, dynamics)
    return engine


def fill(engine: Engine, data: dict[str, Any], dynamics: dict[str, dict[str, Any]] | None = None) -> None:
    """Put a state into an engine that was not begun."""
    for source, dynamic in (dynamics or {}).items():
        engine.plan.add(dynamic, source)
    engine.cancelled = data["cancelled"]
    engine.finished = data.get("finished", False)
    engine.paused = data.get("paused")
    engine.answers = data.get("answers", {})
    engine.spent = dict(data.get("spent", {}))
    engine.root.started = data.get("started")
    known = {item["id"]: item for item in data["rows"]}
    stops = {
        "aborting": set(data["aborting"]), "expired": set(data.get("expired", ())),
        "errors": data["errors"], "reasons": data.get("reasons", {}), "roots": dynamics or {},
        "starts": data.get("starts", {}),
    }  # fmt: skip
    _restore_scope(engine, engine.root, known, stops)


def _restore_scope(engine: Engine, scope: GraphRun, known: dict[str, Row], stops: dict[str, Any]) -> None:
    engine.know(scope.nodes)
    scope.error = stops["errors"].get(scope.path)
    scope.aborting = scope.path in stops["aborting"]
    scope.reason = stops["reasons"].get(scope.path, "")
    scope.expired = scope.path in stops["expired"]
    if scope.parent is not None:
        scope.started = stops["starts"].get(scope.path, scope.parent.started_attempt)
    _restore_handler(engine, scope, known, stops)
    for node in scope.nodes:
        item = known.get(node.path)
        if item is not None:
            _restore_node(engine, node, item, known, stops)
    for node in scope.nodes:
        if node.phase in FINAL:
            scope.open -= 1
        if node.phase is NodePhase.SUCCEEDED:
            for index in node.plan.feeds:
                scope.nodes[index].waiting -= 1
    if scope.kind == "map":
        scope.next = next((n for n, node in enumerate(scope.nodes) if node.phase is NodePhase.WAITING), len(scope.nodes))


def _restore_handler(engine: Engine, scope: GraphRun, known: dict[str, Row], stops: dict[str, Any]) -> None:
    plan = scope.graph.on_failure
    if plan is None:
        return
    handler = Node(plan, scope)
    item = known.get(handler.path)
    if item is not None:
        scope.handler = handler
        engine.know([handler])
        _restore_node(engine, handler, item, known, stops)
        scope.open += handler.phase not in FINAL


def _restore_node(engine: Engine, node: Node, item: Row, known: dict[str, Row], stops: dict[str, Any]) -> None:
    engine.ledger.put(node, NodePhase(item["phase"]))
    for field in _FIELDS:
        setattr(node, field, item.get(field, _DEFAULTS.get(field)))
    node.history, node.extra = list(node.history or []), {**(node.extra or {})}
    node.child = _child(engine, node, stops)
    if node.child is not None:
        _restore_scope(engine, node.child, known, stops)
    elif node.kind in ("task", "dynamic") and "asks" not in node.extra:
        engine.running += node.phase in (NodePhase.RUNNING, NodePhase.CANCELLING)


def _child(engine: Engine, node: Node, stops: dict[str, Any]) -> GraphRun | None:
    """What had been opened in the node."""
    if node.kind == "workflow" and node.try_:
        return GraphRun(engine.plan.graph(node.scope.graph.source, node.plan.target), node)
    if node.kind == "branch" and "taken" in node.extra:
        return cases(node)
    if node.kind == "dynamic" and "expanded" in node.extra:
        return GraphRun(engine.plan.graph(node.ref, stops["roots"][node.ref]["root"]), node)
    inline = node.kind == "map" and 0 < node.extra.get("items", 0) <= engine.max_map_items
    return maps.inline_scope(node) if inline else None
