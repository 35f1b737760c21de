"""The web service on a real installation: launches, and responses to errors."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from flytemp.compiler import load_program
from tests.examples.projects import ROOT, copy_of
from tests.installation import DEADLINE_SECONDS, Installation

APP = ROOT / "examples/fastapi_app/app.py"


def test_workflow_as_plain_python(tmp_path: Path) -> None:
    program = load_program([copy_of("fastapi_app", tmp_path) / "workflows.py"])
    report: Any = program.workflows["workflows.series_report"]

    result = report(measurements=[1.0] * 20 + [1000.0])

    assert (result.count, result.mean, result.outliers) == (20, 1.0, 1)


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """Import the service's module under a unique name."""
    spec = importlib.util.spec_from_file_location("fastapi_example", APP)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["fastapi_example"] = loaded  # pydantic looks annotations up there
    spec.loader.exec_module(loaded)
    yield loaded
    del sys.modules["fastapi_example"]


@pytest.fixture
async def service(
    installation: Installation, module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    project = copy_of("fastapi_app", tmp_path)
    installation.flytemp("register", "workflows.py", cwd=project)
    for name, value in installation.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project)
    transport = httpx.ASGITransport(app=module.app)
    async with module.lifespan(module.app), httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


async def finished(module: ModuleType, name: str) -> None:
    await module.app.state.flytemp.execution(name).wait(DEADLINE_SECONDS)


@pytest.mark.e2e
async def test_report_is_launched_and_returned(
    service: httpx.AsyncClient, module: ModuleType
) -> None:
    wanted = {"name": "series-march", "measurements": [4.0, 4.5, 3.5]}

    started = await service.post("/reports", json=wanted)
    assert (started.status_code, started.headers["location"]) == (202, "/reports/series-march")
    await finished(module, "series-march")
    report = await service.get("/reports/series-march")

    assert report.json() == {
        "name": "series-march",
        "phase": "SUCCEEDED",
        "report": {"count": 3, "mean": 4.0, "median": 4.0, "outliers": 0},
        "error": None,
    }


@pytest.mark.e2e
async def test_repeated_request_returns_the_same_execution(service: httpx.AsyncClient, module: ModuleType) -> None:
    wanted = {"name": "series-april", "measurements": [1.0, 2.0]}

    first = await service.post("/reports", json=wanted)
    again = await service.post("/reports", json=wanted)
    other = await service.post("/reports", json={**wanted, "measurements": [3.0]})

    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 409)
    assert "series-april" in other.json()["detail"]
    await finished(module, "series-april")


@pytest.mark.e2e
async def test_failed_report_has_the_reason(service: httpx.AsyncClient, module: ModuleType) -> None:
    await service.post("/reports", json={"name": "series-empty", "measurements": []})
    await finished(module, "series-empty")

    report = (await service.get("/reports/series-empty")).json()

    assert (report["phase"], report["error"]) == ("FAILED", "there is nothing to summarize")


@pytest.mark.e2e
async def test_unknown_report_is_404_and_invalid_name_422(service: httpx.AsyncClient) -> None:
    missing = await service.get("/reports/never-made")
    cancelled = await service.delete("/reports/never-made")
    wrong = await service.post("/reports", json={"name": "no spaces, please", "measurements": [1.0]})

    assert (missing.status_code, cancelled.status_code, wrong.status_code) == (404, 404, 422)
