"""Dynamics: a task makes a graph, which then runs in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp_worker.engine.kinds.base import P, abort_asking, ask
from flytemp_worker.engine.kinds.tasks import TaskHandler
from flytemp_worker.engine.kinds.workflows import abort_child
from flytemp_worker.engine.nodes import GraphRun, depth

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.messages import IOCompleted, TaskSucceeded
    from flytemp_worker.engine.nodes import Node


class DynamicHandler(TaskHandler):
    """Three stages: the task runs, its graph is fetched, the graph runs. What fails in the graph fails the node."""

    def start(self, engine: Engine, node: Node) -> None:
        around = depth(node.scope, "dynamic")
        if around >= engine.max_dynamic_depth:
            node.attempt, node.try_ = node.attempt + 1, 1
            node.started = node.started or engine.at
            message = (
                f"{around} dynamics are inside each other, and that is the most there may be: "
                "does the recursion end? The limit is the worker's setting max_dynamic_depth"
            )
            engine.fail_with(node, {"kind": "USER", "code": "DynamicTooDeep", "message": message, "retryable": False})
            return
        super().start(engine, node)

    def succeeded(self, engine: Engine, node: Node, event: TaskSucceeded) -> None:
        engine.ledger.note(node)
        ask(engine, node, "expand", {})
        if node.phase is P.RUNNING:
            node.message = "its graph is being read"

    def told(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        node.message = None
        graph = engine.plan.add(event.answer, node.ref)
        node.extra["expanded"] = True
        node.outputs = None
        node.child = GraphRun(graph, node)
        engine.ledger.note(node)
        engine.call(node.child)

    def abort(self, engine: Engine, node: Node) -> None:
        if abort_asking(engine, node):
            return
        if node.child is not None:
            abort_child(engine, node)
        else:
            super().abort(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        if "asks" in node.extra:
            ask(engine, node, "expand", {})
        elif node.child is None:
            super().resume(engine, node)


def sources(rows: list[dict[str, object]]) -> list[str]:
    """The dynamics, of the rows of a state, whose plans are needed to restore it."""
    return [f"{row['id']}/{row['attempt']}" for row in rows if isinstance(x := row.get("extra"), dict) and x.get("expanded")]
