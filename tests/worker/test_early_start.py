"""Fan-outs whose tries start before Temporal dispatches their activities, on a real server."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Replayer, Worker

from flytemp import map_task, task, workflow
from flytemp.client import Client, LaunchOptions
from flytemp.client.handle import ExecutionHandle
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.records.models import Phase
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp_activities.backend import HeartbeatDetails, Report, TaskLost, TryKey, key_of
from flytemp_activities.executions import Executions
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import control_parts
from flytemp_worker.devserver import DevServer
from flytemp_worker.workflow.early_start import FIRST
from flytemp_worker.workflow.interpreter import FlytempMapPart, FlytempWorkflow
from flytemp_worker.workflow.runner import WorkflowRunner
from flytemp_worker.workflow.window import INITIAL_WINDOW
from tests.backend_without_resources import BackendWithoutResources
from tests.worker.serving import connect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MANY = 120
SECONDS = 60.0


@task
def number(x: int) -> int:
    return x


@workflow
def fan(xs: list[int]) -> list[int]:
    return map_task(number)(x=xs)


class PodLikeBackend(BackendWithoutResources):
    """Backend whose tries go on, as pods do, until the test ends them. Ended tries keep their results."""

    def __init__(self) -> None:
        self.tries: dict[TryKey, asyncio.Future[TaskResult]] = {}
        self.asked: Counter[TryKey] = Counter()
        self.fresh: Counter[TryKey] = Counter()
        self.resumed: set[TryKey] = set()
        self.early: set[TryKey] = set()
        self.room = 1_000
        self.ready = asyncio.Event()  # early starts may return
        self.ready.set()
        self.quick = 0  # number of the first tries, which end at once
        self.done = False

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        key = key_of(invocation)
        self.asked[key] += 1
        if resumed:
            self.resumed.add(key)
        if key not in self.tries:
            self.fresh[key] += 1
            self.tries[key] = asyncio.get_running_loop().create_future()
            if self.done or len(self.tries) <= self.quick:
                self.end(key)
        report({"phase": "running"})
        return await asyncio.shield(self.tries[key])

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        key = key_of(invocation)
        if len(self.early) >= self.room:
            return False
        running = asyncio.create_task(self.run(invocation, resumed=False, report=lambda state: None))
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.early.add(key)
        await self.ready.wait()
        return True

    def release(self, invocation_key: TryKey) -> None:
        raise AssertionError("no other worker has the activity")

    def end(self, key: TryKey) -> None:
        if not self.tries[key].done():
            self.tries[key].set_result(TaskResult(status="succeeded", outputs={"o0": int(key.node.rpartition(".")[2])}))

    def first(self) -> list[TryKey]:
        """Return the tries that were not started early."""
        return [key for key in self.tries if key not in self.early]

    def fail(self, key: TryKey) -> None:
        error = TaskError(kind="USER", code="ValueError", message="no good", retryable=False)
        self.tries[key].set_result(TaskResult(status="failed", error=error))

    def end_all(self) -> None:
        self.done = True
        for key in list(self.tries):
            self.end(key)

    async def kill(self, invocation_key: TryKey) -> None:
        run = self.tries[invocation_key]
        if not run.done():
            run.set_exception(TaskLost("killed"))
            run.exception()

    def running(self) -> set[TryKey]:
        return {key for key, run in self.tries.items() if not run.done()}


@pytest.fixture
async def client(server: DevServer, tmp_path: Path) -> AsyncIterator[Client]:
    connected = await connect(server, tmp_path, [fan])
    yield connected
    await connected.close()


class Deployment:
    """An interpreter, and a worker for the tasks on a task queue of its own."""

    def __init__(self, client: Client, **settings: Any) -> None:
        self.client = client
        self.backend = PodLikeBackend()
        self.queue = f"tasks-{uuid.uuid4().hex}"
        self.resolved = ExecutionSettings(
            task_queue=self.queue, **{"heartbeat_seconds": 2, "drain_seconds": 0.2, "starts_ahead": 1_000, **settings}
        )
        self.executions = Executions(client.store)
        self.runner = TaskRunner(self.executions, self.backend, WorkflowLiveness(client.temporal))

    def control(self) -> Worker:
        parts = control_parts(self.executions, self.client.temporal, self.resolved)
        queue = self.client.settings.task_queue
        return Worker(self.client.temporal, task_queue=queue, workflows=parts.workflows, activities=parts.activities)

    def tasks(self, *others: Any, slots: int = 1_000) -> Worker:
        activities = [self.runner.run_task, *(others or (self.runner.start_tasks,))]
        return Worker(self.client.temporal, task_queue=self.queue, activities=activities, max_concurrent_activities=slots)

    async def launch(self) -> ExecutionHandle[Any]:
        return await self.client.launch(
            f"{__name__}.fan", inputs={"xs": list(range(MANY))}, options=LaunchOptions(max_parallelism=0)
        )

    async def scheduled(self, handle: ExecutionHandle[Any]) -> Counter[str]:
        """Return the number of scheduled activities of all runs by type. Each history is replayed, too."""
        found: Counter[str] = Counter()
        run_id: str | None = (await self.client.temporal.get_workflow_handle(handle.workflow_id).describe()).raw_info.first_run_id
        while run_id:
            history = await self.client.temporal.get_workflow_handle(handle.workflow_id, run_id=run_id).fetch_history()
            await Replayer(workflows=[FlytempWorkflow, FlytempMapPart]).replay_workflow(history)
            for event in history.events:
                if event.HasField("activity_task_scheduled_event_attributes"):
                    found[event.activity_task_scheduled_event_attributes.activity_type.name] += 1
            run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        return found


async def eventually(condition: Any, what: str) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.02)
    assert condition(), what


async def test_one_activity_starts_many_tasks(client: Client) -> None:
    deployment = Deployment(client)
    async with deployment.control(), deployment.tasks():
        handle = await deployment.launch()
        await eventually(lambda: len(deployment.backend.asked) == MANY, "all are started")
        await eventually(lambda: sum(deployment.backend.asked.values()) == 2 * MANY - FIRST, "their activities follow")
        deployment.backend.end_all()
        execution = await handle.wait(SECONDS)
        scheduled = await deployment.scheduled(handle)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": list(range(MANY))})
    assert (scheduled["flytemp.start_tasks"], scheduled["flytemp.run_task"]) == (1, MANY)
    assert set(deployment.backend.fresh.values()) == {1}
    assert len(deployment.backend.resumed) == MANY - FIRST, "tries that may have started are resumed"


async def test_remaining_activities_are_scheduled_after_many_tasks_end_at_once(client: Client) -> None:
    deployment = Deployment(client)
    deployment.backend.ready.clear()
    async with deployment.control(), deployment.tasks():
        handle = await deployment.launch()
        await eventually(lambda: len(deployment.backend.asked) == MANY, "all are started")
        deployment.backend.ready.set()
        for key in deployment.backend.first():
            deployment.backend.end(key)
        await eventually(lambda: sum(deployment.backend.asked.values()) == 2 * MANY - FIRST, "their activities follow")
        deployment.backend.end_all()
        execution = await handle.wait(SECONDS)
        await deployment.scheduled(handle)
    assert execution.phase is Phase.SUCCEEDED


async def test_remaining_tasks_start_after_many_end_at_once_without_early_start(client: Client) -> None:
    deployment = Deployment(client, starts_ahead=0)
    deployment.backend.quick = INITIAL_WINDOW
    async with deployment.control(), deployment.tasks():
        handle = await deployment.launch()
        await eventually(lambda: len(deployment.backend.asked) == MANY, "all are started")
        deployment.backend.end_all()
        execution = await handle.wait(SECONDS)
        await deployment.scheduled(handle)
    assert execution.phase is Phase.SUCCEEDED


async def test_results_from_before_the_activities_count(client: Client) -> None:
    deployment = Deployment(client)
    deployment.backend.done = True
    async with deployment.control(), deployment.tasks():
        execution = await (await deployment.launch()).wait(SECONDS)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": list(range(MANY))})
    assert set(deployment.backend.fresh.values()) == {1}


async def test_cancellation_stops_tries_without_an_activity(client: Client) -> None:
    deployment = Deployment(client)
    deployment.backend.ready.clear()  # start_tasks does not return yet
    async with deployment.control(), deployment.tasks():
        handle = await deployment.launch()
        await eventually(lambda: len(deployment.backend.asked) == MANY, "all are started")
        await handle.cancel("not wanted")
        await eventually(lambda: len(deployment.backend.running()) == MANY - FIRST, "those with an activity are stopped")
        deployment.backend.ready.set()
        execution = await handle.wait(SECONDS)
        scheduled = await deployment.scheduled(handle)
    assert execution.phase is Phase.ABORTED
    assert not deployment.backend.running()
    assert set(deployment.backend.fresh.values()) == {1}
    assert scheduled["flytemp.run_task"] == MANY
    assert {str(node.phase) for node in execution.nodes} == {"ABORTED"}


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the window of activities small, so that activities are held back until tasks end."""
    monkeypatch.setattr(WorkflowRunner, "_may_window_grow", False)


