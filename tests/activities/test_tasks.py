"""`run_task`: heartbeats, verdicts, and what each kind of cancellation stops and leaves."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from flytemp.errors import StoreError
from flytemp.layout import ExecutionLayout
from flytemp.records.launch import ExecutionContext, LaunchOptions
from flytemp.runtime.invocation import TaskError, TaskResult
from flytemp.spec.pages import to_pages
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure, TaskLost, TryKey
from flytemp_activities.executions import Executions
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from tests import small
from tests.activities.blocked_tasks import HeldBackend
from tests.activities.fake_temporal import (
    CLOSED,
    NOT_FOUND,
    OPEN,
    SCHEDULED,
    STARTED,
    UNAVAILABLE,
    USED_AGAIN,
    Description,
    FakeTemporal,
)

LAYOUT = ExecutionLayout("default", "ex:default:development:one", "run-1")
SPEC = "wf:default:development:tests.small.diamond:v1"
ARGUMENT = {
    "execution": LAYOUT.root,
    "node": "n0",
    "graph": "tests.small.diamond",
    "task": "tests.small.add",
    "attempt": 1,
    "try_": 1,
    "inputs": {"a": {"literal": 1}, "b": {"literal": 2}},
}


class Observer:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def started(self, task: str) -> None:
        self.seen.append(f"{task} started")

    def ended(self, task: str, outcome: str, seconds: float) -> None:
        self.seen.append(outcome)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    opened = open_store(str(tmp_path / "store"))
    small.register(opened)
    context = ExecutionContext(
        execution="one", project="default", domain="development", entity=SPEC, spec=SPEC, workflow="diamond", version="v1",
        inputs={"x": 1}, options=LaunchOptions(), raw_data_prefix="s3://bucket/data", namespace="default",
        workflow_id=LAYOUT.workflow_id, first_run_id="run-1", started_at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    opened.write(LAYOUT.execution, context.model_dump_json().encode())
    return opened


class Trial:
    """One activity of a runner, with everything around it."""

    def __init__(self, store: ObjectStore, *answers: Description | RPCError, slots: int | None = None) -> None:
        self.backend = HeldBackend()
        self.temporal = FakeTemporal(*answers or (OPEN,))
        self.observer = Observer()
        liveness = WorkflowLiveness(self.temporal, poll_seconds=0.001)  # type: ignore[arg-type]
        self.runner = TaskRunner(Executions(store), self.backend, liveness, self.observer, slots)
        self.environment = ActivityEnvironment()
        self.heartbeats: list[Any] = []
        self.environment.on_heartbeat = lambda *details: self.heartbeats.append(dict(details[0]))

    def begin(self, **changes: Any) -> asyncio.Task[Any]:
        return asyncio.create_task(self.environment.run(self.runner.run_task, {**ARGUMENT, **changes}))

    async def begun(self, **changes: Any) -> asyncio.Task[Any]:
        activity = self.begin(**changes)
        await self.backend.started.wait()
        return activity

    async def all_claimed_or_over(self) -> None:
        """Return when no try is left without an activity."""
        async with asyncio.timeout(10):
            while self.runner.early_starter.unclaimed:
                await asyncio.sleep(0.001)

    async def polled(self, times: int) -> None:
        """Return when the workflow was described so often."""
        async with asyncio.timeout(10):
            while self.temporal.asked < times:
                await asyncio.sleep(0.001)


async def test_outputs_are_returned(store: ObjectStore) -> None:
    trial = Trial(store)
    activity = await trial.begun()
    trial.backend.run_of_one.set_result(TaskResult(status="succeeded", outputs={"o0": 3}))

    assert await activity == {"outputs": {"o0": 3}, "size": len('{"o0":3}')}
    assert trial.observer.seen == ["tests.small.add started", "succeeded"]
    invocation, resumed = trial.backend.invocations[0]
    assert not resumed
    assert invocation.raw_data_prefix == f"s3://bucket/data/{LAYOUT.root.partition('/')[2]}/n0/1"


async def test_large_outputs_stay_in_the_store(store: ObjectStore) -> None:
    trial = Trial(store)
    activity = await trial.begun()
    trial.backend.run_of_one.set_result(TaskResult(status="succeeded", outputs={"o0": "x" * 10_000}))

    assert await activity == {"size": 10_009}


async def test_heartbeats_carry_the_details_of_the_backend(store: ObjectStore) -> None:
    trial = Trial(store)
    beaten = asyncio.Event()

    def beat(*details: Any) -> None:
        trial.heartbeats.append(details[0])
        beaten.set()

    trial.environment.on_heartbeat = beat
    activity = await trial.begun()
    await beaten.wait()
    trial.backend.run_of_one.set_result(TaskResult(status="succeeded", outputs={}))
    await activity

    assert trial.heartbeats[0] == {"phase": "running", "pid": 7}


def user(code: str, *, retryable: bool = True) -> TaskResult:
    return TaskResult(status="failed", error=TaskError(kind="USER", code=code, message="m" * 10_000, retryable=retryable))


@pytest.mark.parametrize(
    ("outcome", "detail", "seen"),
    [
        pytest.param(user("ValueError"), ("USER", "ValueError", True), "failed", id="the user's"),
        pytest.param(user("Lost", retryable=False), ("USER", "Lost", False), "failed", id="an exception called Lost"),
        pytest.param(TaskLost("gone"), ("SYSTEM", "Lost", True), "lost", id="lost"),
        pytest.param(
            SystemFailure(TaskError(kind="SYSTEM", code="NoBundle", message="m")), ("SYSTEM", "NoBundle", True), "system-failure",
            id="the platform's",
        ),
    ],
)  # fmt: skip
async def test_failures_carry_kind_code_and_retryability(
    store: ObjectStore, outcome: TaskResult | Exception, detail: Any, seen: str
) -> None:
    trial = Trial(store)
    activity = await trial.begun()
    if isinstance(outcome, TaskResult):
        trial.backend.run_of_one.set_result(outcome)
    else:
        trial.backend.run_of_one.set_exception(outcome)

    with pytest.raises(ApplicationError) as caught:
        await activity
    given = caught.value.details[0]
    assert (given["kind"], given["code"], given["retryable"]) == detail
    assert caught.value.non_retryable, "the engine decides, not Temporal"
    assert len(given["message"]) <= 2_000
    assert trial.observer.seen[-1] == seen


async def test_execution_that_does_not_load_is_a_failure_of_the_platform(store: ObjectStore) -> None:
    trial = Trial(store)
    with pytest.raises(ApplicationError) as caught:
        await trial.begin(execution="executions/default/other/run-1")
    assert (caught.value.details[0]["kind"], caught.value.details[0]["retryable"]) == ("SYSTEM", True)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [(ValueError("Maximum depth exceeded"), False), (RecursionError(), False), (OSError("too many open files"), True)],
)
async def test_unexpected_error_is_repeated_by_the_engine_at_most(store: ObjectStore, error: Exception, retryable: bool) -> None:
    trial = Trial(store)
    activity = await trial.begun()
    trial.backend.run_of_one.set_exception(error)
    with pytest.raises(ApplicationError) as caught:
        await activity
    detail = caught.value.details[0]
    assert caught.value.non_retryable, "Temporal would repeat the activity without end"
    assert (detail["kind"], detail["code"], detail["retryable"]) == ("SYSTEM", "FlytempBug", retryable)
    assert trial.observer.seen[-1] == "system-failure"


async def test_execution_in_a_store_that_does_not_answer_costs_no_try(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(store)

    def load(root: str, source: str | None) -> Any:
        raise StoreError("no route to host")

    monkeypatch.setattr(trial.runner._executions, "load", load)
    with pytest.raises(ApplicationError) as caught:
        await trial.begin()
    assert (caught.value.type, caught.value.non_retryable) == (StoreError.code, False)


@pytest.mark.parametrize(("argument", "attempt", "resumed"), [({}, 1, False), ({"resumed": True}, 1, True), ({}, 2, True)])
async def test_try_is_resumed_if_it_may_have_started_before(
    store: ObjectStore, argument: dict[str, bool], attempt: int, resumed: bool
) -> None:
    trial = Trial(store)
    trial.environment.info = dataclasses.replace(trial.environment.info, attempt=attempt)
    activity = await trial.begun(**argument)
    trial.backend.run_of_one.set_result(TaskResult(status="succeeded", outputs={}))
    await activity
    assert trial.backend.invocations[0][1] is resumed


async def test_try_after_a_workflow_reset_does_not_join_the_earlier_try(store: ObjectStore) -> None:
    trial = Trial(store)
    activities = [await trial.begun()]
    trial.environment = ActivityEnvironment()
    trial.backend.started.clear()
    activities.append(await trial.begun(epoch="9f3a2c01"))

    assert trial.backend.running() == {TryKey(LAYOUT.root, "n0", 1, 1), TryKey(LAYOUT.root, "n0", 1, 1, "9f3a2c01")}
    for run in trial.backend.tries.values():
        run.set_result(TaskResult(status="succeeded", outputs={}))
    await asyncio.gather(*activities)


async def cancelled(trial: Trial, activity: asyncio.Task[Any], **causes: bool) -> None:
    trial.environment.cancel(cancellation_details=ActivityCancellationDetails(**causes))
    with pytest.raises(asyncio.CancelledError):
        await activity


async def test_cancellation_by_the_engine_stops_the_try(store: ObjectStore) -> None:
    trial = Trial(store)
    activity = await trial.begun()
    await cancelled(trial, activity, cancel_requested=True)

    assert trial.backend.killed == [TryKey(LAYOUT.root, "n0", 1, 1)]
    assert trial.observer.seen[-1] == "cancelled"
    assert trial.temporal.asked == 0


async def test_result_committed_before_the_stop_counts(store: ObjectStore) -> None:
    trial = Trial(store)
    trial.backend.on_kill = lambda run: run.set_result(TaskResult(status="succeeded", outputs={"o0": 3}))
    activity = await trial.begun()
    trial.environment.cancel(cancellation_details=ActivityCancellationDetails(cancel_requested=True))

    assert (await activity)["outputs"] == {"o0": 3}
    assert trial.observer.seen[-1] == "succeeded"


@pytest.mark.parametrize(
    "causes",
    [
        pytest.param({"not_found": True}, id="terminated, continued or closed"),
        pytest.param({"not_found": True, "timed_out": True}, id="heartbeat timed out"),
        pytest.param({"timed_out": True}, id="timed out"),
        pytest.param({"paused": True}, id="paused"),
        pytest.param({"reset": True}, id="reset"),
    ],
)
@pytest.mark.parametrize(
    ("answers", "killed"),
    [
        pytest.param([CLOSED], True, id="closed"),
        pytest.param([NOT_FOUND], True, id="forgotten"),
        pytest.param([USED_AGAIN], True, id="the id is used again"),
        pytest.param([OPEN, UNAVAILABLE, OPEN, CLOSED], True, id="closed later"),
        pytest.param([OPEN], False, id="open"),
    ],
)
async def test_try_without_an_activity_ends_with_its_execution(
    store: ObjectStore,
    causes: dict[str, bool],
    answers: list[Description | RPCError],
    killed: bool,
) -> None:
    trial = Trial(store, *answers)
    activity = await trial.begun()
    await cancelled(trial, activity, **causes)

    assert trial.observer.seen[-1] == "detached"
    if not killed:
        await trial.polled(3)
        assert trial.backend.running() == {TryKey(LAYOUT.root, "n0", 1, 1)}
        trial.backend.run_of_one.set_result(TaskResult(status="succeeded", outputs={}))
    await trial.all_claimed_or_over()
    assert bool(trial.backend.killed) is killed


def several(*nodes: str) -> dict[str, Any]:
    """Return an argument of `start_tasks`."""
    return {"tries": to_pages([{**ARGUMENT, "node": node} for node in nodes])}


@pytest.mark.parametrize(("slots", "started"), [(None, 3), (3, 3), (2, 2), (0, 0)])
async def test_tries_are_started_early_as_long_as_slots_are_free(store: ObjectStore, slots: int | None, started: int) -> None:
    trial = Trial(store, slots=slots)
    answer = await trial.environment.run(trial.runner.start_tasks, several("n0", "n1", "n2"))

    assert answer == {"started": list(range(started))}
    assert trial.backend.running() == {TryKey(LAYOUT.root, f"n{number}", 1, 1) for number in range(started)}
    assert not any(resumed for _, resumed in trial.backend.invocations)


async def test_early_started_try_is_claimed_by_its_activity(store: ObjectStore) -> None:
    trial = Trial(store)
    await trial.environment.run(trial.runner.start_tasks, several("n0"))
    activity = await trial.begun(resumed=True)
    trial.backend.run_of_one.set_result(TaskResult(status="succeeded", outputs={"o0": 3}))

    assert (await activity)["outputs"] == {"o0": 3}
    await trial.all_claimed_or_over()
    assert not trial.backend.killed


async def test_early_started_tries_end_with_their_execution(store: ObjectStore) -> None:
    trial = Trial(store, OPEN, OPEN, CLOSED)
    await trial.environment.run(trial.runner.start_tasks, several("n0", "n1"))
    await trial.all_claimed_or_over()

    assert sorted(key.node for key in trial.backend.killed) == ["n0", "n1"]
    assert trial.temporal.asked == 3, "one question for all of them"


async def test_early_started_try_is_released_to_the_worker_with_its_activity(store: ObjectStore) -> None:
    taken = Description(activities={"n0@1.1": STARTED, "n1@1.1": SCHEDULED, "n2@1.1": STARTED})
    trial = Trial(store, OPEN, taken, OPEN, CLOSED)
    await trial.environment.run(trial.runner.start_tasks, several("n0", "n1"))
    await trial.all_claimed_or_over()

    assert [key.node for key in trial.backend.released] == ["n0"]
    assert [key.node for key in trial.backend.killed] == ["n1"], "its activity waits for a worker"


async def test_tries_of_an_execution_that_does_not_load_are_not_started_early(store: ObjectStore) -> None:
    trial = Trial(store)
    argument = {"tries": to_pages([{**ARGUMENT, "execution": "executions/default/other/run-1"}])}
    assert await trial.environment.run(trial.runner.start_tasks, argument) == {"started": []}
    assert not trial.backend.invocations


async def test_early_started_try_can_be_stopped(store: ObjectStore) -> None:
    trial = Trial(store)
    await trial.environment.run(trial.runner.start_tasks, several("n0"))
    with pytest.raises(ApplicationError) as caught:
        await trial.begin(resumed=True, stop=True)

    assert caught.value.type == "Lost"
    assert trial.backend.killed == [TryKey(LAYOUT.root, "n0", 1, 1)]
    assert trial.observer.seen[-1] == "cancelled"


async def test_worker_shutdown_leaves_tries_to_the_backend(store: ObjectStore) -> None:
    trial = Trial(store, CLOSED)
    activity = await trial.begun()
    await cancelled(trial, activity, worker_shutdown=True)

    assert not trial.runner.early_starter.unclaimed
    assert not trial.backend.killed
    assert trial.backend.running() == {TryKey(LAYOUT.root, "n0", 1, 1)}


async def test_later_activity_joins_the_try_that_an_earlier_one_left(store: ObjectStore) -> None:
    trial = Trial(store, OPEN)
    activity = await trial.begun()
    await cancelled(trial, activity, not_found=True, timed_out=True)
    trial.environment = ActivityEnvironment()
    again = await trial.begun(resumed=True)
    trial.backend.run_of_one.set_result(TaskResult(status="succeeded", outputs={"o0": 3}))

    assert (await again)["outputs"] == {"o0": 3}
    await trial.all_claimed_or_over()
    assert not trial.backend.killed


async def test_try_that_several_activities_left_is_kept_once(store: ObjectStore) -> None:
    trial = Trial(store, OPEN)
    for _ in range(3):
        trial.environment = ActivityEnvironment()
        await cancelled(trial, await trial.begun(), paused=True)
    assert len(trial.runner.early_starter.unclaimed) == 1
