"""Programs in the style of Flyte's documentation: called as plain Python, compiled, and run as scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.compiler import Program, compile_entity, compile_program, content_version, find_entity, load_program
from flytemp.spec.models import LaunchPlanDocument, OutputBinding, WorkflowDocument

PROGRAMS = Path(__file__).parents[2] / "programs"
CASES: list[dict[str, Any]] = json.loads((PROGRAMS / "expected.json").read_text())
FILES = sorted({case["file"] for case in CASES})


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[Program]:
    loaded = load_program([PROGRAMS / request.param])
    with loaded.activated():
        yield loaded


def called(entity: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Outputs of a plain call, as JSON."""
    target = entity.workflow if isinstance(entity, LaunchPlan) else entity
    assert isinstance(target, Task | Workflow)
    returned = entity(**target.python_interface.input_values(inputs))
    return target.python_interface.output_literals(returned)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['file']}:{case['entity']}")
def test_plain_call_returns_the_same_as_flyte(case: dict[str, Any]) -> None:
    program = load_program([PROGRAMS / case["file"]])
    entity = find_entity(program, case["entity"])
    assert called(entity, case["inputs"]) == case["outputs"]


@pytest.mark.parametrize("file", FILES)
def test_compilation_is_deterministic(file: str) -> None:
    versions = set()
    for _ in range(2):
        documents = compile_program(load_program([PROGRAMS / file]), None)
        for document in documents:
            assert type(document).model_validate_json(document.model_dump_json()) == document
        workflows = {document.name for document in documents if isinstance(document, WorkflowDocument)}
        plans = {document.name for document in documents if isinstance(document, LaunchPlanDocument)}
        assert workflows <= plans
        versions.add(content_version(documents))
    assert len(versions) == 1


def test_all_programs_compile_together() -> None:
    program = load_program([PROGRAMS])
    assert program.root == PROGRAMS
    assert program.import_roots == (".",)
    assert "plans.workflow.simple_wf" in program.workflows
    assert "regression.simple_wf" in program.workflows
    assert {"simple_wf_lp", "simple_wf_fixed", "simple_wf_nightly", "morning_greeting"} <= set(program.launch_plans)
    assert compile_program(program, None)


@pytest.mark.parametrize(
    ("file", "printed"),
    [
        ("hello_world.py", "Running hello_world_wf() Hello, passengers!"),
        ("regression.py", "Running simple_wf() 3.0\nRunning both_wf() DefaultNamedTupleOutput(o0=-1.5, o1=3.0)"),
        (
            "named_outputs.py",
            "Running simple_wf_with_named_outputs() slope_and_intercept_values(slope=-1.5, intercept=3.0)",
        ),
        ("decorated_workflow.py", "initializing external service\nfinish external service\n353.44000000000005"),
    ],
)
def test_program_runs_as_a_script(file: str, printed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAMS / file)], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (printed, "")


@pytest.mark.parametrize("program", ["plans/launch_plan.py"], indirect=True)
def test_launch_plans_called_while_the_module_is_imported(program: Program) -> None:
    module = sys.modules["plans.launch_plan"]
    assert (module.FROM_DEFAULT, module.FROM_LP, module.FROM_LP_OVERRIDDEN) == (12, 18, 10)
    nightly = program.launch_plans["simple_wf_nightly"].spec()
    assert nightly.default_inputs == {"x": [7]}
    assert nightly.fixed_inputs == {"factor": 1}
    assert nightly.max_parallelism == 4
    assert set(program.workflows) == set(), "only what the given file defines"
    names = {document.name for document in compile_program(program, None)}
    assert {"plans.workflow.simple_wf", "plans.workflow.scale", "simple_wf_lp"} <= names, "and what that refers to"


