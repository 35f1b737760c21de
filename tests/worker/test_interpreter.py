"""Tests of the workflow on a real server with a worker in this process: faults at each step of an execution."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from flytemp.client import Client, LaunchOptions
from flytemp.client.setup import setup_temporal
from flytemp.config import load_settings
from flytemp.records.models import Execution, Phase
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp.temporal.search_attributes import add_search_attributes
from flytemp_activities.backend import HeartbeatDetails, Report, TaskLost, TryKey, key_of
from flytemp_worker.devserver import DevServer
from tests import small
from tests.backend_without_resources import BackendWithoutResources
from tests.messages.golden import check_golden
from tests.worker.serving import serving

pytestmark = pytest.mark.e2e

DEADLINE_SECONDS = 60.0


class QuickBackend(BackendWithoutResources):
    """Backend that adds its inputs. While ``hold`` is set, every try blocks."""

    def __init__(self) -> None:
        self.hold: set[str] = set()
        self.held: dict[TryKey, asyncio.Future[TaskResult]] = {}
        self.killed: list[str] = []
        self.seen: list[str] = []
        self.error: TaskError | None = None

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        key = key_of(invocation)
        if key not in self.held:
            self.seen.append(invocation.node)
        if invocation.node in self.hold:
            run = self.held.setdefault(key, asyncio.get_running_loop().create_future())
            return await asyncio.shield(run)
        if self.error is not None:
            return TaskResult(status="failed", error=self.error)
        return TaskResult(
            status="succeeded", outputs={"o0": sum(value.get("literal", 0) for value in invocation.inputs.values())}
        )

    async def kill(self, invocation_key: TryKey) -> None:
        self.killed.append(invocation_key.node)
        self.held.pop(invocation_key).set_exception(TaskLost("killed"))

    def running(self) -> set[TryKey]:
        return set(self.held)


class StoreGate:
    """Gate that blocks a method of the store for keys that contain a text."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, client: Client, method: str, part: str) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        original = getattr(client.store, method)

        def held(key: str, *data: bytes) -> Any:
            if part in key:
                self.reached.set()
                assert self.opened.wait(DEADLINE_SECONDS)
            return original(key, *data)

        monkeypatch.setattr(client.store, method, held)

    async def is_reached(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, DEADLINE_SECONDS)


@pytest.fixture
async def client(server: DevServer, tmp_path: Path) -> Client:
    store, queue = str(tmp_path / "store"), uuid.uuid4().hex
    environ = {"TEMPORAL_ADDRESS": server.address, "FLYTEMP_STORE": store, "FLYTEMP_TASK_QUEUE": queue}
    connected = await Client.connect(load_settings(tmp_path, environ=environ))
    small.register(connected.store)
    return connected


@pytest.fixture
def backend() -> QuickBackend:
    return QuickBackend()


@pytest.fixture
async def worker(client: Client, backend: QuickBackend) -> AsyncIterator[None]:
    async with serving(client, backend):
        yield


async def start(client: Client, *payloads: Any, **options: Any) -> WorkflowHandle[Any, Any]:
    return await client.temporal.start_workflow(
        "FlytempWorkflow", args=list(payloads), id=f"run-{uuid.uuid4()}", task_queue=client.settings.task_queue, **options
    )


async def ended(client: Client, workflow_id: str) -> Execution:
    handle = await client.find(workflow_id)
    return await handle.wait(DEADLINE_SECONDS)


def raw(data: bytes, encoding: str = "json/plain") -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding.encode()}, data=data))


