"""References by typed stubs: in workflows, in plain calls, and with mocks."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from flytemp import dynamic, map_task, reference_launch_plan, reference_task, reference_workflow, task, workflow
from flytemp.compiler import compile_entity
from flytemp.errors import NotSupported, ProgramError, TypeMismatch
from flytemp.runtime.dynamic import generate
from flytemp.spec.models import LaunchPlanReference
from flytemp.testing import patch, task_mock
from tests.messages.golden import check_golden, unlocated


class Found(NamedTuple):
    number: int
    name: str


@reference_task(project="shared", domain="production", name="lib.clean", version="v1")
def clean(rows: list[str], limit: int = 3) -> list[str]:
    """Clean rows."""
    raise AssertionError("the body of a stub is never run")


@reference_workflow(project="shared", domain="production", name="lib.whole")
def whole(rows: list[str]) -> Found: ...  # type: ignore[empty-body]


@reference_launch_plan(project="shared", domain="production", name="nightly", version="")
def nightly(rows: list[str]) -> int: ...  # type: ignore[empty-body]


@task
def add(a: int, b: int) -> int:
    return a + b


@workflow
def wf(rows: list[str]) -> int:
    found = whole(rows=clean(rows=rows))
    return add(a=found.number, b=nightly(rows=rows))


def test_nodes_call_the_urns_of_references() -> None:
    document = compile_entity(wf)
    assert [(node.kind, node.target) for node in document.root.nodes] == [
        ("task", "tsk:shared:production:lib.clean:v1"),
        ("workflow", "wf:shared:production:lib.whole"),
        ("launch_plan", "lp:shared:production:nightly"),
        ("task", f"{__name__}.add"),
    ]
    stub = document.tasks["tsk:shared:production:lib.clean:v1"]
    assert (stub.kind, stub.name, stub.reference) == ("reference", "lib.clean", "tsk:shared:production:lib.clean:v1")
    assert [variable.name for variable in stub.interface.inputs] == ["rows", "limit"]
    assert stub.docs.short == "Clean rows."
    assert stub.location is not None
    assert stub.location.line == clean.site.location.line
    graph = document.workflows["wf:shared:production:lib.whole"]
    assert (graph.name, graph.reference, graph.nodes) == ("lib.whole", "wf:shared:production:lib.whole", ())
    assert [variable.name for variable in graph.interface.outputs] == ["number", "name"]
    plan = document.launch_plans["lp:shared:production:nightly"]
    assert plan == LaunchPlanReference(
        name="nightly", project="shared", domain="production", interface=nightly.python_interface.interface
    )


@pytest.mark.parametrize("called", [clean, whole, nightly])
def test_a_plain_call_of_a_reference_has_its_line(called: Any) -> None:
    with pytest.raises(NotSupported) as caught:
        called(rows=["a"])
    assert caught.value.location is not None
    assert caught.value.location.file == __file__


def test_mocks_answer_calls() -> None:
    with task_mock(clean) as cleaning, task_mock(whole) as all_of_it, task_mock(nightly) as launched:
        cleaning.return_value = ["b"]
        all_of_it.return_value = Found(4, "x")
        launched.return_value = 10
        assert wf(rows=["a"]) == 14
        cleaning.assert_called_once_with(rows=["a"], limit=3)
        all_of_it.assert_called_once_with(rows=["b"])
        assert clean(rows=["c"], limit=1) == ["b"]
        assert whole(rows=[]) == Found(4, "x")
        assert nightly(rows=["d"]) == 10
    with pytest.raises(NotSupported) as raised:
        clean(rows=["a"])
    assert isinstance(raised.value, NotImplementedError), "as in flytekit"


@patch(nightly)
def test_a_mock_as_an_argument(mock: object) -> None:
    mock.return_value = "no number"  # type: ignore[attr-defined]
    with pytest.raises(TypeMismatch, match="'nightly'"):
        nightly(rows=[])


def test_references_have_the_attributes_of_flytekit() -> None:
    assert (clean.id.project, clean.id.domain, clean.id.name, clean.id.version) == ("shared", "production", "lib.clean", "v1")
    assert nightly.python_interface.inputs == {"rows": list[str]}
    assert nightly.python_interface.outputs == {"o0": int}


def test_invalid_calls_and_stubs_are_refused() -> None:
    @dynamic
    def fan(n: int) -> list[str]:
        return clean(rows=["a"] * n)

    def untyped(x): ...  # type: ignore[no-untyped-def]

    cases = {
        "a plain call of a task": unlocated(lambda: clean(rows=["a"])),
        "a plain call of a workflow": unlocated(lambda: whole(rows=["a"])),
        "a plain call of a launch plan": unlocated(lambda: nightly(rows=["a"])),
        "unknown input": unlocated(lambda: clean(row=["a"]), AssertionError),  # type: ignore[call-arg]
        "missing input": unlocated(lambda: whole(), TypeError),  # type: ignore[call-arg]
        "call in a dynamic task": unlocated(lambda: fan(n=2), ValueError),
        "invalid project": unlocated(lambda: reference_task("Not A Project", "d", "n", "v"), ValueError),
        "workflow as a stub": unlocated(lambda: reference_workflow("p", "d", "n", "v")(wf), ValueError),
        "stub without types": unlocated(lambda: reference_task("p", "d", "n", "v")(untyped), TypeError),
    }
    check_golden("references", cases)


def test_a_dynamic_task_cannot_reach_references() -> None:
    @workflow
    def inner(rows: list[str]) -> list[str]:
        return clean(rows=rows)

    @dynamic
    def through_workflow(rows: list[str]) -> list[str]:
        return inner(rows=rows)

    @dynamic
    def through_map(rows: list[list[str]]) -> list[list[str]]:
        return map_task(clean)(rows=rows)

    @dynamic
    def launches(rows: list[str]) -> int:
        return nightly(rows=rows)

    for fan, rows in ((through_workflow, ["a"]), (through_map, [["a"]])):
        with pytest.raises(ProgramError) as caught:
            generate(fan, {"rows": rows}, None)
        (problem,) = caught.value.problems
        assert "'lib.clean'" in problem.message
        assert "reference_launch_plan" in (problem.hint or "")
    assert list(generate(launches, {"rows": ["a"]}, None).launch_plans) == ["lp:shared:production:nightly"]
