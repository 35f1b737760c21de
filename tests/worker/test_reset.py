"""Tests of `temporal workflow reset` on a real server: tries that start after the point of the reset run again."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from flytemp import map_task, task, workflow
from flytemp.client import Client
from flytemp.client.handle import ExecutionHandle
from flytemp.names import attempt_key
from flytemp.protocol.activities import RUN_TASK
from flytemp.records.models import Phase
from flytemp_worker.devserver import DevServer
from flytemp_worker.workflow.interpreter import FlytempMapPart, FlytempWorkflow
from tests.worker.serving import ThreadBackend, connect, serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

DEADLINE_SECONDS = 60.0
MANY = 12


@task
def count_up(file: str) -> int:
    """Return the number of lines of a file after adding one: a second run of the task returns another result."""
    with Path(file).open("a") as lines:
        lines.write("x\n")
    return len(Path(file).read_text().splitlines())


@workflow
def two_counts(file: str) -> int:
    first = count_up(file=file)
    second = count_up(file=file)
    first >> second
    return second


@workflow
def many_counts(file: str) -> int:
    count = count_up(file=file)
    for _ in range(MANY - 1):
        following = count_up(file=file)
        count >> following
        count = following
    return count


@workflow
def mapped(files: list[str]) -> list[int]:
    return map_task(count_up)(file=files)


@pytest.fixture
async def client(server: DevServer, tmp_path: Path) -> AsyncIterator[Client]:
    connected = await connect(server, tmp_path, [two_counts, many_counts, mapped])
    yield connected
    await connected.close()


async def reset(client: Client, handle: ExecutionHandle[Any], workflow_task: int) -> None:
    """Reset the execution's latest run to the start of one of its workflow tasks, which are counted from 0."""
    temporal = client.temporal.get_workflow_handle(handle.workflow_id)
    history = await temporal.fetch_history()
    ends = [event.event_id for event in history.events if event.HasField("workflow_task_completed_event_attributes")]
    request = ResetWorkflowExecutionRequest(
        namespace=client.temporal.namespace,
        workflow_execution=WorkflowExecution(workflow_id=handle.workflow_id, run_id=history.run_id),
        workflow_task_finish_event_id=ends[workflow_task],
        request_id=uuid.uuid4().hex,
        reason="test",
    )
    await client.temporal.workflow_service.reset_workflow_execution(request)


async def history_of(client: Client, handle: ExecutionHandle[Any]) -> WorkflowHistory:
    return await client.temporal.get_workflow_handle(handle.workflow_id).fetch_history()


async def keys_of_tries(client: Client, handle: ExecutionHandle[Any]) -> dict[str, str]:
    """Return the attempt key of the last try of each node in the latest run's history."""
    keys = {}
    for event in (await history_of(client, handle)).events:
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == RUN_TASK.name:
            data = (await client.temporal.data_converter.decode(list(scheduled.input.payloads)))[0]
            argument = RUN_TASK.argument.from_json(data)
            keys[argument.node] = attempt_key(argument.attempt, argument.epoch)
            assert scheduled.activity_id == f"{argument.node}@{keys[argument.node]}.{argument.try_}"
    return keys


async def is_replayable(client: Client, handle: ExecutionHandle[Any]) -> bool:
    replayer = Replayer(workflows=[FlytempWorkflow, FlytempMapPart])
    result = await replayer.replay_workflow(await history_of(client, handle), raise_on_replay_failure=False)
    return result.replay_failure is None


@pytest.mark.parametrize("workflow_task", [0, 1], ids=["before the launch is resolved", "after the launch is resolved"])
async def test_reset_to_the_start_runs_all_tasks_again(client: Client, tmp_path: Path, workflow_task: int) -> None:
    async with serving(client, ThreadBackend(client.store)):
        handle = await client.launch(two_counts, inputs={"file": str(tmp_path / "counts")})
        assert (await handle.wait(DEADLINE_SECONDS)).outputs == {"o0": 2}
        await reset(client, handle, workflow_task)
        execution = await handle.wait(DEADLINE_SECONDS)
        keys = await keys_of_tries(client, handle)
        assert await is_replayable(client, handle)

    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 4})
    assert all(key.startswith("1-") for key in keys.values())


async def test_reset_after_a_task_keeps_its_result(client: Client, tmp_path: Path) -> None:
    async with serving(client, ThreadBackend(client.store)):
        handle = await client.launch(two_counts, inputs={"file": str(tmp_path / "counts")})
        await handle.wait(DEADLINE_SECONDS)
        await reset(client, handle, 2)
        execution = await handle.wait(DEADLINE_SECONDS)
        keys = await keys_of_tries(client, handle)
        assert await is_replayable(client, handle)

    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 3})
    assert keys["n0"] == "1"
    assert keys["n1"] != "1"


async def test_each_reset_has_its_own_epoch(client: Client, tmp_path: Path) -> None:
    async with serving(client, ThreadBackend(client.store)):
        handle = await client.launch(two_counts, inputs={"file": str(tmp_path / "counts")})
        await handle.wait(DEADLINE_SECONDS)
        found = []
        for workflow_task in (1, 0):
            await reset(client, handle, workflow_task)
            execution = await handle.wait(DEADLINE_SECONDS)
            found.append((await keys_of_tries(client, handle))["n0"])

    assert execution.outputs == {"o0": 6}
    assert len({*found, "1"}) == 3


async def test_chunks_of_a_map_run_again_after_a_reset(client: Client, tmp_path: Path) -> None:
    files = [str(tmp_path / f"counts-{number}") for number in range(4)]
    async with serving(client, ThreadBackend(client.store), max_map_items=2):
        handle = await client.launch(mapped, inputs={"files": files})
        assert (await handle.wait(DEADLINE_SECONDS)).outputs == {"o0": [1] * 4}
        await reset(client, handle, 1)
        execution = await handle.wait(DEADLINE_SECONDS)

    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": [2] * 4})


async def test_run_that_continues_as_new_is_not_a_reset(client: Client, tmp_path: Path) -> None:
    async with serving(client, ThreadBackend(client.store), continue_as_new_events=30):
        handle = await client.launch(many_counts, inputs={"file": str(tmp_path / "counts")})
        assert (await handle.wait(DEADLINE_SECONDS)).outputs == {"o0": MANY}
        keys = await keys_of_tries(client, handle)
        assert 0 < len(keys) < MANY, "the run did not continue as new"
        assert set(keys.values()) == {"1"}

        await reset(client, handle, 0)
        execution = await handle.wait(DEADLINE_SECONDS)

    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": MANY + len(keys)})
