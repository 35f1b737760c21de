"""Launch without flytemp's client: with the `temporal` command, and as a child of an ordinary Temporal workflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from flytemp.compiler import load_program
from flytemp.names import execution_name
from flytemp_worker.devserver import find_temporal
from tests.examples.projects import copy_of
from tests.installation import DEADLINE_SECONDS, Installation


def test_workflow_as_plain_python(tmp_path: Path) -> None:
    program = load_program([copy_of("any_language", tmp_path) / "workflows.py"])

    assert program.workflows["workflows.fit_line"](x=[0.0, 1.0, 2.0], y=[1.0, 3.0, 5.0]) == (2.0, 1.0)
    assert program.launch_plans["unit_square"]() == (1.0, 0.0)


def test_parent_does_not_import_flytemp(tmp_path: Path) -> None:
    project = copy_of("any_language", tmp_path)
    code = "import sys; import parent; print([name for name in sys.modules if name.partition('.')[0].startswith('flytemp')])"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@pytest.fixture
def project(installation: Installation, tmp_path: Path) -> Path:
    folder = copy_of("any_language", tmp_path)
    installation.flytemp("register", "workflows.py", cwd=folder)
    return folder


def run(installation: Installation, folder: Path, command: Sequence[str]) -> str:
    """Run a program with only Temporal's address in its environment, and return its output."""
    environment = installation.environment()
    path = f"{find_temporal().parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + installation.worker_logs()[-3000:]
    return done.stdout


@pytest.mark.e2e
def test_launch_with_the_temporal_command(installation: Installation, project: Path) -> None:
    output = run(installation, project, ["bash", "launch.sh"])

    assert '{"execution":"line-1","outputs":{"intercept":1,"slope":2}}' in output.replace(" ", "").replace(".0", "")
    found = installation.flytemp("get", "execution", "line-1", "-o", "json", cwd=project)
    assert json.loads(found.stdout)["project"] == "examples"


@pytest.mark.e2e
def test_child_of_an_ordinary_workflow(installation: Installation, project: Path) -> None:
    start = ["--type", "Forecast", "--task-queue", "any-language", "--workflow-id", "forecast-of-the-test"]
    inputs = ["--input", '"fit_line"', "--input", "[1, 3, 5]", "--input", "10"]
    with subprocess.Popen([sys.executable, "parent.py"], cwd=project, env=installation.environment()) as worker:
        output = run(installation, project, ["temporal", "workflow", "execute", "-o", "json", *start, *inputs])
        worker.terminate()

    child = "forecast-of-the-test/fit"
    assert json.loads(output)["result"] == {"execution": execution_name(child), "forecast": 21.0}
    for name in (child, execution_name(child)):
        found = json.loads(installation.flytemp("get", "execution", name, "-o", "json", cwd=project).stdout)
        assert (found["phase"], found["outputs"]) == ("SUCCEEDED", {"slope": 2.0, "intercept": 1.0})


@pytest.mark.e2e
def test_invalid_launch_is_a_readable_error(installation: Installation, project: Path) -> None:
    temporal = [str(find_temporal()), "workflow"]
    where = ["--workflow-id", "wrong-launch", "--address", installation.server.address]
    launch = '{"launch_plan": "fit_line", "project": "examples", "inputs": {"x": [0], "z": [1]}}'
    start = ["--type", "FlytempWorkflow", "--task-queue", "flytemp", "--input", launch]
    run(installation, project, [*temporal, "start", *where, *start])

    done = subprocess.run(
        [*temporal, "result", *where, "-o", "json"], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )

    assert done.returncode != 0
    failure = json.loads(done.stdout)["closeEvent"]["workflowExecutionFailedEventAttributes"]["failure"]
    assert failure["applicationFailureInfo"]["type"] == "invalid-input"
    assert "there is no input 'z'" in failure["message"]
    assert "input 'y' is missing" in failure["message"]
