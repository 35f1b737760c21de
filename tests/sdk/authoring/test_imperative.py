"""Imperative workflows: construction by method calls, and use like other workflows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import flytemp
from flytemp import ImperativeWorkflow, LaunchPlan, WorkflowFailurePolicy, map_task, task, workflow
from flytemp.authoring.errors import MissingInputs, SettingsError
from flytemp.compiler import compile_entity, compile_program, load_program
from flytemp.spec.integrity import check_integrity
from flytemp.spec.models import ErrorBinding, InputBinding, OutputBinding
from flytemp.types.error import FlyteError
from tests.messages.golden import check_golden, unlocated


@dataclass
class Point:
    x: int
    tags: dict[str, list[float]]


class Two(NamedTuple):
    a: int
    b: str


@task
def add(a: int, b: int = 1) -> int:
    return a + b


@task
def point(x: int) -> Point:
    return Point(x, {"t": [1.5]})


@task
def two() -> Two:
    return Two(1, "b")


@task
def quiet() -> None:
    pass


@task
def fail(x: int) -> int:
    raise RuntimeError(f"no {x}")


seen: list[Any] = []


@task
def handler(x: int, err: FlyteError | None = None) -> None:
    seen.append((x, err.message if err else None))


@workflow
def sub(x: int) -> int:
    return add(a=x)


plan = LaunchPlan.get_or_create(sub, name="imperative.plan", default_inputs={"x": 7})


def make(name: str = "my.imperative") -> ImperativeWorkflow:
    wf = ImperativeWorkflow(name=name)
    x = wf.add_workflow_input("x", int)
    first = wf.add_entity(add, a=x)
    second = wf.add_task(add, a=first.outputs["o0"], b=wf.inputs["x"])
    third = wf.add_subwf(sub, x=second.o0)
    fourth = wf.add_launch_plan(plan)
    first >> fourth
    wf.add_workflow_output("last", third.outputs["o0"])
    wf.add_workflow_output("all", [first.o0, fourth.o0, 5], python_type=list[int])
    wf.add_workflow_output("named", {"x": x}, dict[str, int])
    return wf


def test_document_of_an_imperative_workflow() -> None:
    document = compile_entity(make())
    check_integrity(document)
    assert document.name == "my.imperative"
    root = document.root
    assert [(node.id, node.kind, node.target.rpartition(".")[2]) for node in root.nodes] == [
        ("n0", "task", "add"),
        ("n1", "task", "add"),
        ("n2", "workflow", "sub"),
        ("n3", "launch_plan", "plan"),
    ]
    assert root.nodes[1].inputs == {"a": OutputBinding(node="n0", var="o0"), "b": InputBinding(var="x")}
    assert root.nodes[3].after == ("n0",)
    assert [variable.name for variable in root.interface.outputs] == ["last", "all", "named"]
    assert root.location is not None
    assert root.nodes[0].location is not None
    assert root.nodes[0].location.line == root.location.line + 2


def test_a_plain_call_runs_the_nodes() -> None:
    result = make()(x=2)
    assert result.last == 6
    assert result.all == [3, 8, 5]
    assert result.named == {"x": 2}
    with pytest.raises(MissingInputs):
        make()()


def test_workflow_with_a_name_is_imperative_as_in_flytekit() -> None:
    assert isinstance(flytemp.Workflow(name="a.b"), ImperativeWorkflow)
    assert isinstance(flytemp.Workflow("a.b"), ImperativeWorkflow)
    assert flytemp.Workflow(name="a.b").name == "a.b"
    late = WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
    assert flytemp.Workflow(name="a.b", failure_policy=late, timeout=5).options.failure_policy is late
    with pytest.raises(SettingsError):
        flytemp.Workflow(sub.function, failure_policy=late)


def test_an_imperative_workflow_can_be_a_sub_workflow() -> None:
    wf = make("my.sub")
    single = ImperativeWorkflow("my.single")
    single.add_workflow_output("o", single.add_entity(add, a=single.add_workflow_input("x", int)).o0)
    mine = LaunchPlan.create("imperative.fixed", wf, fixed_inputs={"x": 1})

    @workflow
    def outer(xs: list[int]) -> list[int]:
        map_task(single)(x=xs)
        mine()
        return wf(x=3).all

    document = compile_entity(outer)
    check_integrity(document)
    assert [(node.kind, node.target) for node in document.root.nodes] == [
        ("map", "my.single"),
        ("launch_plan", "imperative.fixed"),
        ("workflow", "my.sub"),
    ]
    assert outer(xs=[1, 2]) == [4, 8, 5]
    assert mine().last == 4

    top = ImperativeWorkflow("my.top")
    node = top.add_subwf(wf, x=4)
    top.add_workflow_output("o", node.outputs["last"])
    assert top() == 10


def test_an_imperative_workflow_in_a_program(tmp_path: Path) -> None:
    text = """
from flytemp import task, Workflow

@task
def double(x: int) -> int:
    return 2 * x

