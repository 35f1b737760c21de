"""Tasks that the interpreter announces to the backend of its process, on a real server: each starts early, and once."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio import workflow
from temporalio.worker import Interceptor, Replayer, StartActivityInput, Worker, WorkflowInterceptorClassInput
from temporalio.worker import WorkflowInboundInterceptor as Inbound
from temporalio.worker import WorkflowOutboundInterceptor as Outbound

from flytemp import task
from flytemp import workflow as flytemp_workflow
from flytemp.client import Client
from flytemp.client.handle import ExecutionHandle
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.records.models import Phase
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp_activities.backend import HeartbeatDetails, Report, TaskLost, TryKey, key_of
from flytemp_activities.executions import Executions
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker import early_start_interceptor, plugin
from flytemp_worker.assembly import control_parts
from flytemp_worker.devserver import DevServer
from flytemp_worker.early_start_interceptor import EarlyStartInterceptor
from flytemp_worker.workflow.interpreter import FlytempMapPart, FlytempWorkflow
from tests.backend_without_resources import BackendWithoutResources
from tests.worker.serving import connect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SECONDS = 60.0


@task
def one(x: int) -> int:
    return x


@flytemp_workflow
def chain(x: int) -> int:
    first = one(x=x)
    second = one(x=first)
    return one(x=second)


class Cluster:
    """State that the backends of all workers share: the tries that run, and what ended tries have left."""

    def __init__(self) -> None:
        self.tries: dict[TryKey, asyncio.Future[TaskResult]] = {}
        self.made: Counter[TryKey] = Counter()
        self.left: dict[TryKey, TaskResult | None] = {}  # None: the try ended without a result
        self.finishes = True

    def make(self, key: TryKey) -> None:
        self.made[key] += 1
        self.tries[key] = asyncio.get_running_loop().create_future()
        if self.finishes:
            asyncio.get_running_loop().call_later(0.05, self.finish, key)

    def finish(self, key: TryKey) -> None:
        if key in self.tries:
            self.left[key] = TaskResult(status="succeeded", outputs={"o0": 1})
            self.tries.pop(key).set_result(TaskResult(status="succeeded", outputs={"o0": 1}))

    def remove(self, key: TryKey) -> None:
        if key in self.tries:
            self.left[key] = None
            run = self.tries.pop(key)
            run.set_exception(TaskLost("its pod is gone"))
            run.exception()


class Pods(BackendWithoutResources):
    """Backend of one worker."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.in_hand: set[TryKey] = set()
        self.early: list[TryKey] = []  # started early
        self.ran: list[tuple[TryKey, bool]] = []

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        key, cluster = key_of(invocation), self.cluster
        self.ran.append((key, resumed))
        if resumed and key in cluster.left:
            result = cluster.left[key]
            if result is None:
                raise TaskLost("its pod is gone")
            return result
        if key not in cluster.tries:
            cluster.make(key)
        self.in_hand.add(key)
        try:
            return await asyncio.shield(cluster.tries[key])
        finally:
            self.in_hand.discard(key)

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        key = key_of(invocation)
        self.early.append(key)
        if key not in self.cluster.tries:
            self.cluster.make(key)
        self.in_hand.add(key)
        return True

    def release(self, invocation_key: TryKey) -> None:
        self.in_hand.discard(invocation_key)

    async def kill(self, invocation_key: TryKey) -> None:
        self.in_hand.discard(invocation_key)
        self.cluster.remove(invocation_key)

    def running(self) -> set[TryKey]:
        return {key for key in self.in_hand if key in self.cluster.tries}


class FailingInterceptor(Interceptor):
    """Interceptor that fails one workflow task after its tasks were announced, as the death of its worker would."""

    def __init__(self) -> None:
        self.armed = False
        self.failed = 0

    def fail(self) -> None:
        if self.armed:
            self.armed = False
            self.failed += 1
            raise RuntimeError("the worker died")

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[Inbound]:
        input.unsafe_extern_functions["fail"] = self.fail
        return FailingInbound


class FailingInbound(Inbound):
    def init(self, outbound: Outbound) -> None:
        super().init(FailingOutbound(outbound))


class FailingOutbound(Outbound):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        handle = super().start_activity(input)
        if input.activity == "flytemp.run_task":
            workflow.extern_functions()["fail"]()
        return handle


@pytest.fixture
async def client(server: DevServer, tmp_path: Path) -> AsyncIterator[Client]:
    connected = await connect(server, tmp_path, [chain])
    yield connected
    await connected.close()