@pytest.mark.usefixtures("narrow")
async def test_failure_stops_tries_whose_activities_are_held_back(client: Client) -> None:
    deployment = Deployment(client)
    async with deployment.control(), deployment.tasks():
        handle = await deployment.launch()
        await eventually(lambda: len(deployment.backend.asked) == MANY, "all are started")
        await eventually_completed(deployment, handle, "flytemp.start_tasks")
        deployment.backend.fail(deployment.backend.first()[0])
        execution = await handle.wait(SECONDS)
        await deployment.scheduled(handle)
    assert execution.phase is Phase.FAILED
    assert not deployment.backend.running()
    assert set(deployment.backend.fresh.values()) == {1}


@pytest.mark.usefixtures("narrow")
async def test_pause_starts_no_further_tasks(client: Client) -> None:
    deployment = Deployment(client)
    deployment.backend.room = 60  # number of early starts that succeed
    async with deployment.control(), deployment.tasks():
        handle = await deployment.launch()
        await eventually_completed(deployment, handle, "flytemp.start_tasks")
        await eventually(lambda: len(deployment.backend.fresh) == FIRST + 60, "the first and the early-started tasks run")
        await handle.pause("lunch")
        for key in list(deployment.backend.tries):
            deployment.backend.end(key)
        await eventually(lambda: sum(deployment.backend.asked.values()) == FIRST + 120, "the started tries have their activities")
        before = (await client.temporal.get_workflow_handle(handle.workflow_id).describe()).history_length
        await asyncio.sleep(0.5)
        assert len(deployment.backend.fresh) == FIRST + 60
        after = (await client.temporal.get_workflow_handle(handle.workflow_id).describe()).history_length
        assert after - before < 20, "a pause is quiet"
        deployment.backend.room = 1_000
        await handle.resume()
        deployment.backend.end_all()
        execution = await handle.wait(SECONDS)
        await deployment.scheduled(handle)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": list(range(MANY))})
    assert set(deployment.backend.fresh.values()) == {1}