wf = Workflow(name="made.step.by.step")
wf.add_workflow_input("x", int)
wf.add_workflow_output("y", wf.add_entity(double, x=wf.inputs["x"]).o0)
"""
    (tmp_path / "imperative_program.py").write_text(text)
    program = load_program([tmp_path / "imperative_program.py"])
    assert {(document.kind, document.name) for document in compile_program(program, None)} == {
        ("task", "imperative_program.double"),
        ("workflow", "made.step.by.step"),
        ("launch_plan", "made.step.by.step"),
    }


def test_a_conditional() -> None:
    wf = ImperativeWorkflow("my.choice")
    wf.add_workflow_input("x", int)
    node = wf.add_entity(add, a=wf.inputs["x"])
    chosen = (
        wf.create_conditional("size")
        .if_(node.o0 > 5)
        .then(add(a=node.o0, b=100))
        .elif_(node.o0 == 0)
        .fail("nothing")
        .else_()
        .then(sub(x=node.o0))
    )
    wf.add_workflow_output("o", chosen)
    check_integrity(compile_entity(wf))
    assert (wf(x=1), wf(x=9)) == (3, 110)
    with pytest.raises(ValueError, match="nothing"):
        wf(x=-1)
    assert add(a=1) == 2  # a call runs the function again


def test_a_failure_handler() -> None:
    wf = ImperativeWorkflow("my.failing")
    wf.add_workflow_input("x", int)
    wf.add_on_failure_handler(handler)
    wf.add_workflow_output("o", wf.add_entity(fail, x=wf.inputs["x"]).o0)
    document = compile_entity(wf)
    check_integrity(document)
    failing = document.root.on_failure
    assert failing is not None
    assert failing.id == "efn"
    assert failing.inputs == {"x": InputBinding(var="x"), "err": ErrorBinding()}
    seen.clear()
    with pytest.raises(RuntimeError, match="no 3"):
        wf(x=3)
    assert seen == [(3, "no 3")]


def test_the_id_of_the_failure_node_is_reserved() -> None:
    wf = ImperativeWorkflow("my.taken")
    wf.add_entity(add, a=1).with_overrides(node_name="efn")
    check_golden("imperative-names", {"reserved": unlocated(wf.graph, ValueError)})


def test_ready_requires_a_node_and_used_inputs() -> None:
    wf = ImperativeWorkflow("my.unready")
    assert not wf.ready()
    wf.add_workflow_input("x", int)
    node = wf.add_entity(add, a=1)
    assert not wf.ready()
    wf.add_entity(sub, x=wf.inputs["x"])
    assert wf.ready()
    wf.add_workflow_input("y", int)
    assert not wf.ready()
    wf.add_workflow_output("o", [node.o0, wf.inputs["y"]], list[int])
    assert wf.ready()


def test_types_of_outputs_are_inferred() -> None:
    wf = ImperativeWorkflow("my.types")
    x = wf.add_workflow_input("x", int)
    node = wf.add_entity(point, x=x)
    both = wf.add_entity(two)
    many = wf.add_entity(map_task(add), a=[1, 2])
    wf.add_workflow_output("input", x)
    wf.add_workflow_output("part", node.o0.x)
    wf.add_workflow_output("deep", node.o0.tags["t"][0])
    wf.add_workflow_output("text", both.b)
    wf.add_workflow_output("many", many.o0)
    assert wf.python_interface.outputs == {"input": int, "part": int, "deep": float, "text": str, "many": list[int]}
    assert tuple(wf(x=4)) == (4, 4, 1.5, "b", [2, 3])


def test_additions_after_a_compilation_count() -> None:
    wf = ImperativeWorkflow("my.growing")
    wf.add_workflow_output("a", wf.add_entity(add, a=1).o0)
    assert wf() == 2
    wf.add_workflow_output("b", wf.add_entity(add, a=2).o0)
    assert tuple(wf()) == (2, 3)
    assert len(wf.nodes) == 2


def test_options_of_an_imperative_workflow() -> None:
    wf = ImperativeWorkflow("my.options", WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE, True, timeout=60)
    spec = wf.spec()
    assert (spec.failure_policy, spec.interruptible, spec.timeout_seconds) == ("fail-after-executable-nodes-complete", True, 60)


MISTAKES: dict[str, Callable[[ImperativeWorkflow, Any], object]] = {
    "input twice": lambda wf, x: wf.add_workflow_input("x", int),
    "invalid name": lambda wf, x: wf.add_workflow_input("a b", int),
    "invalid type": lambda wf, x: wf.add_workflow_input("y", 5),
    "list without a type": lambda wf, x: wf.add_workflow_output("o", [x]),
    "dict without a type": lambda wf, x: wf.add_workflow_output("o", {"k": x}),
    "constant output": lambda wf, x: wf.add_workflow_output("o", 5),
    "node as output": lambda wf, x: wf.add_workflow_output("o", wf.add_entity(add, a=x)),
    "function as handler": lambda wf, x: wf.add_on_failure_handler(print),
    "number as name": lambda wf, x: ImperativeWorkflow(5),
    "text as policy": lambda wf, x: ImperativeWorkflow("n", "fail"),
}


def with_input(mistake: Callable[[ImperativeWorkflow, Any], object]) -> object:
    wf = ImperativeWorkflow("my.wrong")
    return mistake(wf, wf.add_workflow_input("x", int))


def test_texts_of_mistakes() -> None:
    cases = {name: unlocated(lambda mistake=mistake: with_input(mistake)) for name, mistake in MISTAKES.items()}
    check_golden("imperative-workflows", cases)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_have_the_line_of_the_call(mistake: Callable[[ImperativeWorkflow, Any], object]) -> None:
    with pytest.raises(SettingsError) as caught:
        with_input(mistake)
    assert caught.value.problems[0].location is not None
    assert caught.value.problems[0].location.file == __file__


def test_problems_are_reported_together() -> None:
    wf = ImperativeWorkflow("my.bad")
    wf.add_workflow_input("x", str)
    node = wf.add_entity(add, a=wf.inputs["x"])
    wf.add_workflow_output("o", node.o0, str)
    other = ImperativeWorkflow("my.other")
    other.add_entity(quiet)
    other.add_workflow_output("o", node.o0)
    cases = {"wrong types": lambda: compile_entity(wf), "a node of another workflow": lambda: compile_entity(other)}
    check_golden("imperative-graphs", {name: unlocated(call) for name, call in cases.items()})