INVALID: dict[str, list[Any]] = {
    "no input": [],
    "two inputs": [{"launch_plan": "diamond"}, {}],
    "a text": ["diamond"],
    "a number": [5],
    "a list": [["diamond"]],
    "null": [None],
    "bytes": [b"bytes"],
    "no JSON": [raw(b"{")],
    "a giant number": [raw(b'{"launch_plan": ' + b"1" * 5000 + b"}")],
    "nested 200 deep": [raw(b'{"launch_plan": ' + b"[" * 200 + b"]" * 200 + b"}")],
    "nested 100,000 deep": [raw(b'{"launch_plan": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")],
    "an unknown encoding": [raw(b"x", "team/secret")],
    "a lone surrogate": [raw(b'{"launch_plan": "diamond", "inputs": {"x": "caf\\udce9"}}')],
    "a long input": [{"launch_plan": "diamond", "inputs": {"x": "x" * 1_600_000}}],
    "continues": [{"launch_plan": "a", "continued": {"resolved": {"interpreter": 99}}}],
    "a foreign parent": [{"launch_plan": "diamond", "parent": {"workflow_id": "w", "node": "n0", "attempt": 1}}],
    "bad option": [{"launch_plan": "diamond", "options": {"max_parallelism": -1}}],
}


@pytest.mark.usefixtures("worker")
async def test_invalid_input_fails_the_run(client: Client) -> None:
    handles = [await start(client, *payloads) for payloads in INVALID.values()]
    texts: list[str] = []
    for handle in handles:
        with pytest.raises(WorkflowFailureError) as caught:
            await asyncio.wait_for(handle.result(), DEADLINE_SECONDS)
        assert isinstance(caught.value.cause, ApplicationError)
        execution = await ended(client, handle.id)
        assert execution.phase is Phase.FAILED
        assert execution.error is not None
        assert (execution.error.code, execution.error.message) == (caught.value.cause.type, caught.value.cause.message)
        texts.append(f"{execution.error.code}: {execution.error.message}")
    check_golden("refused-starts", {name: partial(str, text) for name, text in zip(INVALID, texts, strict=True)})


@pytest.mark.usefixtures("worker")
async def test_cron_schedule_is_rejected(client: Client) -> None:
    handle = await start(client, {"launch_plan": "diamond"}, cron_schedule="@every 1s")
    first = client.temporal.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    async for event in first.fetch_history_events(wait_new_event=True):
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
            failure = event.workflow_execution_failed_event_attributes.failure
            assert failure.application_failure_info.type == "invalid-input"
            break
        assert event.event_type != EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    await handle.terminate()


@pytest.mark.usefixtures("worker")
async def test_cancellation_during_resolve_aborts(client: Client, backend: QuickBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = StoreGate(monkeypatch, client, "create", "/execution.json")
    handle = await client.launch("diamond")
    await gate.is_reached()
    await handle.cancel("too early")
    execution = await handle.wait(DEADLINE_SECONDS)
    gate.opened.set()

    assert execution.phase is Phase.ABORTED
    assert execution.error is not None
    assert execution.error.code == "Cancelled"
    assert backend.seen == []


@pytest.mark.usefixtures("worker")
async def test_cancellation_during_closing_does_not_change_the_outcome(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = StoreGate(monkeypatch, client, "write", "/record.json")
    handle = await client.launch("diamond", inputs={"x": 1})
    await gate.is_reached()
    await handle.cancel("too late")
    gate.opened.set()
    execution = await handle.wait(DEADLINE_SECONDS)

    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 5})
    description = await client.temporal.get_workflow_handle(handle.workflow_id).describe()
    assert description.status is WorkflowExecutionStatus.COMPLETED


@pytest.mark.parametrize(
    ("method", "part"),
    [
        pytest.param("write", "/plan/", id="while the plan is saved"),
        pytest.param("write", "/state/", id="while the state is saved"),
        pytest.param("read", "/plan/", id="while the next run loads the plan"),
        pytest.param("read", "/state/", id="while the next run loads the state"),
    ],
)
async def test_cancellation_during_continue_as_new_aborts_the_execution(
    client: Client, backend: QuickBackend, monkeypatch: pytest.MonkeyPatch, method: str, part: str
) -> None:
    backend.hold = {"n0.n0"}
    async with serving(client, backend, continue_as_new_events=5):
        gate = StoreGate(monkeypatch, client, method, part)
        handle = await client.launch("nested", inputs={"x": 1})
        await gate.is_reached()
        await handle.cancel("in between")
        gate.opened.set()
        execution = await handle.wait(DEADLINE_SECONDS)

    assert execution.phase is Phase.ABORTED
    assert execution.error is not None
    assert "in between" in execution.error.message
    assert backend.killed == ["n0.n0"]
    assert execution.metadata_uri is not None
    assert Path(execution.metadata_uri.removeprefix("file://"), "record.json").is_file()
    assert {node.id: node.phase for node in execution.nodes}["n0.n0"] is Phase.ABORTED


async def test_continued_execution_is_listed_once_and_can_be_read_before_it_has_loaded(
    client: Client, backend: QuickBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.hold = {"n0.n1"}
    async with serving(client, backend, continue_as_new_events=5):
        gate = StoreGate(monkeypatch, client, "read", "/state/")
        handle = await client.launch("nested", inputs={"x": 1}, name="continued")
        await gate.is_reached()
        live = await handle.describe()
        assert {node.id: node.phase for node in live.nodes}["n0.n0"] is Phase.SUCCEEDED
        gate.opened.set()
        while not backend.held:
            await handle.describe()
        for run in backend.held.values():
            run.set_result(TaskResult(status="succeeded", outputs={"o0": 3}))
        await handle.wait(DEADLINE_SECONDS)
    found = [summary for summary in await client.executions(limit=500) if summary.name == "continued"]

    assert len(found) == 1
    assert found[0].phase is Phase.SUCCEEDED
    query = f"WorkflowId = '{handle.workflow_id}'"
    assert len([run async for run in client.temporal.list_workflows(query)]) >= 1


@pytest.mark.usefixtures("worker")
async def test_labels_too_long_for_a_search_attribute_do_not_fail_the_execution(client: Client) -> None:
    await add_search_attributes(client.temporal)
    assert {step.outcome for step in await setup_temporal(client)} <= {"ok", "exists", "skipped"}
    labels = {"team": "a", "long": "x" * 3_000, **{f"n{number}": "y" * 200 for number in range(50)}}
    handle = await client.launch("diamond", inputs={"x": 1}, options=LaunchOptions(labels=labels))
    execution = await handle.wait(DEADLINE_SECONDS)

    assert (execution.phase, execution.labels) == (Phase.SUCCEEDED, labels)
    assert [warning for warning in execution.warnings if "too long to search for" in warning]


@pytest.mark.usefixtures("worker")
async def test_long_node_name_does_not_fail_the_execution(client: Client) -> None:
    execution = await (await client.launch("loudly_named", inputs={"x": 1})).wait(DEADLINE_SECONDS)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 2})


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("message", ["x" * 3_000_000, "🙂" * 500_000, "a\udcffb"])
async def test_error_of_any_length_is_recorded(client: Client, backend: QuickBackend, message: str) -> None:
    backend.error = TaskError(kind="USER", code="Lost", message=message, retryable=False)
    handle = await client.launch("diamond", inputs={"x": 1})
    execution = await handle.wait(DEADLINE_SECONDS)

    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert execution.error.code == "Lost"
    assert execution.error.node in ("n0", "n1")
    history = await client.temporal.get_workflow_handle(handle.workflow_id).fetch_history()
    assert len(history.to_json()) < 100_000
