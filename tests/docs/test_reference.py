"""The reference agrees with the code: generated parts are up to date, and hand-written tables are complete."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

import flytemp.authoring.errors
import flytemp.errors
from flytemp.config.fields import FIELDS, KUBERNETES_FIELDS, WORKER_FIELDS, Field
from flytemp.errors import FlytempError
from flytemp.outcomes import OUTCOMES
from flytemp.records.launch import LaunchOptions, LaunchRequest
from flytemp.records.models import (
    AttemptInfo,
    ErrorInfo,
    Execution,
    GateAnswer,
    GateInfo,
    MapItems,
    NodeExecution,
    Pause,
    Phase,
)
from flytemp_worker.metrics import WorkerMetrics
from tests.docs.blocks import DOCS, ROOT


def rows(page: str, mark: str = "") -> list[list[str]]:
    """Return the cells of the first table after ``mark``, or of all tables of the page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    text = text.partition(mark)[2] if mark else text
    tables = re.findall(r"^\| *---.*\n((?:\|.*\n)+)", text.replace("|---", "| ---"), re.MULTILINE)
    chosen = tables[:1] if mark else tables
    return [[cell.strip() for cell in line.strip("| \n").split(" | ")] for table in chosen for line in table.splitlines()]


def names(cells: list[list[str]]) -> list[str]:
    """Return every `name` in the first cells."""
    return [name for row in cells for name in re.findall(r"`([^`]+)`", row[0])]


def test_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, f"`just docs` writes them\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("page", "model"),
    [
        pytest.param("reference/launch.md", LaunchRequest, id="launch"),
        pytest.param("reference/launch.md", LaunchOptions, id="options"),
        pytest.param("reference/execution.md", Execution, id="execution"),
        pytest.param("reference/execution.md", NodeExecution, id="node"),
        pytest.param("reference/execution.md", AttemptInfo, id="attempt"),
        pytest.param("reference/execution.md", MapItems, id="map"),
        pytest.param("reference/execution.md", GateInfo, id="gate"),
        pytest.param("reference/execution.md", GateAnswer, id="answer"),
        pytest.param("reference/execution.md", Pause, id="pause"),
        pytest.param("reference/execution.md", ErrorInfo, id="error"),
    ],
)
def test_every_field_is_described(page: str, model: type[BaseModel]) -> None:
    assert sorted(names(rows(page, f"<!-- fields: {model.__name__} -->"))) == sorted(model.model_fields)


def test_every_phase_is_described() -> None:
    assert sorted(names(rows("reference/execution.md", "<!-- values: Phase -->"))) == sorted(Phase)


def all_errors() -> dict[str, tuple[str, str]]:
    """Return the class and actor of each code."""
    modules = (flytemp.errors, flytemp.authoring.errors)
    classes = {cls for module in modules for cls in vars(module).values() if inspect.isclass(cls)}
    own = [cls for cls in classes if issubclass(cls, FlytempError) and "code" in vars(cls) and cls is not FlytempError]
    return {cls.code: (cls.__name__, cls.actor.value) for cls in own}


def test_every_error_has_a_row() -> None:
    table = rows("reference/errors.md", "## Errors of flytemp")

    assert {row[0].strip("`"): (row[1].strip("`"), row[2]) for row in table} == all_errors()
    assert all(row[3] for row in table)


def test_every_outcome_has_a_row() -> None:
    listed = [code for row in rows("reference/errors.md", "## Errors of tasks") for code in re.findall(r"`(\w+)`", row[0])]

    assert listed == list(OUTCOMES)


def _configuration(section: str) -> list[tuple[str, set[str]]]:
    return [(row[0].strip("`"), set(re.findall(r"`([^`]+)`", row[1]))) for row in rows("reference/configuration.md", section)]


@pytest.mark.parametrize(
    ("section", "fields"),
    [
        pytest.param("## Settings", FIELDS, id="settings"),
        pytest.param("## The section", WORKER_FIELDS, id="worker"),
        pytest.param("## Kubernetes", KUBERNETES_FIELDS, id="kubernetes"),
    ],
)
def test_every_setting_has_a_row(section: str, fields: tuple[Field, ...]) -> None:
    assert _configuration(section) == [(field.name, set(field.variables)) for field in fields]


def test_defaults_of_settings_are_as_documented(tmp_path: Path) -> None:
    from flytemp.config import load_settings

    worker = load_settings(tmp_path, environ={}).worker
    # The default of another backend follows after a semicolon.
    documented = {
        row[0].strip("`"): row[2].partition(";")[0].strip("`") for row in rows("reference/configuration.md", "## The section")
    }
    effective = {field.name: getattr(worker, field.name) for field in WORKER_FIELDS if field.name != "slots"}

    assert {name: documented[name] for name in effective} == {
        name: "none" if value in ("", ()) else f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in effective.items()
    }


def test_every_metric_has_a_row() -> None:
    documented = names([row for row in rows("how-to/operate-a-worker.md") if row[0].startswith("`flytemp_")])
    served = {family.name for family in WorkerMetrics("1").registry.collect()}

    assert {re.sub(r"(_total)?(\{.*)?$", "", name) for name in documented} == served
