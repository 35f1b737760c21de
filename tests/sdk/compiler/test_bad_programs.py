"""Programs that must not compile. All problems are reported together, each with the user's file and line."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from flytemp.compiler import compile_closure, compile_program, find_entity, load_program
from flytemp.errors import NotSupported, ProgramError
from tests.messages.golden import check_golden, unlocated

from . import bad_definitions, bad_graphs, bad_nodes

HEADER = """\
from dataclasses import dataclass
from flytemp import *
from flytemp.core.node_creation import create_node

@task
def number(x: int = 1) -> int:
    return x

@task
def text(s: str) -> str:
    return s

@task
def nothing():
    pass

@task
def pair() -> tuple[int, str]:
    return 1, "a"
"""

PROGRAMS = bad_graphs.CASES | bad_definitions.CASES | bad_nodes.CASES


def problems_in(folder: Path, source: str) -> tuple[ProgramError, list[int]]:
    """Compile a program, and return its error and the lines that the program marks as bad."""
    body = textwrap.dedent(source)
    text = body if source == "pass\n" else HEADER + body
    file = folder / "bad.py"
    file.write_text(text)
    with pytest.raises(ProgramError) as raised:
        compile_program(load_program([file]), None)
    return raised.value, [number for number, line in enumerate(text.splitlines(), 1) if "# BAD" in line]


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_every_problem_has_its_line(tmp_path: Path, source: str) -> None:
    error, lines = problems_in(tmp_path, source)
    located = [problem.location for problem in error.problems if problem.location is not None]
    assert sorted(location.line for location in located) == (lines or [1]), "an empty program has its problem at line 1"
    assert {location.file for location in located} == {str(tmp_path / "bad.py")}
    assert len(error.problems) == len(located)


def test_messages_of_compile_errors(tmp_path: Path) -> None:
    check_golden(
        "programs",
        {name: (lambda source=source: problems_in(tmp_path, source)[0]) for name, source in PROGRAMS.items()},
        {str(tmp_path): "PROJECT"},
    )


def test_workflow_compiles_although_its_module_has_other_problems(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text(
        HEADER + "\n@workflow\ndef good() -> int:\n    return number()\n\n@eager\nasync def dyn() -> int:\n    return 1\n"
    )
    program = load_program([file])
    documents = compile_closure(program, find_entity(program, "good"), None)
    assert [(document.kind, document.name) for document in documents] == [
        ("task", "bad.number"),
        ("workflow", "bad.good"),
        ("launch_plan", "bad.good"),
    ]
    with pytest.raises(ProgramError, match="@eager"):
        compile_program(program, None)


UNSUPPORTED = [
    "FixedRate(duration=1)",
    "Email(phases=[], recipients_email=[])",
    "Deck('d')",
    "StructuredDataset(uri='s3://b/k')",
    "task(task_config=object())",
    "task(container_image=object())",
    "Cache(policies=[object()])",
    "eager(number)()",
    "LaunchPlan.create('p', wf, notifications=[1])",
    "LaunchPlan.create('p', wf, concurrency=1)",
]


def test_unsupported_names_of_flytekit_have_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "uses.py"
    uses = ", ".join(f"lambda: {expression}" for expression in UNSUPPORTED)
    file.write_text(f"{HEADER}\n@workflow\ndef wf() -> int:\n    return number()\n\nUSES = [{uses}]\n")
    with load_program([file]).activated():
        calls = zip(UNSUPPORTED, sys.modules["uses"].USES, strict=True)
        check_golden("unsupported-names", {expression: unlocated(call, NotSupported) for expression, call in calls})