class WorkerProcess:
    """A process of `flytemp worker`. Several may serve the same queues."""

    def __init__(
        self, client: Client, cluster: Cluster, queue: str, others_queue: str | None = None, poll_seconds: float = 2.0
    ) -> None:
        self.client = client
        self.backend = Pods(cluster)
        self.settings = ExecutionSettings(task_queue=queue, heartbeat_seconds=2, starts_ahead=100)
        self.executions = Executions(client.store)
        self.runner = TaskRunner(self.executions, self.backend, WorkflowLiveness(client.temporal, poll_seconds))
        self.interceptor = EarlyStartInterceptor(self.runner.early_starter, others_queue or queue)
        self.runner.early_starter.open()

    def control(self, *others: Interceptor, cached: int = 1_000) -> Worker:
        parts = control_parts(self.executions, self.client.temporal, self.settings)
        return Worker(
            self.client.temporal, task_queue=self.client.settings.task_queue, workflows=parts.workflows,
            activities=parts.activities, interceptors=[*others, self.interceptor], max_cached_workflows=cached,
        )  # fmt: skip

    def tasks(self) -> Worker:
        activities = [self.runner.run_task, self.runner.start_tasks]
        return Worker(self.client.temporal, task_queue=self.settings.task_queue, activities=activities)


@pytest.fixture
def queue() -> str:
    return f"tasks-{uuid.uuid4().hex}"


async def launched(client: Client) -> ExecutionHandle[Any]:
    return await client.launch(f"{__name__}.chain", inputs={"x": 1})


def nodes(keys: Sequence[TryKey]) -> list[str]:
    return [key.node for key in keys]