async def test_chunks_of_a_map_start_their_tasks_early(client: Client) -> None:
    deployment = Deployment(client, max_map_items=100)
    async with deployment.control(), deployment.tasks():
        handle = await client.launch(
            f"{__name__}.fan", inputs={"xs": list(range(2 * MANY))}, options=LaunchOptions(max_parallelism=0)
        )
        await eventually(lambda: len(deployment.backend.asked) >= MANY, "some are started")
        assert deployment.backend.early
        await asyncio.sleep(1)
        assert set(deployment.backend.running()) == set(deployment.backend.tries), "no try was stopped as an orphan"
        deployment.backend.end_all()
        execution = await handle.wait(SECONDS)
    assert execution.phase is Phase.SUCCEEDED
    assert set(deployment.backend.fresh.values()) == {1}


async def test_cancellation_stops_tries_whose_activities_wait_for_a_slot(client: Client) -> None:
    deployment = Deployment(client)
    deployment.backend.ready.clear()  # until the first activities have their slots
    async with deployment.control(), deployment.tasks(slots=FIRST + 1):
        handle = await deployment.launch()
        await eventually(lambda: len(deployment.backend.asked) == MANY, "all are started")
        deployment.backend.ready.set()
        await eventually_scheduled(deployment, handle, "flytemp.run_task", MANY)
        assert sum(deployment.backend.asked.values()) <= MANY + 1, "most activities wait for a free slot"
        await handle.cancel("not wanted")
        execution = await handle.wait(SECONDS)
    assert execution.phase is Phase.ABORTED
    assert not deployment.backend.running()
    assert set(deployment.backend.fresh.values()) == {1}


