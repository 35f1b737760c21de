"""Integrity of every kind of node."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from flytemp.errors import CorruptData, Location
from flytemp.literals.types import ListType, SimpleType, UnionType
from flytemp.spec.graphs import needs_of
from flytemp.spec.integrity import check_integrity, integrity_problems
from flytemp.spec.models import (
    Backoff,
    Binding,
    BranchCase,
    BranchSpec,
    Comparison,
    ErrorBinding,
    GateSpec,
    InputBinding,
    Interface,
    Junction,
    LaunchPlanReference,
    ListBinding,
    LiteralBinding,
    MapBinding,
    MapSpec,
    NodeOverrides,
    NodeSpec,
    OutputBinding,
    Retries,
    TaskSettings,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.node_forms import form_of
from tests.messages.golden import Case, check_golden, unlocated

INT = SimpleType(kind="integer")
X = InputBinding(var="x")
ONE = LiteralBinding(value=1)
URN = "tsk:shared:production:lib.step:v1"


def variable(name: str) -> Variable:
    return Variable(name=name, type=INT)


FACE = Interface(inputs=(variable("a"),), outputs=(variable("o"),))
STEP = TaskSpec(name="step", interface=FACE, loader="m:step")
FAN = TaskSpec(name="fan", kind="dynamic", interface=FACE, loader="m:fan")
FOREIGN = TaskSpec(name="lib.step", interface=FACE, loader="m:step")
HANDLER = TaskSpec(
    name="handler",
    interface=Interface(inputs=(variable("x"), Variable(name="err", type=SimpleType(kind="any"), required=False))),
    loader="m:handler",
)
SUB = WorkflowSpec(name="sub", interface=FACE, outputs={"o": InputBinding(var="a")})
PLAN = LaunchPlanReference(name="plan", interface=FACE)


def of(node: str, var: str = "o") -> OutputBinding:
    return OutputBinding(node=node, var=var)


def step(node_id: str, a: Binding = X, *after: str, **more: Any) -> NodeSpec:
    return NodeSpec(id=node_id, kind="task", target="step", inputs={"a": a}, after=after, **more)


def call(node_id: str, kind: Any, target: str, **inputs: Binding) -> NodeSpec:
    return NodeSpec(id=node_id, kind=kind, target=target, inputs=inputs or {"a": X})


def mapped(node_id: str, *, target: str = "step", **more: Any) -> NodeSpec:
    items = ListBinding(items=(X, ONE))
    return NodeSpec(id=node_id, kind="map", target=target, inputs={"a": items}, map=MapSpec(**{"over": ("a",), **more}))


def gate(node_id: str, **more: Any) -> NodeSpec:
    return NodeSpec(id=node_id, kind="gate", gate=GateSpec(**{"kind": "input", "name": "go", "type": INT, **more}))


def less(left: Binding, right: Binding = ONE) -> Comparison:
    return Comparison(operator="<", left=left, right=right, type="integer")


def when(node: NodeSpec | None, condition: Any = None, fail: str | None = None) -> BranchCase:
    return BranchCase(condition=condition, node=node, fail=fail)


def branch(node_id: str, *cases: BranchCase, outputs: str = "") -> NodeSpec:
    spec = BranchSpec(cases=cases, outputs=tuple(variable(name) for name in outputs.split()))
    return NodeSpec(id=node_id, kind="branch", branch=spec)


def program(*nodes: NodeSpec, outputs: dict[str, Binding] | None = None, **more: Any) -> WorkflowDocument:
    interface = Interface(inputs=(variable("x"),), outputs=tuple(variable(name) for name in outputs or {}))
    spec = WorkflowSpec(name="wf", interface=interface, nodes=nodes, outputs=outputs or {}, **more)
    return WorkflowDocument(
        name="wf",
        workflows={"wf": spec, "sub": SUB},
        tasks={"step": STEP, "fan": FAN, "handler": HANDLER, URN: FOREIGN},
        launch_plans={"plan": PLAN},
    )


def failure(**inputs: Binding) -> NodeSpec:
    return NodeSpec(id="fn0", kind="task", target="handler", inputs={"x": X, **inputs})


def test_valid_document_of_every_kind_passes() -> None:
    inner = branch("n1", when(step("n0", of("n0")), less(of("n0"))), when(None, fail="no"), outputs="o")
    cases = (
        when(call("n0", "workflow", "sub"), Junction(kind="and", terms=(less(X), less(of("n1"))))),
        when(inner, less(of("n0"))),
        when(call("n2", "launch_plan", "plan")),
    )
    document = program(
        step("n0"),
        call("n1", "dynamic", "fan", a=of("n0")),
        branch("n2", *cases, outputs="o"),
        mapped("n3", concurrency=0, min_success_ratio=0.5, items_per_task=7),
        mapped("n4", kind="workflow", target="sub", min_successes=0),
        mapped("n5", kind="launch_plan", target="plan"),
        NodeSpec(id="n6", kind="gate", inputs={"value": of("n2")}, gate=GateSpec(kind="approve", name="ok", type=INT)),
        gate("n7", timeout_seconds=0.5),
        NodeSpec(id="n8", kind="sleep", sleep_seconds=0, after=("n7",)),
        call("n9", "task", URN),
        outputs={"y": of("n6", "o0"), "z": of("n2")},
        on_failure=failure(err=MapBinding(entries={"why": ErrorBinding()})),
        timeout_seconds=60,
    )
    check_integrity(document)


INVALID_NODES: list[NodeSpec] = [
    NodeSpec(id="n1", kind="branch"),
    NodeSpec(id="n1", kind="map", target="step"),
    NodeSpec(id="n1", kind="gate"),
    NodeSpec(id="n1", kind="sleep"),
    step("n1", sleep_seconds=1),
    NodeSpec(id="n1", kind="sleep", sleep_seconds=1, target="step"),
    NodeSpec(id="n1", kind="sleep", sleep_seconds=-1),
    NodeSpec(id="n1", kind="sleep", sleep_seconds=1, inputs={"x": ONE}),
    call("n1", "launch_plan", "other"),
    call("n1", "dynamic", "step"),
    call("n1", "task", "fan"),
    step("N 1"),
    step("n1.n0"),
    step("n1", ErrorBinding()),
    step("n1", of("n1")),
    mapped("n1", target="other"),
    mapped("n1", kind="dynamic"),
    mapped("n1", over=("b",)),
    mapped("n1", over=()),
    mapped("n1", over=("a", "a")),
    mapped("n1", concurrency=-1),
    mapped("n1", min_successes=-1),
    mapped("n1", min_success_ratio=1.01),
    mapped("n1", min_success_ratio=float("nan")),
    mapped("n1", items_per_task=0),
    mapped("n1", kind="workflow", target="sub", items_per_task=2),
    gate("n1", timeout_seconds=0),
    gate("n1", type=None),
    gate("n1", name=""),
    gate("n1", kind="approve"),
    step("n1", overrides=NodeOverrides(settings=TaskSettings(timeout_seconds=0))),
    step("n1", overrides=NodeOverrides(settings=TaskSettings(retries=Retries(count=-1)))),
    call("n1", "workflow", "sub").model_copy(update={"overrides": NodeOverrides(settings=TaskSettings())}),
    branch("n1"),
    branch("n1", when(step("n0"), Comparison(operator=">=", left=X, right=ONE, type="boolean"))),
    branch("n1", when(None, less(X))),
    branch("n1", when(step("n0"), less(X), fail="x")),
    branch("n1", when(step("n0")), when(step("n1"))),
    branch("n1", when(step("n0"), less(X)), when(step("n0"))),
    branch("n1", when(step("n0"), Junction(kind="or", terms=()))),
    branch("n1", when(step("n0")), outputs="o p"),
    branch("n1", when(step("n0")), outputs="o o"),
    branch("n1", when(call("n0", "task", "other"))),
    branch("n1", when(step("n0", of("n7")))),
    branch("n1", when(step("n0", of("n0", "p")))),
    branch("n1", when(step("n0", X, "n7"))),
    branch("n1", when(step("n0"), less(of("n7")))),
    branch("n1", when(step("n0"), less(ErrorBinding()))),
    branch("n1", when(step("n0", of("n1"))), outputs="o"),
    branch("n1", when(branch("b", when(step("c", X, "n1"))))),
    branch("n1", when(call("n0", "workflow", "wf", x=X))),
    mapped("n1", kind="workflow", target="wf", over=("x",)).model_copy(update={"inputs": {"x": X}}),
]


def content(node: NodeSpec) -> str:
    return str(node.model_dump(exclude_defaults=True))


def test_invalid_nodes_are_refused() -> None:
    documents = {content(node): program(step("n0"), node) for node in INVALID_NODES}
    check_golden("invalid-nodes", {name: unlocated(partial(check_integrity, made)) for name, made in documents.items()})


def test_only_types_with_an_order_can_be_ordered() -> None:
    def compared(operator: Any) -> WorkflowDocument:
        condition = Comparison(operator=operator, left=X, right=ONE, type="boolean")
        return program(branch("n0", when(step("n0"), condition)))

    check_integrity(compared("!="))
    with pytest.raises(CorruptData):
        check_integrity(compared(">="))


INVALID_HANDLERS: list[NodeSpec] = [
    failure(err=of("n0")),
    failure().model_copy(update={"id": "n0"}),
    failure().model_copy(update={"after": ("n0",)}),
    gate("fn0"),
    failure().model_copy(update={"inputs": {}}),
    call("fn0", "workflow", "wf", x=X),
]


def test_invalid_failure_nodes_are_refused() -> None:
    documents = {content(node): program(step("n0"), on_failure=node) for node in INVALID_HANDLERS}
    check_golden("invalid-failure-nodes", {name: unlocated(partial(check_integrity, made)) for name, made in documents.items()})


INVALID_ENTRIES: dict[str, dict[str, Any]] = {
    "another name": {"tasks": {"step": STEP.model_copy(update={"name": "other"})}},
    "a reference under another name": {"tasks": {URN: STEP}},
    "a launch plan under another name": {"launch_plans": {"p": PLAN}},
    "an unresolved reference": {"tasks": {"step": STEP.model_copy(update={"kind": "reference", "reference": URN})}},
    "an invalid backoff": {
        "tasks": {"step": STEP.model_copy(update={"settings": TaskSettings(retries=Retries(backoff=Backoff(factor=0)))})}
    },
    "an input twice": {"tasks": {"step": STEP.model_copy(update={"interface": Interface(inputs=FACE.inputs * 2)})}},
}


def test_invalid_entries_are_refused() -> None:
    documents = {name: program().model_copy(update=change) for name, change in INVALID_ENTRIES.items()}
    check_golden("invalid-entries", {name: unlocated(partial(check_integrity, made)) for name, made in documents.items()})


def test_problems_of_a_workflow() -> None:
    spec = program().root.model_copy(update={"timeout_seconds": 0, "outputs": {"o": ONE}})
    document = program().model_copy(update={"workflows": {"wf": spec, "sub": SUB}})
    reference = SUB.model_copy(update={"reference": "wf:a:b:sub:v1"})
    other = program().model_copy(update={"workflows": {"wf": program().root, "sub": reference}})
    cases: dict[str, Case] = {
        "two problems": lambda: "\n".join(problem.message for problem in integrity_problems(document)),
        "a reference": unlocated(lambda: check_integrity(other)),
    }
    check_golden("invalid-workflows", cases)


def test_all_problems_are_found() -> None:
    def locate(workflow: str, node: str, name: str) -> Location:
        return Location(f"{workflow}.{node}", 1)

    document = program(step("n0", of("n7")), step("n1", X, "n8"), gate("n2", type=None))
    problems = list(integrity_problems(document, locate=locate))
    assert [problem.location for problem in problems] == [Location(f"wf.{node}", 1) for node in ("n2", "n0", "n1")]


def test_branch_needs_the_nodes_of_its_conditions_and_cases() -> None:
    inner = branch("b", when(step("c", of("n3"), "n4"), less(of("n5"))))
    node = branch("n9", when(step("n0", of("n0")), less(ListBinding(items=(of("n1"),)))), when(inner)).model_copy(
        update={"after": ("n2",)}
    )
    assert sorted(needs_of(node)) == ["n0", "n1", "n2", "n3", "n4", "n5"]


def interface(document: WorkflowDocument, node: NodeSpec) -> Interface:
    found = form_of(node).interface(node, document)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("more", "item"),
    [
        ({}, INT),
        ({"min_success_ratio": 0.9}, UnionType(variants=(INT, SimpleType(kind="none")))),
        ({"min_successes": 3}, UnionType(variants=(INT, SimpleType(kind="none")))),
    ],
)
def test_interface_of_a_map_has_lists(more: dict[str, Any], item: Any) -> None:
    task = TaskSpec(
        name="step",
        interface=Interface(
            inputs=(Variable(name="a", type=INT, required=False, default=5), variable("b")), outputs=(variable("o"),)
        ),
        loader="m:step",
    )
    document = program().model_copy(update={"tasks": {"step": task}})
    found = interface(document, mapped("n0", **more))
    assert found.inputs == (Variable(name="a", type=ListType(item=INT)), variable("b"))
    assert found.outputs == (Variable(name="o", type=ListType(item=item)),)


def test_interfaces_of_gates_sleeps_and_branches() -> None:
    document = program()
    asked = interface(document, gate("n0"))
    assert (asked.inputs, asked.outputs) == ((), (Variable(name="o0", type=INT),))
    approval = NodeSpec(id="n0", kind="gate", gate=GateSpec(kind="approve", name="ok", type=INT))
    assert interface(document, approval).inputs == (Variable(name="value", type=INT),)
    assert interface(document, NodeSpec(id="n0", kind="sleep", sleep_seconds=1)) == Interface()
    declared = interface(document, branch("n0", when(step("n0")), outputs="o"))
    assert declared == Interface(outputs=(variable("o"),))
