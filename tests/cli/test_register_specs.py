"""`flytemp register` of YAML and JSON: what is registered is listed, shown and drawn like what was compiled."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_all_problems_with_their_lines(flytemp: Cli, project: Path) -> None:
    (project / "spec.json").write_text('{"kind": "workflow",\n "name": "w",\n "nods": [],\n "timeout_seconds": "x"}')
    done = flytemp("register", "spec.json")
    assert done.code != 0
    assert f"{project / 'spec.json'}:3" in done.err
    assert "there is no key 'nods' here" in done.err
    assert f"{project / 'spec.json'}:4" in done.err
    missing = flytemp("register", "no.yaml")
    assert missing.code != 0
    assert "there is no file or folder no.yaml" in missing.err
