"""The digits pipeline: as plain Python, on a real installation, and as `just demo`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flytemp.compiler import Program, load_program
from tests.examples.projects import copy_of
from tests.installation import Installation, eventually, marked_processes

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return load_program([copy_of("digits", tmp_path) / "pipeline.py"])


def test_runs_as_plain_python(program: Program) -> None:
    result: Any = program.workflows["pipeline.digits"](seed=1)

    assert result.data.samples == 1797
    assert result.metrics.accuracy > 0.95
    assert sum(map(sum, result.metrics.confusion)) == result.metrics.test_samples == 450
    assert Path(result.confusion_picture).read_bytes().startswith(PNG)


def test_the_same_seed_gives_the_same_result(program: Program) -> None:
    run: Any = program.workflows["pipeline.digits"]

    assert run(seed=2).metrics == run(seed=2).metrics


def test_unsuitable_data_is_refused(program: Program) -> None:
    run: Any = program.workflows["pipeline.digits"]

    with pytest.raises(ValueError, match="fewer than 2 images"):
        run(test_share=0.001)


@pytest.mark.e2e
def test_registered_and_launched(installation: Installation, tmp_path: Path) -> None:
    project = copy_of("digits", tmp_path)
    installation.flytemp("register", "pipeline.py", cwd=project)

    done = installation.flytemp("launch", "digits", "--seed", "3", "--wait", "-o", "json", cwd=project)

    execution = json.loads(done.stdout)
    assert execution["phase"] == "SUCCEEDED"
    assert execution["project"] == "examples"
    assert execution["outputs"]["metrics"]["accuracy"] > 0.95
    picture = execution["outputs"]["confusion_picture"]
    assert picture["format"] == "png"
    assert Path(picture["uri"].removeprefix("file://")).read_bytes().startswith(PNG)
    trained = [node for node in execution["nodes"] if node["target"] == "pipeline.train"]
    assert len(trained) == 7
    assert all(node["phase"] == "SUCCEEDED" for node in execution["nodes"])
    name = execution["name"]
    assert "loaded 1797 images" in installation.flytemp("logs", name, "load", cwd=project).stdout


def _demo(project: Path, **options: Any) -> subprocess.Popen[str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("FLYTEMP_", "TEMPORAL_"))}
    return subprocess.Popen(
        [sys.executable, "demo.py"],
        cwd=project,
        env=plain,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **options,
    )


@pytest.mark.e2e
def test_demo_can_be_repeated_and_leaves_no_processes(tmp_path: Path) -> None:
    project = copy_of("digits", tmp_path / "a folder")

    for _ in range(2):
        demo = _demo(project)
        output, _ = demo.communicate()

        assert demo.returncode == 0, output
        assert "best model" in output
        assert "Temporal UI        http://127.0.0.1:" in output
        picture = next(line.split(maxsplit=2)[2] for line in output.splitlines() if "confusion matrix" in line)
        assert Path(picture).read_bytes().startswith(PNG)
        assert marked_processes(str(project)) == []


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGINT, 130, id="Ctrl-C"), pytest.param(signal.SIGTERM, 143, id="TERM")]
)
def test_interrupted_demo_leaves_no_processes(tmp_path: Path, number: signal.Signals, code: int) -> None:
    project = copy_of("digits", tmp_path)
    demo = _demo(project)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "RUNNING" in line:
            break
    demo.send_signal(number)
    output, _ = demo.communicate()

    assert demo.returncode == code, output
    eventually(lambda: marked_processes(str(project)) == [], "all processes of the demo end")


@pytest.mark.e2e
def test_killed_demo_leaves_no_processes(tmp_path: Path) -> None:
    project = copy_of("digits", tmp_path)
    demo = _demo(project)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "RUNNING" in line:
            break
    demo.kill()
    demo.communicate()

    eventually(lambda: marked_processes(str(project)) == [], "all processes of the demo end")


@pytest.mark.e2e
def test_failed_demo_shows_the_reason(tmp_path: Path) -> None:
    project = copy_of("digits", tmp_path)
    (project / "pipeline.py").write_text("this is not Python")
    demo = _demo(project)
    output, _ = demo.communicate()

    assert demo.returncode == 1, output
    assert "pipeline.py:1" in output
    assert "error: `flytemp register` ended with exit code 1" in output
    assert "Traceback" not in output
    assert marked_processes(str(project)) == []
