"""Launch plans: executions of their own, as child workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flytemp.errors import FlytempError
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.spec.bindings import literals_in
from flytemp_worker.engine import deadlines
from flytemp_worker.engine.kinds.base import NodeHandler, P, abort_asking, ask, begin
from flytemp_worker.engine.messages import CancelChild, ChildClosed, StartChild
from flytemp_worker.engine.phases import IllegalMove
from flytemp_worker.engine.values import close

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.messages import IOCompleted
    from flytemp_worker.engine.nodes import Node

EXECUTION = -1
"""The part number of what is no part of a map."""


class LaunchPlanHandler(NodeHandler):
    """Not counted among what runs at once: its execution has a limit of its own."""

    def start(self, engine: Engine, node: Node) -> None:
        engine.ready_children.append(node)

    def run(self, engine: Engine, node: Node) -> None:
        begin(engine, node, "its execution is launched")
        self._prepare(engine, node)

    def _prepare(self, engine: Engine, node: Node) -> None:
        """Launch with inputs as literals; those that are not inline are asked for."""
        uri = node.extra.get("inputs")
        if node.extra.get("launched") == node.attempt and "asked" in node.extra and uri is None:
            self._launch(engine, node, {}, None)  # it runs, and has what it was given
            return
        try:
            closed = close(node.bindings, node.scope, INLINE_BYTES)
        except FlytempError as error:
            engine.fail_user(node, error)
            return
        if uri is not None:
            self._launch(engine, node, {}, uri)
        elif (literals := literals_in(closed)) is not None:
            self._launch(engine, node, literals, None)
        else:
            node.extra["asked"] = True
            ask(engine, node, "inputs", {"values": closed})

    def told(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        uri = event.answer.get("uri")
        if uri is not None:
            node.extra["inputs"] = uri
        self._launch(engine, node, event.answer.get("values") or {}, uri)

    def _launch(self, engine: Engine, node: Node, inputs: dict[str, Any], uri: str | None) -> None:
        assert node.plan.launch_plan is not None
        resumed = node.extra.get("launched") == node.attempt
        node.extra["launched"] = node.attempt
        engine.children += 1
        engine.emit(StartChild(node.path, node.attempt, node.plan.launch_plan, inputs, uri, resumed))
        engine.ledger.note(node)
        if node.phase is P.CANCELLING:
            engine.emit(CancelChild(node.path, EXECUTION, node.attempt, node.scope.reason or "the parent is stopping"))

    def abort(self, engine: Engine, node: Node) -> None:
        if node.phase is P.RUNNING and not abort_asking(engine, node):
            engine.move(node, P.CANCELLING, "the workflow is stopping")
            engine.emit(CancelChild(node.path, EXECUTION, node.attempt, node.scope.reason or "the parent is stopping"))
        elif node.phase is P.READY:
            deadlines.stopped(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        if node.phase is P.READY:
            engine.ready_children.append(node)
        else:
            self._prepare(engine, node)

    def child_closed(self, engine: Engine, node: Node, event: ChildClosed) -> None:
        if event.attempt != node.attempt or node.phase not in (P.RUNNING, P.CANCELLING):
            return  # it was told twice: by the child, and by Temporal
        engine.children -= 1
        if event.phase == "SUCCEEDED":
            node.outputs, node.size = event.outputs, event.size
            if event.outputs_uri is not None:
                node.extra["link"] = event.outputs_uri
            engine.finish(node, P.SUCCEEDED, "its execution succeeded")
            return
        if node.phase is P.CANCELLING:
            deadlines.stopped(engine, node)
            return
        error = event.error or {"kind": "SYSTEM", "code": "ChildEnded", "message": f"its execution is {event.phase}"}
        engine.fail_with(node, {**error, "retryable": False})


def on_child_closed(engine: Engine, event: ChildClosed) -> None:
    """The end of an execution or of a part of a map, heard once or twice."""
    from flytemp_worker.engine.kinds import HANDLERS

    node = engine.known(event.node, "ChildClosed")
    if node.kind not in ("launch_plan", "map"):
        raise IllegalMove(node.path, f"the end of a child for a {node.kind}", engine.ledger.story(node.path))
    HANDLERS[node.kind].child_closed(engine, node, event)
