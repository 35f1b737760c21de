from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp_activities.process import ProcessBackend, ProcessOptions
from flytemp_activities.process.guard import marked_processes
from flytemp_activities.result_lookup import ResultLookup
from tests.sdk.runtime.project import Project

StartBackend = Callable[..., Awaitable["Bench"]]


class Bench:
    """A started backend and the reports of its tries."""

    def __init__(self, backend: ProcessBackend, options: ProcessOptions) -> None:
        self.backend = backend
        self.options = options
        self.reports: list[dict[str, Any]] = []

    async def run(self, invocation: Invocation, *, resumed: bool = False) -> TaskResult:
        return await self.backend.run(invocation, resumed=resumed, report=self.reports.append)

    def start(self, invocation: Invocation, *, resumed: bool = False) -> asyncio.Task[TaskResult]:
        return asyncio.create_task(self.run(invocation, resumed=resumed))


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def make_project(tmp_path: Path, store: ObjectStore) -> Callable[[str], Project]:
    def make(source: str) -> Project:
        project = Project(tmp_path / "projects", store)
        project.write(source)
        return project

    return make


@pytest.fixture
async def start_backend(tmp_path: Path, store: ObjectStore) -> AsyncIterator[StartBackend]:
    """Start backends, close them at the end, and assert that none of their processes is left."""
    started: list[Bench] = []

    async def start(worker_id: str = "worker", lookup: ResultLookup | None = None, **changes: Any) -> Bench:
        scratch = tmp_path / "scratch"
        defaults: dict[str, Any] = {"slots": 2, "warm": 0, "grace_seconds": 5.0, "scratch_folder": scratch}
        options = ProcessOptions(state_dir=tmp_path / "state", **{**defaults, **changes})
        backend = ProcessBackend(store, options, worker_id, lookup)
        await backend.start()
        bench = Bench(backend, options)
        started.append(bench)
        return bench

    yield start
    for bench in started:
        await bench.backend.close()


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    assert marked_processes(f"{os.getpid()}-") == []


@pytest.fixture
async def bench(start_backend: StartBackend) -> Bench:
    return await start_backend()
