"""Tests of the patch mechanism: patched code replays histories from before the patch, and new executions use the change."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, Worker
from temporalio.workflow import NondeterminismError

from flytemp_worker.devserver import DevServer, start_dev_server
from flytemp_worker.workflow.patches import PATCHES, Patch, is_patched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

FURTHER_PAUSE = Patch("test-further-pause", "0.0", "makes a second pause before the first one", "never: it is for this test")
PAUSE = timedelta(milliseconds=10)


@workflow.defn(name="Pausing", sandboxed=False)
class Before:
    """The workflow before the change."""

    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(PAUSE)


@workflow.defn(name="Pausing", sandboxed=False)
class Patched:
    """The workflow with a change behind a patch."""

    @workflow.run
    async def run(self) -> None:
        if is_patched(FURTHER_PAUSE):
            await workflow.sleep(PAUSE * 2)
        await workflow.sleep(PAUSE)


@workflow.defn(name="Pausing", sandboxed=False)
class ChangedWithoutPatch:
    """The workflow with the same change and no patch."""

    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(PAUSE * 2)
        await workflow.sleep(PAUSE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    running = start_dev_server(db=None, log=tmp_path_factory.mktemp("server") / "log")
    yield running
    running.stop()


async def recorded(server: DevServer, kind: type) -> WorkflowHistory:
    """Run the workflow on a worker and return its history."""
    client = await Client.connect(server.address)
    queue = uuid.uuid4().hex
    async with Worker(client, task_queue=queue, workflows=[kind]):
        handle = await client.start_workflow("Pausing", id=queue, task_queue=queue)
        await handle.result()
    return await handle.fetch_history()


def timers(history: WorkflowHistory) -> int:
    return sum(event.HasField("timer_started_event_attributes") for event in history.events)


async def failure(history: WorkflowHistory, kind: type) -> Exception | None:
    """Return the error of a replay with the given workflow class, if there is one."""
    return (await Replayer(workflows=[kind]).replay_workflow(history, raise_on_replay_failure=False)).replay_failure


async def test_history_from_before_a_patch_replays_with_it(server: DevServer) -> None:
    history = await recorded(server, Before)
    assert timers(history) == 1
    assert await failure(history, Patched) is None


async def test_the_same_change_without_a_patch_breaks_the_replay(server: DevServer) -> None:
    assert isinstance(await failure(await recorded(server, Before), ChangedWithoutPatch), NondeterminismError)


async def test_new_execution_uses_the_change_and_replays(server: DevServer) -> None:
    history = await recorded(server, Patched)
    assert timers(history) == 2
    assert await failure(history, Patched) is None


def test_ids_of_patches_are_unique() -> None:
    identifiers = [patch.id for patch in PATCHES]
    assert len(identifiers) == len(set(identifiers))
