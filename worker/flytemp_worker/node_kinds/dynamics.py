"""Dynamic nodes: a task makes a graph, which then runs in its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flytemp.names import attempt_key
from flytemp.spec.bindings import Binding
from flytemp_worker.engine.errors import make_error
from flytemp_worker.engine.handlers import NodeHandler, P
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import IOCompleted, TaskSucceeded
from flytemp_worker.engine.nodes import GraphRun, Node
from flytemp_worker.node_kinds.tasks import TaskAttempt, TaskHandler


@dataclass(slots=True)
class DynamicAttempt(TaskAttempt):
    expanded: bool = False  # the graph has been read

    def source_of(self, node: Node, output: str) -> tuple[Binding, GraphRun] | None:
        return None if node.child is None else (node.child.graph.outputs[output], node.child)


class DynamicHandler(TaskHandler):
    """Runs the task, reads its graph and runs that. A failure in the graph fails the node."""

    attempt = DynamicAttempt
    is_named_by_plan = False

    def start(self, engine: Engine, node: Node) -> None:
        depth = _depth(node.scope, self)
        if depth >= engine.limits.max_dynamic_depth:
            engine.begin_attempt(node)
            message = (
                f"{depth} dynamic workflows are nested in each other, which is the maximum: does the recursion end? "
                "The worker's setting max_dynamic_depth sets the limit"
            )
            engine.fail_with(node, make_error("DynamicTooDeep", message))
        else:
            super().start(engine, node)

    def on_success(self, engine: Engine, node: Node, event: TaskSucceeded) -> None:
        engine.log.note(node)
        engine.request(node, "expand")
        if node.phase is P.RUNNING:
            node.state.message = "its graph is being read"

    def on_io(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        assert isinstance(node.state, DynamicAttempt)
        engine.plan.add(event.answer, node.ref)
        node.state.message = node.state.outputs = None
        node.state.expanded = True
        node.child = self.restore_child(engine, node)
        assert node.child is not None
        engine.log.note(node)
        engine.open_scope(node.child)

    def is_in_flight(self, node: Node) -> bool:
        return node.state.asks is None and node.child is None and super().is_in_flight(node)

    def restore_child(self, engine: Engine, node: Node) -> GraphRun | None:
        assert isinstance(node.state, DynamicAttempt)
        return GraphRun(engine.plan.roots[node.ref], node, node.scope.handlers) if node.state.expanded else None


def _depth(scope: GraphRun, handler: NodeHandler) -> int:
    """Return the number of dynamic nodes around a scope."""
    count = 0
    while scope.parent is not None:
        count += scope.parent.handler is handler
        scope = scope.parent.scope
    return count


def sources(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the references of the dynamic nodes whose plans are needed to restore a state with these rows."""
    expanded = (row for row in rows if row.get("expanded"))
    return [f"{row['id']}/{attempt_key(row['attempt'], row.get('epoch', ''))}" for row in expanded]