@pytest.mark.parametrize("program", ["decorated_workflow.py"], indirect=True)
def test_decorated_workflow_has_the_order_of_its_decorator(program: Program) -> None:
    root = compile_entity(program.workflows["decorated_workflow.decorating_workflow_wf"]).root
    assert [(node.id, node.target.rpartition(".")[2], node.after) for node in root.nodes] == [
        ("n0", "setup", ()),
        ("n1", "t1", ("n0",)),
        ("n2", "t2", ()),
        ("n3", "teardown", ("n2",)),
    ]
    assert root.outputs == {"o0": OutputBinding(node="n2", var="o0")}
    program.workflows["decorated_workflow.decorating_workflow_wf"](x=2.0)
    service = sys.modules["decorated_workflow"].external_service
    assert [call[0] for call in service.method_calls] == ["initialize", "complete"]


@pytest.mark.parametrize("program", ["chaining.py"], indirect=True)
def test_chained_calls_run_in_their_order(program: Program) -> None:
    ran = sys.modules["chaining"].RAN
    for name in ("chain_tasks_wf", "one_line_wf"):
        ran.clear()
        assert program.workflows[f"chaining.{name}"]() is None
        assert ran == ["t0", "t1", "t2"]


@pytest.mark.parametrize("program", ["decorated_tasks.py"], indirect=True)
def test_decorators_run_with_the_task(program: Program) -> None:
    with pytest.raises(ValueError, match="output of task t2 must be greater than 0, found -4") as raised:
        program.workflows["decorated_tasks.decorating_task_wf"](x=0)
    assert "raised by task 'decorated_tasks.t2'" in raised.value.__notes__[0]
    assert [name for name, _, _ in sys.modules["decorated_tasks"].CALLS] == ["t1"]


@pytest.mark.parametrize("program", ["subworkflows.py"], indirect=True)
def test_sub_workflows_are_in_the_document(program: Program) -> None:
    document = compile_entity(program.workflows["subworkflows.nested_parent_wf"])
    assert list(document.workflows) == [f"subworkflows.{name}" for name in ("my_subwf", "nested_parent_wf", "parent_wf")]
    assert list(document.tasks) == ["subworkflows.join", "subworkflows.t1"]
    parent = document.workflows["subworkflows.parent_wf"]
    assert [(node.id, node.kind) for node in parent.nodes] == [("node-t1-parent", "task"), ("n1", "workflow")]


@pytest.mark.parametrize("program", ["async_tasks.py"], indirect=True)
def test_settings_and_overrides_are_in_the_document(program: Program) -> None:
    document = compile_entity(program.workflows["async_tasks.async_wf"])
    fetch = document.tasks["async_tasks.fetch"].settings
    assert (fetch.retries.count, fetch.timeout_seconds, fetch.environment) == (2, 60.0, {"LEVEL": "3"})
    first, second, last = document.root.nodes
    assert first.overrides.settings is None
    assert second.id == "second-fetch"
    assert second.overrides.settings == fetch.model_copy(
        update={"retries": fetch.retries.model_copy(update={"count": 5}), "timeout_seconds": 30.0}
    )
    assert last.overrides.settings is not None
    assert last.overrides.settings.resources.limits.memory == "100Mi"
    assert last.overrides.settings.resources.requests.memory == "100Mi", "the task's own request, lowered to the limit"
    assert last.overrides.settings.resources.requests.cpu == "1"
    assert document.root.failure_policy == "fail-after-executable-nodes-complete"


@pytest.mark.parametrize("program", ["documented.py"], indirect=True)
@pytest.mark.parametrize("style", ["sphinx", "numpy", "google"])
def test_docstrings_describe_inputs_and_outputs(program: Program, style: str) -> None:
    root = compile_entity(program.workflows[f"documented.{style}_docstring_wf"]).root
    assert root.docs.short in ("Halves of two numbers", "Half of a number")
    assert root.docs.long.startswith("This workflow takes two numbers\nand halves")
    assert [variable.description for variable in root.interface.inputs] == [
        "The first number",
        "The second number, which may be large",
    ]
    expected = {"sphinx": ["", ""], "numpy": ["Half of the first", "Half of the second"], "google": ["Half of the first"]}
    assert [variable.description for variable in root.interface.outputs] == expected[style]
