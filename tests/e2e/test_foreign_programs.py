"""Programs in the style of Flyte's documentation, run in every available way, always with the same results."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Done, environment, flytemp
from tests.installation import DEADLINE_SECONDS, Installation

pytestmark = pytest.mark.e2e

PROGRAMS = Path(__file__).parents[1] / "programs"
PROJECTS = Path(__file__).parents[1] / "projects"
CASES: list[dict[str, Any]] = json.loads((PROGRAMS / "expected.json").read_text())
VERSION = "foreign"
NAMED = ["name", "phase", "inputs", "outputs", "error", "nodes"]


@pytest.fixture(scope="module")
def here(installation: Installation) -> Iterator[Installation]:
    """Register every project from its root folder."""
    with environment(installation.environment(), installation.folder):
        for root in (PROGRAMS, PROJECTS / "src_layout" / "src", PROJECTS / "siblings", PROJECTS / "package"):
            done = flytemp("register", root, "--version", VERSION)
            assert done.code == 0, done.err
        yield installation


def flags(inputs: dict[str, Any]) -> list[str]:
    """Return the inputs as command-line options: text unchanged, other values as JSON."""
    return [part for name, value in inputs.items() for part in (f"--{name}", _typed(value))]


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def succeeded(done: Done, case: dict[str, Any]) -> dict[str, Any]:
    assert done.code == 0, done.err
    execution = json.loads(done.out)
    assert [key for key in NAMED if key not in execution] == []
    assert (execution["phase"], execution["error"], execution["outputs"]) == ("SUCCEEDED", None, case["outputs"])
    return dict(execution)


def shape(execution: dict[str, Any]) -> list[tuple[str, str, int]]:
    return sorted((node["id"], node["phase"], node["attempts"]) for node in execution["nodes"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['file']}:{case['entity']}")
def test_every_way_to_run_gives_the_same_result(here: Installation, case: dict[str, Any]) -> None:
    given = flags(case["inputs"])
    run = succeeded(flytemp("run", PROGRAMS / case["file"], case["entity"], *given, "-o", "json"), case)
    local = succeeded(flytemp("run", "--local", PROGRAMS / case["file"], case["entity"], *given, "-o", "json"), case)
    name = run["launch_plan"] or run["nodes"][0]["target"]
    launch = succeeded(flytemp("launch", name, "--version", VERSION, "--wait", "-o", "json", *given), case)
    assert (run["workflow"], run["inputs"], shape(run)) == (launch["workflow"], launch["inputs"], shape(launch))
    assert (local["inputs"], shape(local)) == (run["inputs"], shape(run))


@pytest.mark.parametrize("name", ["morning_greeting_other", "morning_greeting2"])
def test_a_launch_plan_goes_by_its_name_and_by_its_variable(here: Installation, name: str) -> None:
    done = flytemp("launch", name, "--day-of-week", "sunday", "--wait", "-o", "json")
    assert json.loads(done.out)["outputs"] == {"o0": "Have a great sunday morning!!"}
    refused = flytemp("launch", name, "--number", "1")
    assert (refused.code, refused.out) == (2, "")
    assert "number" in refused.err


@pytest.mark.parametrize(
    ("folder", "name", "outputs"),
    [
        pytest.param("src_layout/src", "acme-light", {"o0": 1.75}, id="src layout"),
        pytest.param("siblings", "outer_wf", {"o0": 1}, id="sibling modules"),
        pytest.param("package", "train_wf", {"o0": 3}, id="package, seen from above"),
        pytest.param("package/training", "train_wf", {"o0": 3}, id="package, seen from inside"),
    ],
)
def test_run_takes_a_folder(here: Installation, folder: str, name: str, outputs: dict[str, Any]) -> None:
    for way in ((), ("--local",)):
        assert json.loads(flytemp("run", PROJECTS / folder, name, "-o", "json", *way).out)["outputs"] == outputs


@pytest.mark.parametrize("way", [(), ("--local",)], ids=["run", "local"])
def test_a_file_of_this_machine_is_an_input(here: Installation, tmp_path: Path, way: tuple[str, ...]) -> None:
    (tmp_path / "input.txt").write_text("12345")
    done = flytemp("run", PROGRAMS / "directories.py", "size_wf", "--file", tmp_path / "input.txt", "-o", "json", *way)
    assert json.loads(done.out)["outputs"] == {"o0": 5}


@pytest.mark.parametrize("way", [(), ("--local",)], ids=["run", "local"])
def test_output_of_the_program_is_kept_out_of_stdout(here: Installation, way: tuple[str, ...]) -> None:
    done = here.flytemp("run", str(PROGRAMS / "qualified.py"), "qualified_wf", "-o", "json", *way)
    assert json.loads(done.stdout)["outputs"]["o1"] == 3
    assert "the module is being imported" in done.stderr
    assert "the workflow is being put together" in done.stderr


def test_logs_contain_the_output_of_tasks(here: Installation) -> None:
    done = flytemp("run", PROGRAMS / "constants.py", "void_wf", "--text", "a message", "-o", "json")
    logs = flytemp("logs", json.loads(done.out)["name"])
    assert "noted: a message" in logs.out


@pytest.mark.parametrize(
    ("file", "last_line"),
    [
        ("programs/qualified.py", "a task writes to True"),
        ("programs/constants.py", "None [11, 21, 31] {'first': 3, 'second': 4, 'third': 3} 10"),
        ("programs/choices.py", "str text str seven 3 Color.BLUE"),
        ("programs/attribute_access.py", "['apple', 'banana'] ['fig', 'kiwi'] Fruit(name='fig', weight=2.5) 1 3.0"),
        ("programs/launch_plans.py", "Have a great monday evening!!!"),
        ("programs/chaining.py", "Running nodes_wf() WHAT T0 WROTEWHAT T0 WROTE"),
        ("programs/decorated_tasks.py", "Running decorating_task_wf(x=10) 12"),
        ("programs/subworkflows.py", "Running nested_parent_wf() DefaultNamedTupleOutput(o0=7, o1='world world')"),
        ("projects/siblings/flow.py", "2 1"),
    ],
)
def test_it_runs_as_a_script(file: str, last_line: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAMS.parent / file)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    assert (done.stdout.splitlines()[-1], done.stderr) == (last_line, "")


def test_a_program_runs_although_another_part_of_its_file_is_broken(here: Installation, tmp_path: Path) -> None:
    text = (PROGRAMS / "hello_world.py").read_text()
    broken = "\n\n@workflow\ndef broken(x: int) -> str:\n    return say_hello(name=x)\n"
    (tmp_path / "partly.py").write_text(text + broken)
    done = flytemp("run", tmp_path / "partly.py", "hello_world_wf", "-o", "json")
    assert json.loads(done.out)["outputs"] == {"o0": "Hello, world!"}
    refused = flytemp("run", tmp_path / "partly.py", "broken", "--x", "1", "-o", "json")
    assert (refused.code, refused.out) == (1, "")
    assert "partly.py:" in refused.err


OPTION_NAMES = """
from flytemp import task, workflow


@task
def join(project: str, store: str, output: str, name: str, timeout: int, verbose: bool) -> str:
    return f"{project} {store} {output} {name} {timeout} {verbose}"


@workflow
def names_wf(project: str, store: str, output: str, name: str, timeout: int, verbose: bool = False) -> str:
    return join(project=project, store=store, output=output, name=name, timeout=timeout, verbose=verbose)
"""


def test_inputs_may_have_the_names_of_options(here: Installation, tmp_path: Path) -> None:
    (tmp_path / "option_names.py").write_text(OPTION_NAMES)
    plain = ["--output", "o", "--name", "n", "--timeout", "7", "--verbose"]
    firm = {"project": "p", "store": "s"}
    for way in ((), ("--local",)):
        given = [*flags(firm), *plain]
        done = flytemp("-o", "json", "run", *way, tmp_path / "option_names.py", "names_wf", *given)
        assert json.loads(done.out)["outputs"] == {"o0": "p s o n 7 True"}
    given = [*flags({f"input.{name}": value for name, value in firm.items()}), *plain]
    done = flytemp("launch", "--wait", "names_wf", *given, "-o", "json", "--store", here.store)
    assert json.loads(done.out)["outputs"] == {"o0": "p s o n 7 True"}
