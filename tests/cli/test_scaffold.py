"""`flytemp init`: the new project works without changes."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from flytemp_cli.main import COMMANDS

from .conftest import Cli

FILES = {
    "flytemp.toml",
    "pyproject.toml",
    "src/workflows.py",
    "tests/test_workflows.py",
    "README.md",
    ".gitignore",
}


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_project_and_next_steps(flytemp: Cli, project: Path) -> None:
    result = flytemp("init", "My Project")

    assert result.code == 0
    assert files_in(project / "My Project") == FILES
    assert set(result.out.splitlines()) == {f"My Project/{name}" for name in FILES}
    assert "cd 'My Project'" in result.err
    assert "flytemp run src/workflows.py word_statistics" in result.err
    assert tomllib.loads((project / "My Project/pyproject.toml").read_text())["project"]["name"] == "my-project"
    assert tomllib.loads((project / "My Project/flytemp.toml").read_text()) == {}


def test_project_in_the_current_folder(flytemp: Cli, project: Path) -> None:
    assert flytemp("init", ".").code == 0
    assert files_in(project) == FILES


def test_existing_files_are_not_overwritten(flytemp: Cli, project: Path) -> None:
    target = project / "mine"
    target.mkdir()
    (target / "README.md").write_text("mine")

    result = flytemp("init", "mine")

    assert result.code == 1
    assert "README.md" in result.err
    assert files_in(target) == {"README.md"}
    assert (target / "README.md").read_text() == "mine"


def test_file_instead_of_folder_is_a_usage_error(flytemp: Cli, project: Path) -> None:
    (project / "taken").write_text("")

    assert flytemp("init", "taken").code == 2


def test_workflow_compiles_and_runs(flytemp: Cli, project: Path) -> None:
    flytemp("init", "demo")

    checked = flytemp("check", "demo/src", "-o", "json")
    ran = flytemp("run", "demo/src/workflows.py", "word_statistics", "--top", "1", "--local", "-o", "json")

    assert checked.code == 0
    assert json.loads(checked.out)["problems"] == []
    assert ran.code == 0
    assert json.loads(ran.out)["outputs"] == {"o0": {"words": 14, "distinct": 11, "most_common": ["the"]}}


def test_tests_of_the_project_pass(flytemp: Cli, project: Path) -> None:
    flytemp("init", "demo")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project / "demo",
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_commands_of_the_readme_exist(flytemp: Cli, project: Path) -> None:
    flytemp("init", "demo")

    named = [line.split()[1] for line in (project / "demo/README.md").read_text().splitlines() if line.startswith("    flytemp ")]
    assert set(named) <= set(COMMANDS)
    assert {"run", "dev", "check", "register", "launch", "get", "logs"} <= set(named)
