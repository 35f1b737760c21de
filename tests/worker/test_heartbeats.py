"""Tests of cancellation on a worker with many tasks and rare heartbeats."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError

from bench.scale_programs import fan
from flytemp.client import Client
from flytemp.config import load_settings
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.records.launch import LaunchOptions
from flytemp.registry import Registry
from flytemp_activities import heartbeats
from flytemp_activities.executions import Executions
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import control_worker, task_worker
from flytemp_worker.devserver import start_dev_server
from tests.activities.blocked_tasks import HeldBackend

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TASKS = 60


async def test_many_tasks_are_cancelled_before_their_next_heartbeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "HEARTBEATS_PER_SECOND", 0.01)  # each task would send a heartbeat every twenty minutes
    server = start_dev_server(db=None, log=tmp_path / "log")
    environ = {"TEMPORAL_ADDRESS": server.address, "FLYTEMP_STORE": str(tmp_path / "store"), "FLYTEMP_TASK_QUEUE": "many"}
    client = await Client.connect(load_settings(tmp_path, environ=environ))
    try:
        document = fan(TASKS)
        Registry(client.store).register([document], project="default", domain="development", version="v1")
        settings = ExecutionSettings(task_queue="many-tasks", heartbeat_seconds=3_600)
        executions, backend = Executions(client.store), HeldBackend()
        runner = TaskRunner(executions, backend, WorkflowLiveness(client.temporal))
        async with (
            control_worker(client.temporal, executions, "many", settings),
            task_worker(client.temporal, runner, settings, slots=TASKS, drain_seconds=0),
        ):
            launched = await client.launch(document.name, options=LaunchOptions(max_parallelism=0))
            handle = client.temporal.get_workflow_handle(launched.workflow_id)
            while len(backend.tries) < TASKS:
                await asyncio.sleep(0.1)
            await handle.cancel()
            with pytest.raises(WorkflowFailureError):
                await handle.result()
            assert len(backend.killed) == TASKS
    finally:
        await client.close()
        server.stop()