async def until(condition: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def test_each_task_starts_when_it_is_scheduled(client: Client, queue: str) -> None:
    cluster = Cluster()
    cluster.finishes = False
    process = WorkerProcess(client, cluster, queue)
    async with process.control(), process.tasks():
        handle = await launched(client)
        for number in (1, 2, 3):
            await until(lambda number=number: len(process.backend.ran) == number)
            cluster.finish(process.backend.ran[-1][0])  # after its activity has arrived
        execution = await handle.wait(SECONDS)
    history = await client.temporal.get_workflow_handle(handle.workflow_id).fetch_history()
    await Replayer(workflows=[FlytempWorkflow, FlytempMapPart]).replay_workflow(history)
    assert execution.phase is Phase.SUCCEEDED
    assert nodes(process.backend.early) == ["n0", "n1", "n2"]
    assert [(key.node, resumed) for key, resumed in process.backend.ran] == [("n0", False), ("n1", False), ("n2", False)]
    assert set(cluster.made.values()) == {1}


async def test_activity_in_another_worker_resumes_the_early_started_try(client: Client, queue: str) -> None:
    cluster = Cluster()
    deciding, running = WorkerProcess(client, cluster, queue), WorkerProcess(client, cluster, queue)
    async with deciding.control(), running.tasks():
        execution = await (await launched(client)).wait(SECONDS)
    assert execution.phase is Phase.SUCCEEDED
    assert nodes(deciding.backend.early) == ["n0", "n1", "n2"]
    assert [(key.node, resumed) for key, resumed in running.backend.ran] == [("n0", True), ("n1", True), ("n2", True)]
    assert set(cluster.made.values()) == {1}


async def test_tasks_of_another_task_queue_are_not_announced(client: Client, queue: str) -> None:
    cluster = Cluster()
    deciding, running = WorkerProcess(client, cluster, queue, others_queue="others"), WorkerProcess(client, cluster, queue)
    async with deciding.control(), running.tasks():
        execution = await (await launched(client)).wait(SECONDS)
    assert execution.phase is Phase.SUCCEEDED
    assert deciding.backend.early == []
    assert not any(resumed for _, resumed in running.backend.ran)


async def test_tasks_scheduled_after_a_replay_are_not_announced(client: Client, queue: str) -> None:
    cluster = Cluster()
    process = WorkerProcess(client, cluster, queue)
    async with process.control(cached=0), process.tasks():  # each workflow task replays from the beginning
        execution = await (await launched(client)).wait(SECONDS)
    assert execution.phase is Phase.SUCCEEDED
    assert nodes(process.backend.early) == []
    assert all(resumed for _, resumed in process.backend.ran), "another worker may have announced them, and died"


@pytest.mark.parametrize("is_gone", [False, True], ids=["its pod runs", "its pod is gone"])
async def test_task_of_a_workflow_task_that_failed_starts_once(client: Client, queue: str, is_gone: bool) -> None:
    cluster, fails = Cluster(), FailingInterceptor()
    cluster.finishes = False
    process = WorkerProcess(client, cluster, queue)
    async with process.control(fails):  # no worker runs activities yet
        fails.armed = True
        handle = await launched(client)
        await until(lambda: fails.failed)
        await until(lambda: cluster.made)
        (key,) = cluster.tries
        if is_gone:
            cluster.remove(key)
            process.backend.in_hand.discard(key)
        cluster.finishes = True
        cluster.finish(key)
        async with process.tasks():
            execution = await handle.wait(SECONDS)
    assert execution.phase is Phase.SUCCEEDED
    assert cluster.made[key] == 1
    assert len(cluster.made) == 3 + is_gone, "a lost try has a second one"
    assert process.backend.early.count(key) == 1


async def test_try_of_an_activity_that_is_cancelled_in_the_queue_is_stopped(client: Client, queue: str) -> None:
    cluster = Cluster()
    cluster.finishes = False
    process = WorkerProcess(client, cluster, queue, poll_seconds=3_600)  # only the interceptor sees the cancellation
    async with process.control():  # no worker runs activities
        handle = await launched(client)
        await until(lambda: cluster.tries)
        await handle.cancel("not wanted")
        execution = await handle.wait(SECONDS)
        assert execution.phase is Phase.ABORTED
        await until(lambda: not cluster.tries)
    assert not process.backend.running()


async def test_tries_go_on_when_their_workflow_moves_to_another_worker(client: Client, queue: str) -> None:
    cluster = Cluster()
    cluster.finishes = False
    first, then = WorkerProcess(client, cluster, queue), WorkerProcess(client, cluster, queue)
    async with first.control():  # no worker runs activities
        handle = await launched(client)
        await until(lambda: cluster.tries)
    assert len(cluster.tries) == 1, "the try goes on"
    cluster.finishes = True
    for key in list(cluster.tries):
        cluster.finish(key)
    async with then.control(), then.tasks():
        execution = await handle.wait(SECONDS)
    assert execution.phase is Phase.SUCCEEDED
    assert set(cluster.made.values()) == {1}


async def test_try_goes_on_while_its_activity_waits_for_a_worker(client: Client, queue: str) -> None:
    cluster = Cluster()
    cluster.finishes = False
    process = WorkerProcess(client, cluster, queue, poll_seconds=0.1)
    async with process.control():
        handle = await launched(client)
        await until(lambda: cluster.tries)
        await asyncio.sleep(1.5)  # longer than an announced try may be left unexamined
        (key,) = process.backend.running()
        cluster.finishes = True
        cluster.finish(key)
        async with process.tasks():
            execution = await handle.wait(SECONDS)
    assert execution.phase is Phase.SUCCEEDED
    assert set(cluster.made.values()) == {1}


async def test_plugin_that_runs_tasks_starts_them_early(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Pods(Cluster())
    monkeypatch.setattr(plugin, "make_backend", lambda settings, store: backend)
    chosen = client.settings
    settings = dataclasses.replace(chosen, worker=dataclasses.replace(chosen.worker, backend="kubernetes"))
    added = plugin.FlytempPlugin(client.temporal, settings, run_tasks=True)
    async with Worker(client.temporal, task_queue=chosen.task_queue, plugins=[added]):
        execution = await (await launched(client)).wait(SECONDS)
    assert execution.phase is Phase.SUCCEEDED
    assert nodes(backend.early) == ["n0", "n1", "n2"]
    assert set(backend.cluster.made.values()) == {1}


@pytest.mark.parametrize(
    ("decisions", "new"),
    [
        pytest.param([(3, False), (9, False), (9, False), (15, False)], [False, True, True, True], id="from its beginning"),
        pytest.param([(9, True), (15, False), (15, False), (21, False)], [False, False, True], id="after a replay"),
        pytest.param(
            [(3, False), (9, False), (15, True), (21, False), (27, False)], [False, True, False, True],
            id="another worker decided meanwhile",
        ),
    ],
)  # fmt: skip
def test_first_decisions_after_a_start_or_replay_are_not_new(
    monkeypatch: pytest.MonkeyPatch, decisions: list[tuple[int, bool]], new: list[bool]
) -> None:
    state: dict[str, Any] = {}
    announced: list[bool] = []

    class Info:
        workflow_id, run_id = "workflow", "run"

        def get_current_history_length(self) -> int:
            return int(state["length"])

    class Server:
        def start_activity(self, input: StartActivityInput) -> asyncio.Future[None]:
            return asyncio.Future(loop=loop)

    loop = asyncio.new_event_loop()
    monkeypatch.setattr(workflow, "info", Info)
    monkeypatch.setattr(workflow.unsafe, "is_replaying", lambda: state["replays"])
    monkeypatch.setattr(workflow, "extern_functions", lambda: {
        "flytemp_announce": lambda queue, argument, run, is_new: announced.append(is_new), "flytemp_cancel_early_start": None,
    })  # fmt: skip
    outbound = early_start_interceptor._Outbound(Server())  # type: ignore[arg-type]
    for length, replays in decisions:
        state.update(length=length, replays=replays)
        asked: Any = SimpleNamespace(
            activity="flytemp.run_task", args=[{}], schedule_to_start_timeout=None, task_queue="q", activity_id="n0@1.1"
        )
        outbound.start_activity(asked)
    loop.close()
    assert announced == new
