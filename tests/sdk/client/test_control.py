"""Answers, pauses, retries and terminations of a test workflow on a real Temporal server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from flytemp.client import Client, ExecutionHandle
from flytemp.client import control as controlling
from flytemp.errors import AlreadyExists, FlytempError, InputError, NotFound, TemporalUnavailable, TypeMismatch
from flytemp.protocol.workflow import WORKFLOW_TYPE
from flytemp.records.models import Phase
from flytemp.temporal.workflows import describe_workflow
from tests.installation import DEADLINE_SECONDS, Installation
from tests.sdk.client.fake_temporal import UpdateWorkflow
from tests.sdk.client.workerless import ME, leave_record, server

__all__ = ["server"]

pytestmark = pytest.mark.e2e


@pytest.fixture
async def client(server: Installation) -> AsyncIterator[Client]:
    connected = await Client.connect(server.settings({"FLYTEMP_TASK_QUEUE": "stand-in"}))
    yield connected
    await connected.close()


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[Worker]:
    async with Worker(client.temporal, task_queue="stand-in", workflows=[UpdateWorkflow]) as running:
        yield running


async def start(client: Client, name: str, launch: dict[str, Any] | None = None, **more: Any) -> ExecutionHandle[Any]:
    handle = client.execution(name)
    await client.temporal.start_workflow(WORKFLOW_TYPE, launch or {}, id=handle.workflow_id, task_queue="stand-in", **more)
    return handle


async def received(client: Client, handle: ExecutionHandle[Any]) -> list[list[Any]]:
    result: list[list[Any]] = await client.temporal.get_workflow_handle(handle.workflow_id).query("received")
    return result


@pytest.mark.usefixtures("worker")
async def test_answers_name_their_user_and_return_the_waiting_nodes(client: Client) -> None:
    handle = await start(client, "answers")

    assert await handle.approve("now", "looks good") == ["n3", "n4.n0"]
    assert await handle.reject("later") == []
    assert await handle.set_input("later", [1, {"a": None}]) == []

    assert await received(client, handle) == [
        ["answer", {"gate": "now", "approved": True, "reason": "looks good", "by": ME}],
        ["answer", {"gate": "later", "approved": False, "by": ME}],
        ["answer", {"gate": "later", "value": [1, {"a": None}], "by": ME}],
    ]


@pytest.mark.usefixtures("worker")
async def test_pause_and_resume(client: Client) -> None:
    handle = await start(client, "pauses")

    await handle.pause("maintenance")
    await handle.resume()

    assert await received(client, handle) == [["pause", {"by": ME, "reason": "maintenance"}], ["resume", {"by": ME}]]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        ("wrong-type", TypeMismatch, "look closer"),
        ("not-found", NotFound, "flytemp get execution refuses shows its gates and their answers"),
        ("already-exists", AlreadyExists, "flytemp get execution refuses shows its gates and their answers"),
    ],
)
async def test_a_rejected_update_raises_the_error_with_its_code(
    client: Client, code: str, kind: type[FlytempError], hint: str
) -> None:
    handle = await start(client, "refuses", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)

    with pytest.raises(kind) as raised:
        await handle.approve(code)

    assert type(raised.value) is kind
    assert raised.value.hint == hint


@pytest.mark.usefixtures("worker")
async def test_a_rejection_with_an_unknown_code_is_a_general_error(client: Client) -> None:
    handle = await start(client, "refuses-oddly")

    with pytest.raises(FlytempError, match="it is refused") as raised:
        await handle.approve("something-else")
    assert type(raised.value) is FlytempError
    with pytest.raises(FlytempError, match=r"flytemp[.]retry"):  # the worker has no handler of this update
        await handle.retry()


@pytest.mark.usefixtures("worker")
async def test_an_update_of_a_closed_execution_is_not_found(client: Client) -> None:
    failed = await start(client, "is-over", {"fail": True})
    await failed.wait(DEADLINE_SECONDS)
    ends = await start(client, "ends-meanwhile")

    with pytest.raises(NotFound, match=r"is-over.* FAILED"):
        await failed.approve("now")
    with pytest.raises(NotFound, match="is-unknown"):
        await client.execution("is-unknown").pause()
    with pytest.raises(NotFound, match=r"ends-meanwhile.* SUCCEEDED"):
        await ends.approve("ends")


async def test_an_update_without_a_worker_times_out(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controlling, "UPDATE_TIMEOUT_SECONDS", 0.2)
    handle = await start(client, "no-worker")

    with pytest.raises(TemporalUnavailable, match="no-worker"):
        await handle.pause()


@pytest.mark.usefixtures("worker")
async def test_gates_of_all_running_executions(client: Client) -> None:
    approval = {"node": "n1", "gate": "release", "kind": "approve", "type": None, "since": "2026-01-31T12:00:00Z"}
    value = {"node": "n2.n0", "gate": "rate", "kind": "input", "type": {"kind": "float"}, "since": "2026-01-31T12:01:00Z"}
    first = await start(client, "waits", {"waiting": [approval, value]})
    await start(client, "waits-oddly", {"waiting": ["nonsense", {"gate": "x"}]})

    async def names() -> set[tuple[str, str, str]]:
        return {(one.execution, one.node, one.gate) for one in await client.waiting_gates()}

    await _until(names, {("waits", "n1", "release"), ("waits", "n2.n0", "rate")})
    [one] = await client.waiting_gates(limit=1)
    assert one.project == "default"
    assert one.since is not None
    await first.terminate()
    await _until(names, set())


@pytest.mark.usefixtures("worker")
async def test_terminate_also_terminates_child_workflows(client: Client) -> None:
    handle = await start(client, "a-parent", {"children": 3})
    ids = [handle.workflow_id + "'s child" * level for level in range(4)]

    async def statuses() -> list[WorkflowExecutionStatus | None]:
        return [description.status if description else None for description in [await _describe(client, one) for one in ids]]

    await _until(statuses, [WorkflowExecutionStatus.RUNNING] * 4)
    await handle.terminate("enough")

    assert await statuses() == [WorkflowExecutionStatus.TERMINATED] * 4


@pytest.mark.usefixtures("worker")
async def test_retry_of_a_closed_execution_starts_a_new_run_under_its_id(client: Client) -> None:
    handle = await start(client, "again", {"fail": True}, memo={"flytemp.content": "abc"})
    failed = await handle.wait(DEADLINE_SECONDS)
    with pytest.raises(NotFound, match="again"):
        await handle.retry()
    leave_record(client, failed)

    with pytest.raises(NotFound, match="n7"):
        await handle.retry(["n7"])
    assert await handle.retry() is handle

    description = await _describe(client, handle.workflow_id)
    assert description.status is WorkflowExecutionStatus.RUNNING
    assert description.run_id != failed.run_id
    assert await description.memo_value("flytemp.content") == "abc"
    history = await client.temporal.get_workflow_handle(handle.workflow_id).fetch_history()
    payloads = history.events[0].workflow_execution_started_event_attributes.input.payloads
    assert await client.temporal.data_converter.decode(payloads) == [
        {"retry": {"by": ME}, "launch_plan": "lp:default:development:nightly:v1"}
    ]


@pytest.mark.usefixtures("worker")
async def test_a_succeeded_execution_cannot_be_retried(client: Client) -> None:
    handle = await start(client, "was-fine")
    with pytest.raises(NotFound):
        await handle.approve("ends")

    assert (await handle.describe()).phase is Phase.SUCCEEDED
    with pytest.raises(InputError, match="SUCCEEDED"):
        await handle.retry()


async def _describe(client: Client, workflow_id: str) -> Any:
    return await describe_workflow(client.temporal, workflow_id)


async def _until(look: Any, wanted: object) -> None:
    """Wait until Temporal's list shows the expected state, which takes a moment."""
    end = time.monotonic() + DEADLINE_SECONDS
    while (seen := await look()) != wanted:
        assert time.monotonic() < end, f"{seen} is not {wanted}"
        await asyncio.sleep(0.05)