async def test_cancellation_needs_no_worker_if_nothing_was_started(client: Client) -> None:
    deployment = Deployment(client)
    async with deployment.control():
        handle = await deployment.launch()
        await eventually_scheduled(deployment, handle, "flytemp.start_tasks")
        await handle.cancel("no worker")
        execution = await handle.wait(SECONDS)
    assert execution.phase is Phase.ABORTED
    assert not deployment.backend.asked


async def test_late_worker_starts_each_task_once(client: Client) -> None:
    deployment = Deployment(client)
    deployment.backend.done = True
    async with deployment.control():
        handle = await deployment.launch()
        await eventually_scheduled(deployment, handle, "flytemp.start_tasks")
        await asyncio.sleep(6)  # it waits five seconds for a worker
        async with deployment.tasks():
            execution = await handle.wait(SECONDS)
            assert not deployment.backend.resumed, "no worker can have started them"
    assert execution.phase is Phase.SUCCEEDED
    assert set(deployment.backend.asked.values()) == {1}


async def test_failed_start_activity_does_not_fail_the_execution(client: Client) -> None:
    @activity.defn(name="flytemp.start_tasks")
    async def broken(argument: dict[str, Any]) -> None:
        raise RuntimeError("the worker is broken")

    deployment = Deployment(client)
    deployment.backend.done = True
    async with deployment.control(), deployment.tasks(broken):
        execution = await (await deployment.launch()).wait(SECONDS)
    assert execution.phase is Phase.SUCCEEDED
    assert len(deployment.backend.resumed) == MANY - FIRST, "the activity may have started them"


async def test_run_that_continues_as_new_finds_the_started_tries(client: Client) -> None:
    deployment = Deployment(client, continue_as_new_events=60)
    async with deployment.control(), deployment.tasks():
        handle = await deployment.launch()
        await eventually(lambda: len(deployment.backend.asked) == MANY, "all are started")
        for key in deployment.backend.first():
            deployment.backend.end(key)
        temporal = client.temporal.get_workflow_handle(handle.workflow_id)
        async with asyncio.timeout(SECONDS):
            while (description := await temporal.describe()).run_id == description.raw_info.first_run_id:
                assert description.status is WorkflowExecutionStatus.RUNNING
                await asyncio.sleep(0.05)
        deployment.backend.end_all()
        execution = await handle.wait(SECONDS)
        await deployment.scheduled(handle)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": list(range(MANY))})
    assert set(deployment.backend.fresh.values()) == {1}


async def test_max_parallelism_limits_early_starts(client: Client) -> None:
    deployment = Deployment(client)
    async with deployment.control(), deployment.tasks():
        handle = await client.launch(
            f"{__name__}.fan", inputs={"xs": list(range(MANY))}, options=LaunchOptions(max_parallelism=90)
        )
        await eventually(lambda: len(deployment.backend.asked) >= 90, "as many tasks as the limit are started")
        await asyncio.sleep(0.5)
        assert len(deployment.backend.asked) == 90
        deployment.backend.end_all()
        assert (await handle.wait(SECONDS)).phase is Phase.SUCCEEDED


async def eventually_scheduled(deployment: Deployment, handle: ExecutionHandle[Any], name: str, count: int = 1) -> None:
    temporal = deployment.client.temporal.get_workflow_handle(handle.workflow_id)
    async with asyncio.timeout(SECONDS):
        while True:
            events = (await temporal.fetch_history()).events
            if sum(event.activity_task_scheduled_event_attributes.activity_type.name == name for event in events) >= count:
                return
            await asyncio.sleep(0.05)


async def eventually_completed(deployment: Deployment, handle: ExecutionHandle[Any], name: str) -> None:
    temporal = deployment.client.temporal.get_workflow_handle(handle.workflow_id)
    async with asyncio.timeout(SECONDS):
        while True:
            events = (await temporal.fetch_history()).events
            begun = [e.event_id for e in events if e.activity_task_scheduled_event_attributes.activity_type.name == name]
            if any(e.activity_task_completed_event_attributes.scheduled_event_id in begun for e in events if begun):
                return
            await asyncio.sleep(0.05)
