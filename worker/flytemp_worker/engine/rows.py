"""The engine's state as plain JSON: for continue-as-new, for the execution's record, for a reader's view.

One row per node that has a story; a node still waiting for others has none. The same rows serve all three.
"""

from __future__ import annotations

from typing import Any

from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.nodes import Node, Scope
from flytemp_worker.engine.phases import FINAL, NodePhase
from flytemp_worker.engine.plan import Plan

Row = dict[str, Any]

_FIELDS = (
    "attempt", "try_", "lost", "size", "started", "started_attempt", "finished", "until", "message", "error", "history",
    "outputs",
)  # fmt: skip
_DEFAULTS: dict[str, Any] = {"attempt": 0, "try_": 0, "lost": 0, "size": 0, "history": []}


def row(node: Node) -> Row:
    """One node, without fields at their defaults. A task that SUCCEEDED without ``outputs`` has them in its result."""
    data: Row = {"id": node.path, "phase": str(node.phase)}
    for field in _FIELDS:
        value = getattr(node, field)
        if value != _DEFAULTS.get(field):
            data[field] = value
    return data


def rows(engine: Engine) -> list[Row]:
    """Every node that is not simply waiting, callers before what they call."""
    return [row(node) for node in engine.nodes() if node.phase is not NodePhase.WAITING]


def state(engine: Engine) -> dict[str, Any]:
    """All that `restore` needs beside the plan."""
    scopes = [engine.root, *(node.child for node in engine.nodes() if node.child is not None)]
    return {
        "rows": rows(engine),
        "inputs": engine.root.inputs,
        "cancelled": engine.cancelled,
        "errors": {scope.path: scope.error for scope in scopes if scope.error is not None},
        "aborting": [scope.path for scope in scopes if scope.aborting],
    }


def restore(plan: Plan, data: dict[str, Any], **limits: int) -> Engine:
    """The engine as it was when `state` saw it, between two steps; `Engine.resume` sets it going again."""
    engine = Engine(plan, data["inputs"], **limits)
    engine.cancelled = data["cancelled"]
    known = {item["id"]: item for item in data["rows"]}
    _restore_scope(engine, engine.root, known, {**data, "aborting": set(data["aborting"])})
    return engine


def _restore_scope(engine: Engine, scope: Scope, known: dict[str, Row], data: dict[str, Any]) -> None:
    engine._know(scope)
    scope.error = data["errors"].get(scope.path)
    scope.aborting = scope.path in data["aborting"]
    for node in scope.nodes:
        item = known.get(node.path)
        if item is not None:
            _restore_node(engine, node, item, known, data)
    for node in scope.nodes:
        if node.phase in FINAL:
            scope.open -= 1
        if node.phase is NodePhase.SUCCEEDED:
            for index in node.plan.feeds:
                scope.nodes[index].waiting -= 1


def _restore_node(engine: Engine, node: Node, item: Row, known: dict[str, Row], data: dict[str, Any]) -> None:
    engine.ledger.put(node, NodePhase(item["phase"]))
    for field in _FIELDS:
        setattr(node, field, item.get(field, _DEFAULTS.get(field)))
    node.history = list(node.history or [])
    if node.plan.kind == "workflow" and node.attempt:
        node.child = Scope(engine.plan.graphs[node.plan.target], node)
        _restore_scope(engine, node.child, known, data)
    elif node.phase in (NodePhase.RUNNING, NodePhase.CANCELLING):
        engine.running += 1
