"""Integrity of documents: errors name the workflow, the node and the problem."""

from __future__ import annotations

from functools import partial

import pytest

from flytemp.errors import CorruptData
from flytemp.literals.types import SimpleType
from flytemp.spec.graphs import circular
from flytemp.spec.integrity import check_integrity
from flytemp.spec.models import (
    Binding,
    InputBinding,
    Interface,
    ListBinding,
    LiteralBinding,
    NodeSpec,
    OutputBinding,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.plan import plan_of
from tests.messages.golden import check_golden, unlocated

ANY = SimpleType(kind="any")


def variables(*names: str) -> tuple[Variable, ...]:
    return tuple(Variable(name=name, type=ANY) for name in names)


STEP = TaskSpec(name="step", interface=Interface(inputs=variables("a"), outputs=variables("o")), loader="program:step")


def step(node_id: str, a: Binding | None = None, *after: str) -> NodeSpec:
    return NodeSpec(id=node_id, kind="task", target="step", inputs={"a": a or LiteralBinding(value=1)}, after=after)


def of(node: str, var: str = "o") -> OutputBinding:
    return OutputBinding(node=node, var=var)


def call(node_id: str, target: str) -> NodeSpec:
    inputs: dict[str, Binding] = {"x": LiteralBinding(value=1)} if target == "wf" else {}
    return NodeSpec(id=node_id, kind="workflow", target=target, inputs=inputs)


def workflow(name: str, *nodes: NodeSpec, outputs: dict[str, Binding] | None = None, gives: str = "") -> WorkflowSpec:
    interface = Interface(inputs=variables("x") if name == "wf" else (), outputs=variables(*gives.split()))
    return WorkflowSpec(name=name, interface=interface, nodes=nodes, outputs=outputs or {})


def program(*workflows: WorkflowSpec) -> WorkflowDocument:
    return WorkflowDocument(name="wf", workflows={spec.name: spec for spec in workflows}, tasks={"step": STEP})


def test_valid_document_passes_in_any_order_of_nodes() -> None:
    nodes = (step("n2", of("n1"), "n0"), step("n1", ListBinding(items=(of("n0"), InputBinding(var="x")))), step("n0"))
    check_integrity(program(workflow("wf", *nodes, call("s", "sub"), outputs={"o": of("n2")}, gives="o"), workflow("sub")))


INVALID = {
    "another workflow": program(workflow("other")),
    "two nodes in a cycle": program(workflow("wf", step("n0", None, "n1"), step("n1", of("n0")), step("n2"))),
    "a node of its own output": program(workflow("wf", step("n0", of("n0")))),
    "a workflow that calls itself": program(workflow("wf", call("n0", "wf"))),
    "two workflows in a cycle": program(workflow("wf", call("n0", "b")), workflow("b", call("n0", "wf"))),
    "unknown workflow": program(workflow("wf", call("n0", "b"))),
    "order after an unknown node": program(workflow("wf", step("n0", None, "n7"))),
    "output of an unknown node": program(workflow("wf", step("n0", of("n7")))),
    "unknown output": program(workflow("wf", step("n0"), step("n1", of("n0", "p")))),
    "unknown input of the workflow": program(workflow("wf", step("n0", InputBinding(var="y")))),
    "output from an unknown node": program(workflow("wf", outputs={"o": of("n0")}, gives="o")),
    "missing output": program(workflow("wf", gives="o p", outputs={"o": LiteralBinding(value=1)})),
    "an id twice": program(workflow("wf", step("n0"), step("n0"))),
    "missing input": program(workflow("wf", NodeSpec(id="n0", kind="task", target="step"))),
    "unknown input": program(workflow("wf", step("n0").model_copy(update={"inputs": {"b": LiteralBinding(value=1)}}))),
}


def test_texts_of_invalid_documents() -> None:
    check_golden("invalid-documents", {name: unlocated(partial(check_integrity, made)) for name, made in INVALID.items()})


@pytest.mark.parametrize("document", INVALID.values(), ids=INVALID.keys())
def test_invalid_document_has_no_plan(document: WorkflowDocument) -> None:
    with pytest.raises(CorruptData):
        plan_of(document)


def test_circular_returns_only_names_without_order() -> None:
    assert circular({"a": set(), "b": {"a"}, "c": {"a", "b"}}) == []
    assert circular({"a": set(), "b": {"a", "c"}, "c": {"b"}, "d": {"c"}}) == ["b", "c", "d"]
