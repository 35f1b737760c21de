"""Integrity of every kind of node."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (NodeSpec(id="n1", kind="branch"), "its node n1 is a branch and lacks its field 'branch'"),
        (NodeSpec(id="n1", kind="map", target="step"), "its node n1 is a map and lacks its field 'map'"),
        (NodeSpec(id="n1", kind="gate"), "its node n1 is a gate and lacks its field 'gate'"),
        (NodeSpec(id="n1", kind="sleep"), "its node n1 is a sleep and lacks its field 'sleep_seconds'"),
        (step("n1", sleep_seconds=1), "its node n1 is a task and has the field 'sleep_seconds'"),
        (NodeSpec(id="n1", kind="sleep", sleep_seconds=1, target="step"), "is a sleep and has a target, 'step'"),
        (NodeSpec(id="n1", kind="sleep", sleep_seconds=-1), "sleeps for -1.0 seconds"),
        (NodeSpec(id="n1", kind="sleep", sleep_seconds=1, inputs={"x": ONE}), "gives 'x', which a sleep does not take"),
        (call("n1", "launch_plan", "other"), "its node n1 calls the launch plan 'other', which the document lacks"),
        (call("n1", "dynamic", "step"), "calls 'step' as a dynamic task, and it is none"),
        (call("n1", "task", "fan"), "calls 'fan' as a task, and it is a dynamic one"),
        (step("N 1"), "its node N 1 has an id that is none"),
        (step("n1.n0"), "its node n1.n0 has an id that is none"),
        (step("n1", ErrorBinding()), "its node n1 takes the error of the workflow"),
        (step("n1", of("n1")), "its nodes n1 wait for each other"),
        (mapped("n1", target="other"), "its node n1 calls the task 'other', which the document lacks"),
        (mapped("n1", kind="dynamic"), "calls 'step' as a dynamic task, and it is none"),
        (mapped("n1", over=("b",)), "its node n1 maps over 'b', which step does not take"),
        (mapped("n1", over=()), "its node n1 maps over no input"),
        (mapped("n1", over=("a", "a")), "its node n1 maps over an input twice"),
        (mapped("n1", concurrency=-1), "has concurrency -1"),
        (mapped("n1", min_successes=-1), "has min_successes -1"),
        (mapped("n1", min_success_ratio=1.01), "has min_success_ratio 1.01"),
        (mapped("n1", min_success_ratio=float("nan")), "has min_success_ratio nan"),
        (mapped("n1", items_per_task=0), "has items_per_task 0"),
        (mapped("n1", kind="workflow", target="sub", items_per_task=2), "only calls of a task share a start, not"),
        (gate("n1", timeout_seconds=0), "has timeout_seconds 0.0"),
        (gate("n1", type=None), "waits for an input without a type"),
        (gate("n1", name=""), "is a gate without a name"),
        (gate("n1", kind="approve"), "does not give 'value', which a gate needs"),
        (step("n1", overrides=NodeOverrides(settings=TaskSettings(timeout_seconds=0))), "has timeout_seconds 0.0"),
        (step("n1", overrides=NodeOverrides(settings=TaskSettings(retries=Retries(count=-1)))), "has retries -1"),
        (
            call("n1", "workflow", "sub").model_copy(update={"overrides": NodeOverrides(settings=TaskSettings())}),
            "is a workflow and overrides settings",
        ),
        # branches
        (branch("n1"), "its node n1 is a branch without cases"),
        (branch("n1", when(None, less(X))), "has a case, number 1, that needs either a node or a failure's message"),
        (branch("n1", when(step("n0"), less(X), fail="x")), "has a case, number 1, that needs either"),
        (branch("n1", when(step("n0")), when(step("n1"))), "has a case, number 1, without a condition"),
        (branch("n1", when(step("n0"), less(X)), when(step("n0"))), "has two cases with the node 'n0'"),
        (branch("n1", when(step("n0"), Junction(kind="or", terms=()))), "with an 'or' of nothing"),
        (branch("n1", when(step("n0")), outputs="o p"), "declares the output 'p', which the node n0 of one of its cases lacks"),
        (branch("n1", when(step("n0")), outputs="o o"), "declares the output 'o' twice"),
        (branch("n1", when(call("n0", "task", "other"))), "its node n1.n0 calls the task 'other', which the document lacks"),
        (branch("n1", when(step("n0", of("n7")))), "its node n1.n0 takes 'o' of 'n7', which it lacks"),
        (branch("n1", when(step("n0", of("n0", "p")))), "its node n1.n0 takes 'p' of 'n0', which it lacks"),
        (branch("n1", when(step("n0", X, "n7"))), "its node n1.n0 comes after 'n7', which it lacks"),
        (branch("n1", when(step("n0"), less(of("n7")))), "its node n1 takes 'o' of 'n7', which it lacks"),
        (branch("n1", when(step("n0"), less(ErrorBinding()))), "its node n1 takes the error of the workflow"),
        (branch("n1", when(step("n0", of("n1"))), outputs="o"), "its nodes n1 wait for each other"),
        (branch("n1", when(branch("b", when(step("c", X, "n1"))))), "its nodes n1 wait for each other"),
        (branch("n1", when(call("n0", "workflow", "wf", x=X))), "it calls itself, through wf"),
        (mapped("n1", kind="workflow", target="wf", over=("x",)).model_copy(update={"inputs": {"x": X}}), "it calls itself"),
    ],
)  # fmt: skip
def test_invalid_node_is_refused(node: NodeSpec, reason: str) -> None:
    with pytest.raises(CorruptData) as caught:
        check_integrity(program(step("n0"), node))
    assert reason in str(caught.value)


def test_only_types_with_an_order_can_be_ordered() -> None:
    def compared(operator: Any) -> WorkflowDocument:
        condition = Comparison(operator=operator, left=X, right=ONE, type="boolean")
        return program(branch("n0", when(step("n0"), condition)))

    check_integrity(compared("!="))
    with pytest.raises(CorruptData, match="orders by '>=' what has no order: boolean"):
        check_integrity(compared(">="))


@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        (failure(err=of("n0")), "its node fn0 takes 'o' of 'n0', which may not have run"),
        (failure().model_copy(update={"id": "n0"}), "the node that runs on failure has the id of another one, 'n0'"),
        (failure().model_copy(update={"after": ("n0",)}), "its node fn0 comes after other nodes"),
        (gate("fn0"), "its node fn0 is a gate"),
        (failure().model_copy(update={"inputs": {}}), "its node fn0 does not give 'x', which handler needs"),
        (call("fn0", "workflow", "wf", x=X), "it calls itself, through wf"),
    ],
)
def test_invalid_failure_node_is_refused(failing: NodeSpec, reason: str) -> None:
    with pytest.raises(CorruptData) as caught:
        check_integrity(program(step("n0"), on_failure=failing))
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tasks": {"step": STEP.model_copy(update={"name": "other"})}}, "the task 'step' calls itself 'other'"),
        ({"tasks": {URN: STEP}}, f"the task '{URN}' calls itself 'step'"),
        ({"launch_plans": {"p": PLAN}}, "the launch plan 'p' calls itself 'plan'"),
        ({"tasks": {"step": STEP.model_copy(update={"kind": "reference", "reference": URN})}}, "which was not put in its place"),
        (
            {"tasks": {"step": STEP.model_copy(update={"settings": TaskSettings(retries=Retries(backoff=Backoff(factor=0)))})}},
            "its task 'step' has a backoff with factor 0.0",
        ),
        (
            {"tasks": {"step": STEP.model_copy(update={"interface": Interface(inputs=FACE.inputs * 2)})}},
            "it has the input 'a' twice",
        ),
    ],
)  # fmt: skip
def test_invalid_entries_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(CorruptData) as caught:
        check_integrity(program().model_copy(update=change))
    assert reason in str(caught.value)


def test_problems_of_a_workflow() -> None:
    spec = program().root.model_copy(update={"timeout_seconds": 0, "outputs": {"o": ONE}})
    document = program().model_copy(update={"workflows": {"wf": spec, "sub": SUB}})
    assert [problem.message for problem in integrity_problems(document)] == [
        "workflow 'wf': it has timeout_seconds 0: it must be more than zero, or be left out",
        "workflow 'wf': it gives 'o', which is no output of it",
    ]
    reference = SUB.model_copy(update={"reference": "wf:a:b:sub:v1"})
    with pytest.raises(CorruptData, match="workflow 'sub': it is a reference to wf:a:b:sub:v1"):
        check_integrity(program().model_copy(update={"workflows": {"wf": program().root, "sub": reference}}))


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
