"""YAML specs over Python tasks, and imperative workflows, run in every available way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import environment, flytemp
from tests.installation import Installation

pytestmark = pytest.mark.e2e

TASKS = """
from typing import Optional

from flytemp import FlyteError, NonRecoverableError, dynamic, task


@task(retries=1)
def load(rows: int) -> list[int]:
    if rows < 0:
        raise NonRecoverableError("there are no negative rows")
    return list(range(rows))


@task
def total(items: list[int], factor: int = 1) -> int:
    return sum(items) * factor


@task
def square(x: int) -> int:
    return x * x


@dynamic
def squares(n: int) -> list[int]:
    return [square(x=x) for x in range(n)]


@task
def clean_up(rows: int, err: Optional[FlyteError] = None) -> None:
    print(f"cleaning up {rows} rows: {err.message if err else None}")
"""
SPEC = """
{kind: task, loader: steps:load}
---
{kind: task, loader: steps:total}
---
{kind: task, loader: steps:square}
---
{kind: task, loader: steps:squares}
---
{kind: task, loader: steps:clean_up}
---
kind: workflow
name: written.report
interface:
  inputs: {rows: {type: int, default: 4, description: how many}, note: {type: "str | None", default: null}}
  outputs: {total: int, squares: "list[int]", generated: "list[int]", chosen: int, launched: int, notes: "list[str | None]"}
nodes:
  - {id: loaded, kind: task, target: steps.load, inputs: {rows: $inputs.rows}}
  - {id: sum, kind: task, target: steps.total, inputs: {items: $loaded.o0, factor: 10}}
  - {id: each, kind: map, target: steps.square, inputs: {x: $loaded.o0}, map: {over: x, concurrency: 2}}
  - {id: made, kind: dynamic, target: steps.squares, inputs: {n: $inputs.rows}}
  - id: decide
    kind: branch
    branch:
      outputs: {o0: int}
      cases:
        - condition: {left: $sum.o0, operator: ">", right: 100}
          node: {kind: task, target: steps.total, inputs: {items: [1, $sum.o0]}}
        - node: {kind: workflow, target: written.helper, inputs: {x: $sum.o0}}
  - {id: apart, kind: launch_plan, target: written.helper_plan}
on_failure: {kind: task, target: steps.clean_up, inputs: {rows: $inputs.rows, err: $error}}
outputs:
  total: $sum.o0
  squares: $each.o0
  generated: $made.o0
  chosen: $decide.o0
  launched: $apart.o0
  notes: [$inputs.note, $$5]
---
kind: workflow
name: written.helper
interface: {inputs: {x: int}, outputs: {o0: int}}
nodes: [{kind: task, target: steps.square, inputs: {x: $inputs.x}}]
outputs: {o0: $n0.o0}
---
kind: launch_plan
name: written.helper_plan
workflow: written.helper
fixed_inputs: {x: 12}
"""
IMPERATIVE = """
from flytemp import ImperativeWorkflow, LaunchPlan, Workflow, WorkflowFailurePolicy, conditional, map_task, workflow
from steps import clean_up, load, square, squares, total


@workflow
def helper(x: int) -> int:
    return square(x=x)


plan = LaunchPlan.get_or_create(helper, "imperative.helper_plan", fixed_inputs={"x": 12})

inner = Workflow("imperative.inner")
inner.add_workflow_output("sum", inner.add_entity(total, items=inner.add_workflow_input("items", list[int]), factor=10).o0)

report = Workflow(name="imperative.report", failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
rows = report.add_workflow_input("rows", int)
loaded = report.add_task(load, rows=rows)
summed = report.add_subwf(inner, items=loaded.o0)
each = report.add_entity(map_task(square, concurrency=2), x=loaded.outputs["o0"])
made = report.add_entity(squares, n=rows)
decide = report.create_conditional("decide")
chosen = (
    decide.if_(summed.outputs["sum"] > 100)
    .then(total(items=[1, summed.outputs["sum"]]))
    .else_()
    .then(helper(x=summed.outputs["sum"]))
)
apart = report.add_launch_plan(plan)
report.add_on_failure_handler(clean_up)
for name, value in {
    "total": summed.outputs["sum"], "squares": each.o0, "generated": made.o0, "chosen": chosen, "launched": apart.o0,
}.items():
    report.add_workflow_output(name, value)
"""
OUTPUTS = {"total": 60, "squares": [0, 1, 4, 9], "generated": [0, 1, 4, 9], "chosen": 3600, "launched": 144}
FILES = {"written.report": "spec.flytemp.yaml", "imperative.report": "imperative.py"}
EXPECTED = {"written.report": {**OUTPUTS, "notes": ["hello", "$5"]}, "imperative.report": OUTPUTS}
INPUTS = {"written.report": ("--note", "hello"), "imperative.report": ("--rows", "4")}


@pytest.fixture(scope="module")
def folder(installation: Installation) -> Iterator[Path]:
    """Register a project with both kinds of programs."""
    folder = installation.folder / "written"
    folder.mkdir()
    for name, text in (("steps.py", TASKS), ("spec.flytemp.yaml", SPEC), ("imperative.py", IMPERATIVE)):
        (folder / name).write_text(text)
    with environment(installation.environment(), installation.folder):
        done = flytemp("register", folder, "--version", "w1")
        assert done.code == 0, done.err
        yield folder


def run(*words: object, code: int = 0) -> dict[str, Any]:
    done = flytemp(*words, "-o", "json")
    assert done.code == code, done.err
    return dict(json.loads(done.out))


@pytest.mark.parametrize("name", FILES)
def test_it_is_listed_and_drawn(folder: Path, name: str) -> None:
    assert name in flytemp("list", "workflows").out
    assert name in flytemp("list", "launch-plans").out
    registered, here = flytemp("graph", name, "--version", "w1"), flytemp("graph", folder / FILES[name], name)
    assert (registered.code, here.code) == (0, 0), here.err
    assert registered.out == here.out
    assert "decide" in here.out


@pytest.mark.parametrize("name", FILES)
def test_every_way_to_run_gives_the_same_outputs(folder: Path, name: str) -> None:
    launched = run("launch", name, "--version", "w1", "--wait", *INPUTS[name])
    ran = run("run", folder / FILES[name], name, *INPUTS[name])
    local = run("run", folder / FILES[name], name, *INPUTS[name], "--local")
    for execution in (launched, ran, local):
        assert (execution["error"], execution["outputs"]) == (None, EXPECTED[name])
    shapes = [sorted((node["id"], node["kind"], node["phase"]) for node in one["nodes"]) for one in (launched, ran, local)]
    assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("way", [(), ("--local",)], ids=["run", "local"])
def test_its_failure_is_handled(folder: Path, name: str, way: tuple[str, ...]) -> None:
    execution = run("run", folder / FILES[name], name, "--rows", "-1", *way, code=3)
    assert (execution["phase"], execution["error"]["code"]) == ("FAILED", "NonRecoverableError")
    handler = next(node for node in execution["nodes"] if node["target"] == "steps.clean_up")
    assert (handler["phase"], handler["id"]) == ("SUCCEEDED", "efn" if name.startswith("imperative") else "fn0")
    if not way:
        logs = flytemp("logs", execution["name"], handler["id"])
        assert "cleaning up -1 rows: there are no negative rows" in logs.out.replace("\n", " ")
