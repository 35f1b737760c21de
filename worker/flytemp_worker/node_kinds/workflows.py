"""Sub-workflows: graphs that run in a node of another graph."""

from __future__ import annotations

from dataclasses import dataclass

from flytemp.spec.bindings import Binding
from flytemp_worker.engine.handlers import NodeHandler, P
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.nodes import Attempt, GraphRun, Node


@dataclass(slots=True)
class WorkflowAttempt(Attempt):
    def source_of(self, node: Node, output: str) -> tuple[Binding, GraphRun] | None:
        return None if node.child is None else (node.child.graph.outputs[output], node.child)


class WorkflowHandler(NodeHandler):
    """Runs the graph in a scope of its own; the node ends with it."""

    attempt = WorkflowAttempt

    def start(self, engine: Engine, node: Node) -> None:
        engine.begin_attempt(node)
        engine.move(node, P.RUNNING, "its sub-workflow starts")
        node.child = _run_of(engine, node)
        engine.open_scope(node.child)

    def restore_child(self, engine: Engine, node: Node) -> GraphRun | None:
        return _run_of(engine, node) if node.state.try_ else None


def _run_of(engine: Engine, node: Node) -> GraphRun:
    return GraphRun(engine.plan.graph(node.scope.graph.source, node.plan.target), node, node.scope.handlers)
