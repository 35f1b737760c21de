"""Programs that must not compile: each problem with the user's file and line, all of them at once."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import pytest

from flytemp.compiler import compile_closure, compile_program, find_entity, load_program
from flytemp.errors import NotSupported, ProgramError

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

CASES = bad_graphs.CASES | bad_definitions.CASES | bad_nodes.CASES


def problems_in(folder: Path, source: str) -> tuple[ProgramError, list[int]]:
    """The error of compiling a program, and the lines that the program marks as bad."""
    body = textwrap.dedent(source)
    text = body if source == "pass\n" else HEADER + body
    file = folder / "bad.py"
    file.write_text(text)
    with pytest.raises(ProgramError) as raised:
        compile_program(load_program([file]), None)
    return raised.value, [number for number, line in enumerate(text.splitlines(), 1) if "# BAD" in line]


@pytest.mark.parametrize(("source", "messages"), CASES.values(), ids=CASES.keys())
def test_it_says_what_is_wrong_and_where(tmp_path: Path, source: str, messages: list[str]) -> None:
    error, lines = problems_in(tmp_path, source)
    if not messages:
        assert "there is no task, workflow or launch plan" in str(error)
        return
    found = sorted(error.problems, key=lambda problem: problem.location.line if problem.location else 0)
    assert [problem.location.line if problem.location else None for problem in found] == lines, error
    assert {problem.location.file for problem in found if problem.location} == {str(tmp_path / "bad.py")}
    for problem, message in zip(found, messages, strict=True):
        assert re.search(message, problem.message, re.DOTALL), problem.message
        assert "flytekit" not in problem.message


def test_a_workflow_of_a_file_with_other_problems_can_still_be_compiled_alone(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    "expression",
    [
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
    ],
)
def test_names_of_flytekit_that_say_what_to_do_instead(tmp_path: Path, expression: str) -> None:
    file = tmp_path / "uses.py"
    file.write_text(f"{HEADER}\n@workflow\ndef wf() -> int:\n    return number()\n\ndef use():\n    return {expression}\n")
    program = load_program([file])
    with program.activated(), pytest.raises(NotSupported, match="not supported") as raised:
        sys.modules["uses"].use()
    assert raised.value.hint
