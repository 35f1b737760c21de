"""Documents of entities that are called without being variables of the program's modules."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from flytemp.compiler import compile_closure, compile_program, find_entity, load_program, program_warnings
from flytemp.errors import InputError, ProgramError
from flytemp.spec.models import LaunchPlanDocument, WorkflowDocument
from tests.messages.golden import check_golden, unlocated

PROGRAM = """
import functools
from flytemp import *

@task
def t(x: int) -> int:
    return x

@task
def size(file: FlyteFile) -> int:
    return 1

@task(cache=True, cache_version="1")
def cached(x: int) -> int:
    return x

@workflow
def child(x: int) -> int:
    return t(x=x)

@workflow
def hinted(x: int) -> int:
    return cached(x=x)

@dynamic(node_dependency_hints=[LaunchPlan.get_or_create(hinted, "documents_hinted")])
def made(x: int) -> int:
    return LaunchPlan.get_or_create(hinted, "documents_hinted")(x=x)

@workflow
def parent(x: int) -> int:
    a = LaunchPlan.get_or_create(child, "documents_child", fixed_inputs={"x": 3})()
    b = map_task(LaunchPlan.get_or_create(child))(x=[a, x])
    return conditional("c").if_(made(x=x) > 1).then(hinted(x=x)).else_().then(size(file="/tmp/here.csv"))
"""


def test_called_launch_plans_are_registered(tmp_path: Path) -> None:
    file = tmp_path / "documents.py"
    file.write_text(PROGRAM)
    program = load_program([file])
    documents = compile_program(program, None)
    plans = {document.name: document for document in documents if isinstance(document, LaunchPlanDocument)}
    assert set(plans) == {
        "documents.child",
        "documents.hinted",
        "documents.parent",
        "documents_child",
        "documents_hinted",
    }
    assert plans["documents_child"].launch_plan.fixed_inputs == {"x": 3}
    (parent,) = [
        document for document in documents if isinstance(document, WorkflowDocument) and document.name == "documents.parent"
    ]
    assert set(parent.launch_plans) == {"documents_child", "documents.child"}
    assert set(parent.workflows) == {"documents.parent", "documents.hinted"}, "those of the cases, not those of the plans"
    assert set(parent.tasks) == {"documents.made", "documents.cached", "documents.size"}


def test_documents_of_one_workflow_include_what_it_calls(tmp_path: Path) -> None:
    file = tmp_path / "documents.py"
    file.write_text(PROGRAM)
    program = load_program([file])
    names = {(document.kind, document.name) for document in compile_closure(program, find_entity(program, "parent"), None)}
    assert {("launch_plan", "documents_child"), ("workflow", "documents.child"), ("launch_plan", "documents_hinted")} <= names


def test_warnings_include_nodes_in_conditionals(tmp_path: Path) -> None:
    file = tmp_path / "documents.py"
    file.write_text(PROGRAM)
    texts = [problem.message for problem in program_warnings(load_program([file]))]
    assert any("cache is stored" in text for text in texts)
    assert any("input 'file' of node n3.n1" in text and "/tmp/here.csv" in text for text in texts)


def test_workflow_may_launch_itself_but_not_contain_itself(tmp_path: Path) -> None:
    file = tmp_path / "again.py"
    file.write_text(
        """
from flytemp import *

@task
def t(x: int) -> int:
    return x

@workflow
def wf(x: int) -> int:
    return conditional("c").if_(x < 1).then(t(x=x)).else_().then(LaunchPlan.get_or_create(wf)(x=0))
"""
    )
    documents = compile_program(load_program([file]), None)
    assert [document.name for document in documents] == ["again.t", "again.wf", "again.wf"]


@pytest.mark.parametrize(("answers", "expected"), [("T\ntrue\n", "T: done"), ("T\nfalse\n", "invalid report")])
def test_program_with_gates_compiles(answers: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    program = load_program([Path(__file__).parents[2] / "programs" / "approvals.py"])
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))
    assert program.workflows["approvals.reporting_wf"](topic="tides") == expected


REFERENCES = """
from flytemp import *

@reference_task("shared", "production", "lib.clean")
def clean(x: int) -> int: ...

@reference_workflow("shared", "production", "lib.whole")
def whole(x: int) -> int: ...

@reference_launch_plan("shared", "production", "nightly")
def nightly(x: int) -> int: ...

@workflow
def wraps(x: int) -> int:
    return clean(x=x)
"""


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("plan = LaunchPlan.create('references_named', whole, fixed_inputs={'x': 1})\n", 16),
        ("@workflow\ndef wf(x: int) -> int:\n    return LaunchPlan.get_or_create(whole)(x=x)\n", 8),
        ("@workflow\ndef wf(x: int) -> int:\n    return LaunchPlan.get_or_create(whole, 'references_node')(x=x)\n", 18),
        ("wraps.options = __import__('dataclasses').replace(wraps.options, on_failure=LaunchPlan.get_or_create(whole))\n", 8),
    ],
    ids=["named", "default as a node", "named as a node", "on failure"],
)
def test_referenced_workflow_gets_no_launch_plan(tmp_path: Path, more: str, line: int) -> None:
    file = tmp_path / "references.py"
    file.write_text(REFERENCES + more)
    with pytest.raises(ProgramError) as caught:
        compile_program(load_program([file]), None)
    (problem,) = caught.value.problems
    assert "'lib.whole'" in problem.message
    assert problem.hint
    assert problem.location is not None
    assert problem.location.line == line


def test_references_cannot_be_run_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / "references.py"
    file.write_text(REFERENCES)
    program = load_program([file])
    cases = {name: unlocated(partial(find_entity, program, name), InputError) for name in ("clean", "whole", "nightly")}
    file.write_text(REFERENCES + "plan = LaunchPlan.create('references_text', whole, fixed_inputs={'x': 1})\n")
    again = load_program([file])
    check_golden("reference-files", {**cases, "a launch plan": unlocated(lambda: compile_program(again, None), ProgramError)})
