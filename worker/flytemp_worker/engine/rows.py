"""The engine's state as plain JSON: for continue-as-new, for the execution's record, for a reader's view.

One row per node that has a story; a node still waiting for others has none. The same rows serve all three.
"""

from __future__ import annotations

from typing import Any

from flytemp_worker.engine.machine import Engine, Node, Scope
from flytemp_worker.engine.phases import FINAL, NodePhase
from flytemp_worker.engine.plan import Plan

Row = dict[str, Any]

_FIELDS = (
    "attempt", "try_", "lost", "size", "started", "started_attempt", "finished", "message", "error", "history", "outputs", "until",
)  # fmt: skip
_DEFAULTS: dict[str, Any] = {"attempt": 0, "try_": 0, "lost": 0, "size": 0, "history": []}


def row(node: Node) -> Row:
    """One node. Fields at their defaults are left out; ``large`` marks outputs that lie in the store only."""
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
    return {
        "rows": rows(engine),
        "inputs": engine.root.inputs,
        "cancelled": engine.cancelled,
        "errors": {node.path: node.child.error for node in engine.nodes() if node.child is not None and node.child.error},
        "error": engine.root.error,
    }


def restore(plan: Plan, data: dict[str, Any], **limits: int) -> Engine:
    """The engine as it was. It is not aborting: an execution that is stopping is not continued as new."""
    engine = Engine(plan, data["inputs"], **limits)
    engine.cancelled = data["cancelled"]
    engine.root.error = data["error"]
    known = {item["id"]: item for item in data["rows"]}
    _restore_scope(engine, engine.root, known, data["errors"])
    return engine


def _restore_scope(engine: Engine, scope: Scope, known: dict[str, Row], errors: dict[str, Any]) -> None:
    engine._know(scope)
    for node in scope.nodes:
        item = known.get(node.path)
        if item is not None:
            _restore_node(engine, node, item, known, errors)
    for node in scope.nodes:
        if node.phase in FINAL:
            scope.open -= 1
        if node.phase is NodePhase.SUCCEEDED:
            for index in node.plan.feeds:
                scope.nodes[index].waiting -= 1


def _restore_node(engine: Engine, node: Node, item: Row, known: dict[str, Row], errors: dict[str, Any]) -> None:
    engine._count(node, NodePhase(item["phase"]))
    for field in _FIELDS:
        setattr(node, field, item.get(field, _DEFAULTS.get(field)))
    node.history = list(node.history or [])
    if node.plan.kind == "workflow" and node.attempt:
        node.child = Scope(engine.plan.graphs[node.plan.target], node, None)
        node.child.error = errors.get(node.path)
        _restore_scope(engine, node.child, known, errors)
    elif node.phase in (NodePhase.RUNNING, NodePhase.CANCELLING):
        engine.running += 1
