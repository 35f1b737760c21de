"""Runs that continue as new while tasks are in flight; the tasks run on without interruption."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from flytemp.records.models import Phase
from tests.e2e.programs import write_program
from tests.installation import DEADLINE_SECONDS, Installation, eventually

pytestmark = pytest.mark.e2e

PROGRAM = """
import time
from pathlib import Path

from flytemp import task, workflow


@task
def step(a: int) -> int:
    return a + 1


@task
def held(folder: str) -> int:
    with (Path(folder) / "starts").open("a") as starts:
        starts.write("held\\n")
    while not (Path(folder) / "go").exists():
        time.sleep(0.05)
    return 100


@task(retries=1)
def fails_once(folder: str, a: int) -> int:
    marker = Path(folder) / "failed"
    if not marker.exists():
        marker.touch()
        raise RuntimeError("the first time")
    return a


@workflow
def inner(a: int) -> int:
    for _ in range(10):
        a = step(a=a)
    return a


@workflow
def long(folder: str) -> int:
    slow = held(folder=folder)
    a = inner(a=inner(a=0))
    b = inner(a=fails_once(folder=folder, a=a))
    return add(a=slow, b=b)


@task
def add(a: int, b: int) -> int:
    return a + b
"""


async def test_work_in_flight_is_joined_again(fresh_installation: Installation, tmp_path: Path) -> None:
    installation = fresh_installation
    folder = tmp_path / "held"
    folder.mkdir()
    source = write_program(tmp_path / "project", PROGRAM, "long")
    installation.flytemp("setup")
    installation.flytemp("register", str(source.parent))
    installation.start_worker(
        {"FLYTEMP_WORKER_CONTINUE_AS_NEW_EVENTS": "40", "FLYTEMP_WORKER_CONTINUE_AS_NEW_DRAIN_SECONDS": "0.2"}
    )
    client = await installation.client()
    handle = await client.launch("long", inputs={"folder": str(folder)})
    nodes = installation.store / "executions" / "default"
    eventually(lambda: len(list(nodes.glob("*/*/nodes/n2.*/1/result.json"))) == 10, "both sub-workflows end while a task is held")

    live = await handle.describe()
    assert live.phase is Phase.RUNNING
    by_id = {node.id: node for node in live.nodes}
    assert by_id["n1"].phase is Phase.SUCCEEDED
    assert by_id["n2.n9"].phase is Phase.SUCCEEDED
    assert by_id["n0"].phase is Phase.RUNNING
    (folder / "go").touch()
    execution = await handle.wait(DEADLINE_SECONDS)

    assert execution.phase is Phase.SUCCEEDED, execution.error
    assert execution.outputs == {"o0": 130}
    assert (folder / "starts").read_text().splitlines() == ["held"], "the task in flight was started again"
    runs = [run async for run in client.temporal.list_workflows(f"WorkflowId = '{handle.workflow_id}'")]
    continued = [run for run in runs if run.status is WorkflowExecutionStatus.CONTINUED_AS_NEW]
    assert len(continued) >= 3
    by_id = {node.id: node for node in execution.nodes}
    assert len(by_id["n3"].attempt_history) == 2, "the failed attempt is remembered across runs"
