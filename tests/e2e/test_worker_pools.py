"""Tasks on pools of workers, with real worker processes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.installation import Installation, eventually

pytestmark = pytest.mark.e2e

PROGRAM = """
    import os
    from flytemp import dynamic, map_task, task, workflow

    @task
    def worker() -> str:
        return os.environ["WORKER"]

    @task(pool="gpu")
    def gpu_worker() -> str:
        return os.environ["WORKER"]

    @task(pool="gpu")
    def gpu_worker_of(x: int) -> str:
        return os.environ["WORKER"]

    @dynamic
    def made() -> str:
        return gpu_worker()

    @workflow
    def main() -> tuple[str, str, str, list[str], str]:
        return worker(), gpu_worker(), worker().with_overrides(pool="gpu"), map_task(gpu_worker_of)(x=[1, 2]), made()

    @workflow
    def nowhere() -> str:
        return worker().with_overrides(pool="nowhere")
"""


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Start a server with one worker without a pool and one of the pool "gpu"."""
    running = Installation.start(tmp_path_factory.mktemp("pools"))
    running.variables = {"FLYTEMP_WORKER_PASS_ENVIRONMENT": "WORKER"}
    program: Path = running.folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    try:
        running.flytemp("setup")
        running.start_worker({"WORKER": "default"})
        running.start_worker({"WORKER": "gpu", "FLYTEMP_WORKER_POOL": "gpu"})
        running.flytemp("register", str(program), "--version", "v1")
        yield running
    finally:
        running.stop()


def execution(pools: Installation, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(pools.flytemp("get", "execution", name, "-o", "json").stdout)
    return found


def test_each_task_runs_on_its_pool(pools: Installation) -> None:
    pools.flytemp("launch", "program.main", "--name", "main-1", "--wait")
    outputs = execution(pools, "main-1")["outputs"]
    assert outputs == {"o0": "default", "o1": "gpu", "o2": "gpu", "o3": ["gpu", "gpu"], "o4": "gpu"}


def test_task_of_a_pool_without_workers_waits_with_a_warning(pools: Installation) -> None:
    pools.flytemp("launch", "program.nowhere", "--name", "nowhere-1")
    waiting = eventually(lambda: (found := execution(pools, "nowhere-1"))["nodes"] and found, "the task is scheduled")
    assert waiting["phase"] == "RUNNING"
    assert any("--pool nowhere" in warning for warning in waiting["warnings"])
    pools.start_worker({"WORKER": "late", "FLYTEMP_WORKER_POOL": "nowhere"})
    eventually(lambda: execution(pools, "nowhere-1")["phase"] == "SUCCEEDED", "a worker of the pool runs it")
    assert execution(pools, "nowhere-1")["outputs"] == {"o0": "late"}
