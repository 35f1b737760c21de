"""Sub-workflows: graphs that run in a node of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp_worker.engine.kinds.base import NodeHandler, P, begin
from flytemp_worker.engine.nodes import GraphRun

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.nodes import Node


class WorkflowHandler(NodeHandler):
    """Runs its graph in a scope of its own; it ends when that is over."""

    def start(self, engine: Engine, node: Node) -> None:
        begin(engine, node, "its sub-workflow starts")
        node.child = GraphRun(engine.plan.graph(node.scope.graph.source, node.plan.target), node)
        engine.call(node.child)

    def abort(self, engine: Engine, node: Node) -> None:
        abort_child(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        """Its nodes are resumed; it has nothing of its own in flight."""


def abort_child(engine: Engine, node: Node) -> None:
    """Stop what runs in the node; the node ends with it."""
    if node.phase is P.RUNNING:
        engine.move(node, P.CANCELLING, "the workflow is stopping")
        assert node.child is not None
        engine.abort(node.child, "the workflow is stopping")
