"""Types of bindings in documents of any author."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import pytest

from flytemp.errors import Location
from flytemp.literals.types import (
    EnumType,
    ListType,
    LiteralType,
    MapType,
    SimpleType,
    StructField,
    StructType,
    TupleType,
    UnionType,
)
from flytemp.spec.models import (
    Binding,
    BranchCase,
    BranchSpec,
    Comparison,
    ErrorBinding,
    GateSpec,
    InputBinding,
    Interface,
    LaunchPlanDocument,
    LaunchPlanSpec,
    ListBinding,
    LiteralBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    OutputBinding,
    SourceLocation,
    TaskDocument,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.typecheck import document_problems, type_problems
from tests.messages.golden import check_golden

INT, FLOAT, TEXT, BOOL, ANY, NONE = (SimpleType(kind=kind) for kind in ("integer", "float", "string", "boolean", "any", "none"))
PAIR = StructType(name="Pair", fields=(StructField(name="one", type=INT), StructField(name="two", type=TEXT, required=False)))
ERROR = StructType(name="E", fields=(StructField(name="message", type=TEXT), StructField(name="failed_node_id", type=TEXT)))
TAGGED = UnionType(variants=(INT, FLOAT))
KNOWN: dict[str, LiteralType] = {
    "i": INT,
    "f": FLOAT,
    "s": TEXT,
    "b": BOOL,
    "any": ANY,
    "ints": ListType(item=INT),
    "map": MapType(key=TEXT, value=INT),
    "counts": MapType(key=INT, value=INT),
    "both": TupleType(items=(INT, TEXT)),
    "pair": PAIR,
    "maybe": UnionType(variants=(INT, NONE)),
    "some": UnionType(variants=(ListType(item=INT), NONE)),
    "tagged": TAGGED,
    "color": EnumType(name="Color", values=("red", "blue")),
    "error": ERROR,
}


def taker(type_: LiteralType) -> TaskSpec:
    interface = Interface(inputs=(Variable(name="v", type=type_),), outputs=(Variable(name="o", type=type_),))
    return TaskSpec(name="m.take", interface=interface, loader="m:take")


def program(*nodes: NodeSpec, takes: LiteralType = INT, **more: Any) -> WorkflowDocument:
    interface = Interface(
        inputs=tuple(Variable(name=name, type=type_) for name, type_ in KNOWN.items()), outputs=more.pop("gives", ())
    )
    spec = WorkflowSpec(name="m.wf", interface=interface, nodes=nodes, **more)
    return WorkflowDocument(name="m.wf", workflows={"m.wf": spec}, tasks={"m.take": taker(takes)})


def take(node_id: str, binding: Binding, **more: Any) -> NodeSpec:
    return NodeSpec(id=node_id, kind="task", target="m.take", inputs={"v": binding}, **more)


def given(name: str, *path: str | int) -> InputBinding:
    return InputBinding(var=name, path=path)


def const(value: Any) -> LiteralBinding:
    return LiteralBinding(value=value)


def items(*bindings: Binding) -> ListBinding:
    return ListBinding(items=bindings)


def entries(**bindings: Binding) -> MapBinding:
    return MapBinding(entries=bindings)


def messages(document: WorkflowDocument) -> list[str]:
    return [problem.message for problem in type_problems(document)]


def text(document: WorkflowDocument) -> str:
    return "\n".join(messages(document))


def content(binding: Binding) -> str:
    return str(binding.model_dump(exclude_defaults=True))


@pytest.mark.parametrize(
    ("takes", "binding"),
    [
        ("i", given("i")),
        ("f", given("i")),
        ("s", given("color")),
        ("maybe", given("i")),
        ("i", given("any", "deep", 3)),
        ("any", given("pair")),
        ("i", given("ints", 0)),
        ("i", given("pair", "one")),
        ("i", given("map", "key")),
        ("f", const(1)),
        ("ints", const([1, 2])),
        ("ints", items(const(1), given("i"))),
        ("some", items(given("i"))),
        ("both", items(given("i"), given("s"))),
        ("map", entries(a=given("i"), b=const(2))),
        ("counts", MapBinding(entries={"7": given("i")})),
        ("pair", entries(one=given("i"))),
        ("any", entries(a=items(given("s")))),
        ("tagged", const(1.5)),
        ("tagged", MapBinding(entries={"$variant": const(0), "value": given("i")})),
        ("tagged", given("tagged")),
    ],
)
def test_binding_that_fits(takes: str, binding: Binding) -> None:
    assert messages(program(take("n0", binding), takes=KNOWN[takes])) == []


WRONG_BINDINGS: list[tuple[str, Binding]] = [
    ("i", given("s")),
    ("i", given("f")),
    ("i", given("maybe")),
    ("ints", given("i")),
    ("i", given("pair", "three")),
    ("i", given("i", "x")),
    ("i", const("5")),
    ("ints", const([1, "x"])),
    ("ints", items(const(1), given("s"))),
    ("ints", items(items(given("i")))),
    ("both", items(given("i"))),
    ("both", items(given("s"), given("s"))),
    ("map", entries(a=given("s"))),
    ("counts", entries(a=given("i"))),
    ("i", entries(a=given("i"))),
    ("pair", entries(one=given("i"), three=const(1))),
    ("pair", entries(two=given("s"))),
    ("some", items(given("s"))),
    ("maybe", items(given("i"))),
    ("tagged", given("i")),
    ("tagged", MapBinding(entries={"$variant": const(1), "value": given("s")})),
    ("tagged", MapBinding(entries={"$variant": const(2), "value": given("i")})),
]


def test_bindings_that_do_not_fit() -> None:
    cases = {f"{to}: {content(binding)}": program(take("n0", binding), takes=KNOWN[to]) for to, binding in WRONG_BINDINGS}
    check_golden("binding-types", {name: partial(text, document) for name, document in cases.items()})


def test_every_problem_is_found_with_its_location() -> None:
    document = program(
        take("n0", given("s"), location=SourceLocation(file="a.yaml", line=7)),
        take("n1", items(given("i"), given("i"))),
        take("n2", OutputBinding(node="n0", var="o", path=("x",))),
        outputs={"y": given("s")},
        gives=(Variable(name="y", type=INT),),
        location=SourceLocation(file="a.yaml", line=1),
    )
    problems = type_problems(document)
    assert [str(problem).partition(": cannot")[0].partition(": the out")[0] for problem in problems] == [
        "a.yaml:7: workflow 'm.wf': input 'v' of node n0 (task m.take)",
        "a.yaml:1: workflow 'm.wf': input 'v' of node n1 (task m.take)",
        "a.yaml:1: workflow 'm.wf': input 'v' of node n2 (task m.take)",
        "a.yaml:1: workflow 'm.wf': output 'y'",
    ]
    assert problems[0].hint == "the value is the input 's' of the workflow"
    found = type_problems(document, lambda workflow, node, name: Location(f"{workflow}/{node}/{name}", 1))
    assert [problem.location.file for problem in found if problem.location] == [
        "m.wf/n0/v",
        "m.wf/n1/v",
        "m.wf/n2/v",
        "m.wf//y",
    ]


def compared(left: Binding, right: Binding, kind: Any) -> WorkflowDocument:
    condition = Comparison(operator="==", left=left, right=right, type=kind)
    cases = (BranchCase(condition=condition, node=take("n0", given("i"))),)
    return program(NodeSpec(id="n0", kind="branch", branch=BranchSpec(cases=cases)))


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        (given("i"), const(5), "integer"),
        (given("i"), given("f"), "float"),
        (given("maybe"), const(None), "integer"),
        (given("some"), const(None), "none"),
        (given("color"), const("red"), "string"),
        (given("any"), const(5), "integer"),
        (given("any"), given("any"), "any"),
    ],
)
def test_conditions_that_fit(left: Binding, right: Binding, kind: str) -> None:
    assert messages(compared(left, right, kind)) == []


WRONG_CONDITIONS: list[tuple[Binding, Binding, str]] = [
    (given("s"), const(5), "integer"),
    (given("i"), const("x"), "integer"),
    (given("ints"), const(1), "integer"),
    (given("i", "x"), const(1), "any"),
    (items(given("i")), const(1), "integer"),
]


def test_conditions_that_do_not_fit() -> None:
    cases = {
        f"{kind}: {content(left)} == {content(right)}": compared(left, right, kind) for left, right, kind in WRONG_CONDITIONS
    }
    check_golden("condition-types", {name: partial(text, document) for name, document in cases.items()})


def test_outputs_of_cases_fit_the_branch() -> None:
    def branch(type_: LiteralType) -> WorkflowDocument:
        spec = BranchSpec(cases=(BranchCase(node=take("n0", given("i"))),), outputs=(Variable(name="o", type=type_),))
        after = take("n1", OutputBinding(node="n0", var="o"))
        return program(NodeSpec(id="n0", kind="branch", branch=spec), after)

    assert messages(branch(INT)) == []
    check_golden("branch-types", {"an output": partial(text, branch(TEXT)), "a node in two branches": partial(text, _nested())})


def _nested() -> WorkflowDocument:
    inner = NodeSpec(id="b", kind="branch", branch=BranchSpec(cases=(BranchCase(node=take("c", given("s"))),)))
    return program(NodeSpec(id="n0", kind="branch", branch=BranchSpec(cases=(BranchCase(node=inner),))))


def test_lists_of_a_map_have_equal_lengths() -> None:
    def mapped(v: Binding, **more: Any) -> NodeSpec:
        return NodeSpec(id="n0", kind="map", target="m.take", inputs={"v": v}, map=MapSpec(over=("v",), **more))

    last = take("n1", OutputBinding(node="n0", var="o"))
    assert messages(program(mapped(given("ints")))) == []
    two = TaskSpec(
        name="m.two", interface=Interface(inputs=(Variable(name="a", type=INT), Variable(name="b", type=INT))), loader="m:two"
    )
    inputs: dict[str, Binding] = {"a": const([1, 2]), "b": items(given("i"))}
    node = NodeSpec(id="n0", kind="map", target="m.two", inputs=inputs, map=MapSpec(over=("a", "b")))
    documents = {
        "no list": program(mapped(given("i"))),
        "use of a list": program(mapped(given("ints")), last),
        "use of a list with failures": program(mapped(given("ints"), min_success_ratio=0.5), last),
        "different lengths": program(node).model_copy(update={"tasks": {"m.two": two}}),
    }
    check_golden("map-types", {name: partial(text, document) for name, document in documents.items()})


def test_gates_and_failure_nodes_are_checked() -> None:
    gate = NodeSpec(id="n0", kind="gate", gate=GateSpec(kind="input", name="go", type=TEXT))
    assert messages(program(on_failure=take("fn0", ErrorBinding()), takes=ERROR)) == []
    assert messages(program(on_failure=take("fn0", ErrorBinding()), takes=ANY)) == []
    documents = {
        "a gate": program(gate, take("n1", OutputBinding(node="n0", var="o0"))),
        "a failure node": program(on_failure=take("fn0", ErrorBinding())),
    }
    check_golden("gate-types", {name: partial(text, document) for name, document in documents.items()})


def test_defaults_are_checked() -> None:
    wrong = Interface(inputs=(Variable(name="v", type=INT, required=False, default="x"),))
    document = program()
    document = document.model_copy(
        update={
            "tasks": {"m.take": taker(INT).model_copy(update={"interface": wrong})},
            "workflows": {"m.wf": document.root.model_copy(update={"interface": wrong})},
        }
    )
    assert len(messages(document)) == 2
    check_golden("default-types", {"a task and a workflow": partial(text, document)})


def test_problems_of_every_kind_of_document_are_found_together() -> None:
    task = taker(INT).model_copy(update={"name": "no:name", "loader": "module"})
    plan = LaunchPlanSpec(name="lp", workflow="m.wf", default_inputs={"a": "x", "z": 1}, fixed_inputs={"a": 2}, timeout_seconds=0)
    interface = Interface(inputs=(Variable(name="a", type=INT),))
    found = {
        "workflow": document_problems(program(take("n0", given("s")), take("n1", given("nowhere")))),
        "task": document_problems(TaskDocument(task=task)),
        "launch plan": document_problems(LaunchPlanDocument(launch_plan=plan, interface=interface, workflow_digest="")),
    }
    texts = {kind: [problem.message for problem in problems] for kind, problems in found.items()}
    check_golden("document-problems", {kind: partial("\n".join, lines) for kind, lines in texts.items()})
    assert document_problems(TaskDocument(task=taker(INT))) == []


def test_work_is_linear_in_the_document() -> None:
    def calls(count: int) -> int:
        chain = [take(f"n{index}", OutputBinding(node=f"n{index - 1}", var="o")) for index in range(1, count)]
        document = program(take("n0", given("i")), *chain)
        made = 0

        def note(frame: object, event: str, argument: object) -> None:
            nonlocal made
            made += event == "call"

        sys.setprofile(note)
        try:
            problems = document_problems(document)
        finally:
            sys.setprofile(None)
        assert problems == []
        return made

    assert calls(2_000) < 11 * calls(200)
