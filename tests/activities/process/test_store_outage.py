"""Stores that do not answer the worker for a while: no try is lost, and nothing runs again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from flytemp.errors import StoreError
from flytemp.runtime.commit import claim_try, commit_result
from flytemp.runtime.invocation import TaskResult
from flytemp.store import patience
from flytemp.store.local import LocalStore
from flytemp_activities.process import ProcessBackend, ProcessOptions
from tests.activities.process.conftest import Bench
from tests.activities.process.wait_for import until
from tests.sdk.runtime.project import Project

PROGRAM = """
    from flytemp import task

    @task
    def count(path: str) -> int:
        with open(path, "a") as file:
            file.write("x")
        return 1
"""


class Unreliable(LocalStore):
    """A store that refuses the next ``refusals`` reads of keys with ``ending``."""

    refusals = 0
    ending = "/result.json"

    def read_or_none(self, key: str) -> bytes | None:
        if self.refusals and key.endswith(self.ending):
            self.refusals -= 1
            raise StoreError("cannot read: ExpiredToken")
        return super().read_or_none(key)


@pytest.fixture
def program(make_project: Callable[[str], Project]) -> Project:
    return make_project(PROGRAM)


@pytest.fixture
def unreliable(program: Project) -> Unreliable:
    return Unreliable(program.store.uri)


@pytest.fixture
async def bench(unreliable: Unreliable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(patience, "FIRST_PAUSE_SECONDS", 0.001)
    options = ProcessOptions(slots=1, warm=0, state_dir=tmp_path / "state", scratch_folder=tmp_path / "scratch")
    backend = ProcessBackend(unreliable, options, "worker")
    await backend.start()
    yield Bench(backend, options)
    await backend.close()


async def test_finished_task_waits_for_the_store(
    program: Project, unreliable: Unreliable, bench: Bench, tmp_path: Path
) -> None:
    unreliable.refusals = 5
    result = await bench.run(program.invocation("count", {"path": str(tmp_path / "ran")}))
    assert (result.status, unreliable.refusals) == ("succeeded", 0)
    assert (tmp_path / "ran").read_text() == "x"


async def test_followed_try_is_not_lost_while_the_store_does_not_answer(
    program: Project, unreliable: Unreliable, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.0)
    invocation = program.invocation("count", {"path": str(tmp_path / "ran")})
    assert claim_try(program.store, invocation, "a worker of another machine")
    unreliable.ending, unreliable.refusals = ".json", 2
    following = bench.start(invocation, resumed=True)
    await until(lambda: any(report.get("reason") == "StoreError" for report in bench.reports), "the outage is reported")
    committed = commit_result(program.store, invocation, TaskResult(status="succeeded", outputs={"o0": 7}))
    async with asyncio.timeout(60):
        assert await following == committed
    assert not (tmp_path / "ran").exists()
