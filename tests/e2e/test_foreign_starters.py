"""Executions that were started without flytemp's client: by the temporal command line and by a parent workflow."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from flytemp.client import Client
from flytemp.names import execution_name
from flytemp.records.models import Phase
from flytemp_worker.devserver import find_temporal
from flytemp_worker.plugin import FlytempPlugin
from tests.installation import DEADLINE_SECONDS, Installation

pytestmark = pytest.mark.e2e


async def test_the_temporal_command_line(shapes: Installation, client: Client) -> None:
    identifier = f"nightly/report {uuid.uuid4().hex[:8]}"
    launch = {"launch_plan": "diamond-of-5", "inputs": {"x": 2}, "options": {"labels": {"from": "shell"}}}
    command = [str(find_temporal()), "workflow", "execute", "--address", shapes.server.address, "--type", "FlytempWorkflow"]
    command += ["--task-queue", "flytemp", "--workflow-id", identifier, "--input", json.dumps(launch), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == {"execution": execution_name(identifier), "outputs": {"o0": 16}}
    handle = await client.find(execution_name(identifier))
    execution = await handle.describe()
    assert execution.phase is Phase.SUCCEEDED
    assert execution.labels == {"from": "shell"}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


async def test_a_bad_launch_fails_the_run_with_a_clear_error(shapes: Installation, client: Client) -> None:
    for launch, message in (
        ({"launch_plan": "shapes.diamond", "inputs": {"x": "no"}}, "input 'x'"),
        ({"launch_plan": "nothing-like-it"}, "'nothing-like-it'"),
        ({"plan": "diamond"}, "invalid launch"),
        ({"launch_plan": "../../etc/passwd"}, "../../etc/passwd"),
        ({"launch_plan": "shapes.diamond", "inputs_uri": "file:///etc/passwd"}, "in the worker's store"),
        ({"launch_plan": "shapes.keys", "inputs": {"value": nested(120)}}, "nested 120 levels deep"),
        ({"launch_plan": "shapes.keys", "inputs": {"value": nested(200)}}, "nested"),
    ):
        handle = await client.temporal.start_workflow("FlytempWorkflow", launch, id=f"bad-{uuid.uuid4()}", task_queue="flytemp")
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, ApplicationError)
        assert message in caught.value.cause.message
        execution = await (await client.find(handle.id)).describe()
        assert execution.phase is Phase.FAILED
        assert execution.error is not None
        assert message in execution.error.message


@workflow.defn(sandboxed=False)
class TeamWorkflow:
    """An ordinary workflow that uses only the workflow type's name, the task queue and the JSON of a launch."""

    @workflow.run
    async def run(self, x: int) -> int:
        result: dict[str, Any] = await workflow.execute_child_workflow(
            "FlytempWorkflow", {"launch_plan": "shapes.diamond", "inputs": {"x": x}}, task_queue="flytemp"
        )
        return int(result["outputs"]["o0"]) + 1


async def test_as_a_child_of_an_ordinary_workflow(shapes: Installation) -> None:
    temporal = await TemporalClient.connect(shapes.server.address)
    async with Worker(temporal, task_queue="team", workflows=[TeamWorkflow]):
        result = await temporal.execute_workflow(TeamWorkflow.run, 3, id=f"team-{uuid.uuid4()}", task_queue="team")

    assert result == 20


async def test_the_plugin_adds_the_interpreter_to_a_teams_worker(shapes: Installation) -> None:
    temporal = await TemporalClient.connect(shapes.server.address)
    plugin = FlytempPlugin(temporal, shapes.settings(), task_queue="team-plugin", run_tasks=True)
    async with Worker(temporal, task_queue="team-plugin", workflows=[TeamWorkflow], plugins=[plugin]):
        launch = {"launch_plan": "shapes.nested", "inputs": {"x": 1}}
        result = await temporal.execute_workflow("FlytempWorkflow", launch, id=f"plug-{uuid.uuid4()}", task_queue="team-plugin")

    assert result["outputs"] == {"o0": 98}
