"""Tests of about a thousand nodes with low thresholds, in many runs and chunks. Full size: `just scale`."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Worker

from bench.failed_tasks import is_failed_task
from bench.scale_programs import CODE, chain, dynamic, fan, mapped, nested, random_graph
from flytemp.bundle import pack, store_bundle
from flytemp.client import Client
from flytemp.config import load_settings
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.registry import Registry
from flytemp.runtime.execute import execute
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.spec.models import WorkflowDocument
from flytemp_activities.backend import HeartbeatDetails, Report
from flytemp_activities.executions import Executions
from flytemp_activities.noop import NoopBackend
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import control_worker, task_worker
from flytemp_worker.devserver import DevServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

EVENTS, ITEMS = 300, 60
"""The thresholds: events of a history, items of a chunk of a map."""

CASES: dict[str, tuple[WorkflowDocument, dict[str, Any]]] = {
    "chain": (chain(200), {}),
    "random": (random_graph(1_000), {}),
    "fan": (fan(1_000), {}),
    "map": (mapped(), {"xs": list(range(1_000))}),
    "dynamic": (dynamic(1_000), {}),
    "nested": (nested(50), {}),
}


class GraphsOnly(NoopBackend):
    """Backend that returns results at once. It only runs tasks that make a graph."""

    def __init__(self, client: Client) -> None:
        self._store = client.store

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        if invocation.task.kind != "dynamic":
            return TaskResult(status="succeeded", outputs={"o0": 0})
        made = await asyncio.to_thread(execute, invocation, self._store, owner="test")
        assert made is not None
        return made


@dataclass(frozen=True)
class Place:
    client: Client
    queue: str

    async def start(self, name: str) -> WorkflowHandle[Any, Any]:
        document, inputs = CASES[name]
        key = f"uploads/{name}.json"
        self.client.store.write(key, json.dumps(inputs).encode())
        launch = {
            "launch_plan": f"wf:default:development:{document.name}:v1", "inputs_uri": self.client.store.uri_of(key),
            "options": {"max_parallelism": 0},
        }  # fmt: skip
        identifier = f"ex:default:development:{name}-{uuid.uuid4().hex[:8]}"
        return await self.client.temporal.start_workflow("FlytempWorkflow", launch, id=identifier, task_queue=self.queue)

    async def runs_of(self, handle: WorkflowHandle[Any, Any]) -> list[WorkflowExecution]:
        """Return all runs of the execution and of its chunks, once they are listed as closed."""
        query = f"WorkflowId STARTS_WITH '{handle.id}'"
        for _ in range(200):
            found = [run async for run in self.client.temporal.list_workflows(query)]
            if found and all(run.status is not WorkflowExecutionStatus.RUNNING for run in found):
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"still running: {[run.id for run in found if run.status is WorkflowExecutionStatus.RUNNING]}")


@pytest.fixture
async def place(server: DevServer, tmp_path: Path) -> AsyncIterator[Place]:
    queue = uuid.uuid4().hex
    environ = {"TEMPORAL_ADDRESS": server.address, "FLYTEMP_STORE": str(tmp_path / "store"), "FLYTEMP_TASK_QUEUE": queue}
    client = await Client.connect(load_settings(tmp_path, environ=environ))
    code = tmp_path / "code"
    code.mkdir()
    (code / "scale_tasks.py").write_text(CODE)
    bundle = pack(code)
    store_bundle(client.store, bundle)
    documents = [document.model_copy(update={"bundle": bundle.ref}) for document, _ in CASES.values()]
    Registry(client.store).register(documents, project="default", domain="development", version="v1")
    settings = ExecutionSettings(
        task_queue=f"{queue}-tasks", continue_as_new_events=EVENTS, max_map_items=ITEMS, drain_seconds=5
    )
    executions = Executions(client.store)
    control = control_worker(client.temporal, executions, queue, settings)
    runner = TaskRunner(executions, GraphsOnly(client), WorkflowLiveness(client.temporal))
    tasks: Worker = task_worker(client.temporal, runner, settings, slots=10, drain_seconds=0)
    async with control, tasks:
        yield Place(client, queue)
    await client.close()


@pytest.mark.parametrize("name", CASES)
async def test_thousand_nodes_succeed_in_many_runs_and_chunks(place: Place, name: str) -> None:
    handle = await place.start(name)
    await handle.result()
    runs = await place.runs_of(handle)

    assert len(runs) >= (1 if name == "nested" else 2)
    assert max(run.history_length for run in runs) < 10 * EVENTS
    for run in runs:
        history = place.client.temporal.get_workflow_handle(run.id, run_id=run.run_id)
        assert [str(event) async for event in history.fetch_history_events() if is_failed_task(event)] == []
    execution = await (await place.client.find(handle.id)).describe()
    assert str(execution.phase) == "SUCCEEDED"
    if name == "map":
        items = execution.nodes[0].items
        assert items is not None
        assert (items.total, items.succeeded) == (1_000, 1_000)
    elif name not in ("chain", "nested"):
        assert len(execution.nodes) >= 1_000


@pytest.mark.parametrize("name", CASES)
async def test_cancellation_of_many_nodes_leaves_nothing_running(place: Place, name: str) -> None:
    handle = await place.start(name)
    async for event in handle.fetch_history_events(wait_new_event=True):
        if event.event_id > 60:
            break
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    runs = await place.runs_of(handle)
    last = max((run for run in runs if run.id == handle.id), key=lambda run: run.start_time)
    assert last.status is WorkflowExecutionStatus.CANCELED
