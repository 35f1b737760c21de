"""Branches: the first case whose condition holds runs; the nodes of the other cases are skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flytemp.errors import FlytempError, InputError
from flytemp.spec.bindings import LITERAL, Binding, Closed, node_output
from flytemp_worker.engine.errors import make_error
from flytemp_worker.engine.handlers import NodeHandler, P
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import IOCompleted
from flytemp_worker.engine.nodes import Attempt, GraphRun, Node
from flytemp_worker.engine.plan import BranchPlan
from flytemp_worker.engine.values import BindingResolver
from flytemp_worker.node_kinds import conditions


@dataclass(slots=True)
class BranchAttempt(Attempt):
    taken: int | None = None  # index of the case that runs

    def source_of(self, node: Node, output: str) -> tuple[Binding, GraphRun] | None:
        if node.child is None or self.taken is None:
            return None
        return node_output(self.taken, output), node.child


class BranchHandler(NodeHandler):
    """Evaluates the conditions at once if their values are inline; otherwise it requests those that are not."""

    attempt = BranchAttempt
    is_transparent = True

    def start(self, engine: Engine, node: Node) -> None:
        engine.begin_attempt(node)
        engine.move(node, P.RUNNING, "its conditions are evaluated")
        if _stored_operands(node):
            engine.request(node, "read")
        else:
            self._decide(engine, node, {})

    def io_argument(self, engine: Engine, node: Node, operation: str) -> dict[str, Any]:
        return {"values": _stored_operands(node)}

    def on_io(self, engine: Engine, node: Node, event: IOCompleted) -> None:
        self._decide(engine, node, event.answer["values"])

    def _decide(self, engine: Engine, node: Node, values: dict[str, Any]) -> None:
        """Take a case; ``values`` are the operands that were not inline, by their numbers."""
        branch = _plan(node)
        read_values = {id(binding): values.get(str(number)) for number, binding in enumerate(_operands(branch))}

        def read(binding: Binding) -> Any:
            value = read_values[id(binding)] or BindingResolver().resolve(binding, node.scope.lexical)
            if "error" in value:
                raise InputError(value["error"])
            return value[LITERAL]

        try:
            case = next((case for case in branch.cases if conditions.holds(case.condition, read)), None)
        except FlytempError as error:
            engine.fail_user(node, error)
            return
        if case is None:
            engine.fail_with(node, make_error("NoBranchTaken", "no case of the conditional holds, and it has no else"))
        elif case.node is None:
            engine.fail_with(node, make_error("UserProvidedError", case.failure or ""))
        else:
            self._open(engine, node, case.node)

    def _open(self, engine: Engine, node: Node, taken: int) -> None:
        assert isinstance(node.state, BranchAttempt)
        node.state.taken = taken
        engine.log.note(node)
        node.child = _run_of(node)
        engine.open_scope(node.child)
        for index, case in enumerate(node.child.nodes):
            if index != taken:
                engine.skip(case, "another case of the conditional was taken")

    def restore_child(self, engine: Engine, node: Node) -> GraphRun | None:
        assert isinstance(node.state, BranchAttempt)
        return None if node.state.taken is None else _run_of(node)

    def is_retried(self, node: Node) -> bool:
        branch = node.scope.parent
        return branch is not None and isinstance(branch.state, BranchAttempt) and branch.state.taken == node.plan.index


def _plan(node: Node) -> BranchPlan:
    assert node.plan.branch is not None
    return node.plan.branch


def _run_of(node: Node) -> GraphRun:
    return GraphRun(_plan(node).graph, node, node.scope.handlers)


def _operands(branch: BranchPlan) -> list[Binding]:
    return [binding for case in branch.cases for binding in conditions.operands(case.condition)]


def _stored_operands(node: Node) -> dict[str, Closed]:
    """Return the operands that are not inline, by their numbers; those that do not exist fail when they are needed."""
    stored: dict[str, Closed] = {}
    for number, binding in enumerate(_operands(_plan(node))):
        try:
            closed = BindingResolver().resolve(binding, node.scope.lexical)
        except FlytempError:
            continue
        if LITERAL not in closed:
            stored[str(number)] = closed
    return stored
