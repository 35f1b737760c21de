"""Programs in YAML and JSON: registered, listed, checked, drawn and run like Python modules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Cli

CODE = """
from flytemp import task

@task
def double(x: int) -> int:
    return 2 * x
"""
SPEC = """
kind: task
loader: numbers_code:double
---
kind: workflow
name: fourfold
interface: {inputs: {x: int}, outputs: {y: int}}
nodes:
  - {kind: task, target: numbers_code.double, inputs: {x: $inputs.x}}
  - {id: again, kind: task, target: numbers_code.double, inputs: {x: $n0.o0}}
outputs: {y: $again.o0}
"""


def test_register_list_get_and_draw(flytemp: Cli, project: Path) -> None:
    (project / "numbers_code.py").write_text(CODE)
    (project / "spec.yaml").write_text(SPEC)
    done = flytemp("register", "spec.yaml", "--version", "v1", "-o", "json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert [(entity["kind"], entity["name"], entity["status"]) for entity in value["entities"]] == [
        ("task", "numbers_code.double", "new"),
        ("workflow", "fourfold", "new"),
        ("launch plan", "fourfold", "new"),
    ]
    assert value["bundle"]["files"] == ["numbers_code.py", "spec.yaml"]
    assert "fourfold" in flytemp("list", "workflows").out
    document = json.loads(flytemp("get", "workflow", "fourfold", "-o", "json").out)
    assert "numbers_code.double" in json.dumps(document)
    drawn = flytemp("graph", "fourfold")
    assert drawn.code == 0
    assert "again" in drawn.out
    again = flytemp("register", "spec.yaml", "--version", "v1")
    assert again.code == 0
    assert again.out.count("unchanged") == 3
    (project / "spec.yaml").write_text(SPEC.replace("y: $again.o0", "y: $n0.o0"))
    conflict = flytemp("register", "spec.yaml", "--version", "v1")
    assert conflict.code != 0
    assert "/workflows/fourfold/outputs/y/node" in conflict.err


def test_problems_have_lines(flytemp: Cli, project: Path) -> None:
    (project / "spec.json").write_text('{"kind": "workflow",\n "name": "w",\n "nods": [],\n "timeout_seconds": "x"}')
    done = flytemp("register", "spec.json")
    assert done.code != 0
    assert done.err.count("spec.json:3: ") == 1
    assert "'nods'" in done.err
    assert done.err.count("spec.json:4: ") == 1
    missing = flytemp("register", "no.yaml")
    assert missing.code != 0
    assert "no.yaml" in missing.err


MIXED = """
from flytemp import LaunchPlan, workflow
from numbers_code import double

@workflow
def twice(x: int) -> int:
    return double(x=x)
"""
PLAN = """
kind: launch_plan
name: fourfold.five
workflow: fourfold
fixed_inputs: {x: 5}
"""


@pytest.fixture
def spec(project: Path) -> Path:
    (project / "numbers_code.py").write_text(CODE)
    file = project / "spec.yaml"
    file.write_text(f"{SPEC}---{PLAN}")
    return file


def test_check(flytemp: Cli, spec: Path, project: Path) -> None:
    done = flytemp("check", "spec.yaml")
    assert done.code == 0, done.err
    assert [line.split()[-1] for line in done.out.splitlines()[1:]] == [
        "numbers_code.double", "fourfold", "fourfold", "fourfold.five",
    ]  # fmt: skip
    spec.rename(project / "spec.flytemp.yaml")
    (project / "more.py").write_text(MIXED)
    both = flytemp("check", ".", "-o", "json")
    names = {(entity["kind"], entity["name"]) for entity in json.loads(both.out)["entities"]}
    assert names >= {("workflow", "fourfold"), ("workflow", "more.twice"), ("launch plan", "fourfold.five")}
    (project / "spec.flytemp.yaml").write_text(SPEC.replace("y: $again.o0", "y: $agin.o0"))
    wrong = flytemp("check", ".", "-o", "json")
    assert wrong.code == 1
    (problem,) = json.loads(wrong.out)["problems"]
    assert (Path(problem["file"]).name, problem["line"]) == ("spec.flytemp.yaml", 5)


@pytest.mark.parametrize("words", [(), ("fourfold",), ("five",), ("fourfold.five",)], ids=str)
def test_graph(flytemp: Cli, spec: Path, words: tuple[str, ...]) -> None:
    done = flytemp("graph", "spec.yaml", *words)
    assert done.code == 0, done.err
    assert "again" in done.out


def test_run_local(flytemp: Cli, spec: Path, project: Path) -> None:
    def outputs(*words: str) -> object:
        done = flytemp("run", *words, "--local", "-o", "json")
        assert done.code == 0, done.err
        return json.loads(done.out)["outputs"]

    assert outputs("spec.yaml", "--x", "3") == {"y": 12}
    assert outputs("spec.yaml", "numbers_code.double", "--x", "3") == {"o0": 6}
    assert outputs("spec.yaml", "fourfold.five") == {"y": 20}
    spec.rename(project / "spec.flytemp.yaml")
    (project / "more.py").write_text(MIXED)
    assert outputs(".", "twice", "--x", "4") == {"o0": 8}
    assert outputs(".", "fourfold", "--x", "4") == {"y": 16}
    several = flytemp("run", ".", "--local")
    assert several.code == 2
    assert "fourfold" in several.err
    missing = flytemp("run", ".", "fivefold", "--local")
    assert "'fivefold'" in missing.err


def test_code_named_by_a_loader(flytemp: Cli, project: Path) -> None:
    (project / "numbers_code.py").write_text(CODE)
    whole = SPEC.replace(
        "loader: numbers_code:double",
        "name: numbers_code.double\nloader: numbers_code:double\ninterface: {inputs: {x: int}, outputs: {o0: int}}",
    )
    (project / "spec.yaml").write_text(whole)
    done = flytemp("run", "spec.yaml", "--x", "3", "--local", "-o", "json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["outputs"] == {"y": 12}
