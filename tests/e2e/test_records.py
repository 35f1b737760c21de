"""Reading executions without a worker, and after Temporal's retention has removed them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

from flytemp.client import Client
from flytemp.records.models import Phase
from flytemp.temporal.workflows import describe_workflow
from tests.e2e.programs import write_program
from tests.installation import DEADLINE_SECONDS, Installation, eventually

pytestmark = pytest.mark.e2e


async def test_the_record_is_read_after_temporals_retention(client: Client) -> None:
    handle = await client.launch("shapes.nested", inputs={"x": 2}, name="forgotten")
    before = await handle.wait(DEADLINE_SECONDS)
    request = DeleteWorkflowExecutionRequest(
        namespace=client.temporal.namespace, workflow_execution=WorkflowExecution(workflow_id=handle.workflow_id)
    )
    await client.temporal.workflow_service.delete_workflow_execution(request)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await describe_workflow(client.temporal, handle.workflow_id) is not None:
            pass

    after = await client.execution("forgotten").describe()

    assert after == before
    assert after.outputs == {"o0": 116}
    assert {node.id for node in after.nodes} >= {"n0", "n0.n2", "n2"}
    assert "forgotten" in {summary.name for summary in await client.executions(limit=500)}
    logs = [chunk.text async for chunk in client.execution("forgotten").logs("n0.n2")]
    assert logs == ["adding 4 and 12\n"]


async def test_without_a_worker_the_live_state_is_read_from_temporal(fresh_installation: Installation, tmp_path: Path) -> None:
    installation = fresh_installation
    folder = tmp_path / "held"
    installation.flytemp("register", str(write_program(tmp_path / "project").parent))
    client = await installation.client()
    handle = await client.launch("waiting_for", inputs={"folder": str(folder), "x": 1}, name="unattended")
    assert (await handle.describe()).phase is Phase.QUEUED

    worker = installation.start_worker()
    eventually(lambda: (folder / "starts").exists(), "the task starts")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while {node.id: node.phase for node in (await handle.describe()).nodes}["n2"] is not Phase.SUCCEEDED:
            pass
    worker.kill()
    worker.wait()
    live = await handle.describe()

    assert live.phase is Phase.RUNNING
    assert [node.phase for node in live.nodes[:3]] == [Phase.SUCCEEDED] * 3
    assert live.nodes[3].phase in (Phase.RUNNING, Phase.QUEUED)
    assert live.nodes[4].phase is Phase.QUEUED
    assert live.inputs == {"folder": str(folder), "x": 1}
    await handle.terminate("nobody works on it")
    ended = await handle.describe()
    assert ended.phase is Phase.ABORTED
    assert [node.phase for node in ended.nodes] == [Phase.SUCCEEDED] * 3 + [Phase.ABORTED, Phase.SKIPPED]


async def test_missing_search_attributes_cause_one_warning(fresh_installation: Installation, tmp_path: Path) -> None:
    installation = fresh_installation
    installation.flytemp("register", str(write_program(tmp_path / "project").parent))
    installation.start_worker()
    client = await installation.client()
    execution = await (await client.launch("shapes.diamond", name="plain")).wait(DEADLINE_SECONDS)

    assert execution.phase is Phase.SUCCEEDED
    assert [warning for warning in execution.warnings if "flytemp setup" in warning]
    assert "plain" in {summary.name for summary in await client.executions()}
    assert installation.worker_logs().count("no flytemp search attributes") == 1
