"""Branches: the first case whose condition holds is taken; the nodes of the others are skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flytemp.errors import FlytempError, InputError
from flytemp.spec.bindings import LITERAL, Binding, Closed
from flytemp_worker.engine import conditions
from flytemp_worker.engine.kinds.base import NodeHandler, P, abort_asking, ask, begin
from flytemp_worker.engine.kinds.workflows import abort_child
from flytemp_worker.engine.nodes import GraphRun
from flytemp_worker.engine.values import BindingResolver

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Engine
    from flytemp_worker.engine.messages import IOCompleted
    from flytemp_worker.engine.nodes import Node


class BranchHandler(NodeHandler):
    """Decides at once where the values are inline; else it asks for those that are not."""

    def start(self, engine: Engine, node: Node) -> None:
        begin(engine, node, "its conditions are evaluated")
        self._decide(engine, node, {})

    def told(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        self._decide(engine, node, event.answer["values"])

    def abort(self, engine: Engine, node: Node) -> None:
        if not abort_asking(engine, node):
            abort_child(engine, node)

    def resume(self, engine: Engine, node: Node) -> None:
        if "asks" in node.extra:
            ask(engine, node, "read", {"values": self._unread(node)})

    def _decide(self, engine: Engine, node: Node, values: dict[str, Any]) -> None:
        if not values and (unread := self._unread(node)):
            ask(engine, node, "read", {"values": unread})
            return
        try:
            self._take(engine, node, values)
        except FlytempError as error:
            engine.fail_user(node, error)

    def _take(self, engine: Engine, node: Node, values: dict[str, Any]) -> None:
        branch = node.plan.branch
        assert branch is not None
        known = {id(binding): values.get(str(number)) for number, binding in enumerate(_operands(node))}

        def read(binding: Binding) -> Any:
            value = known[id(binding)] or BindingResolver().resolve(binding, node.scope.lexical)
            if "error" in value:
                raise InputError(value["error"])
            return value[LITERAL]

        for condition, index, message in branch.cases:
            if conditions.holds(condition, read):
                if index is not None:
                    _open(engine, node, index)
                else:
                    _fail(engine, node, "UserProvidedError", message or "")
                return
        _fail(engine, node, "NoBranchTaken", "no case of the conditional holds, and there is no else")

    def _unread(self, node: Node) -> dict[str, Closed]:
        """The operands that are not inline, by their number; what leads nowhere is told when it is needed."""
        unread: dict[str, Closed] = {}
        for number, binding in enumerate(_operands(node)):
            try:
                closed = BindingResolver().resolve(binding, node.scope.lexical)
            except FlytempError:
                continue
            if LITERAL not in closed:
                unread[str(number)] = closed
        return unread


def _operands(node: Node) -> list[Binding]:
    assert node.plan.branch is not None
    return [binding for condition, _, _ in node.plan.branch.cases for binding in conditions.operands(condition)]


def _fail(engine: Engine, node: Node, code: str, message: str) -> None:
    engine.fail_with(node, {"kind": "USER", "code": code, "message": message, "retryable": False})


def _open(engine: Engine, node: Node, taken: int) -> None:
    node.extra["taken"] = taken
    engine.ledger.note(node)
    child = cases(node)
    engine.call(child)
    for index, case in enumerate(child.nodes):
        if index != taken:
            case.message = "another case of the conditional was taken"
            engine.finish(case, P.SKIPPED, case.message)


def cases(node: Node) -> GraphRun:
    """The scope of the branch's cases."""
    assert node.plan.branch is not None
    node.child = GraphRun(node.plan.branch.graph, node, kind="branch")
    return node.child
