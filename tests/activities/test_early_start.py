"""Tries that start before their activities arrive: claimed by their activities, released or stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import PendingActivityState

from flytemp.errors import NotFound, StoreError
from flytemp.protocol.activities import RunTaskArgument
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.store import open_store
from flytemp_activities import early_start
from flytemp_activities.backend import TryKey, key_of
from flytemp_activities.early_start import EarlyStarter
from flytemp_activities.workflow_liveness import WorkflowLiveness, WorkflowRun, WorkflowState
from tests.activities.blocked_tasks import HeldBackend
from tests.activities.fake_temporal import CANCEL_REQUESTED, OPEN, PAUSED, SCHEDULED, STARTED, FakeTemporal
from tests.sdk.runtime.project import Project

RUN = WorkflowRun("workflow", "run-1")


class Trial:
    """An `EarlyStarter` with everything around it. The test passes the states of the workflow."""

    def __init__(self, project: Project, slots: int | None = None) -> None:
        self.project = project
        self.backend = HeldBackend()
        self.root = key_of(self.invocation("n0")).execution_root
        self.may_load = asyncio.Event()
        self.may_load.set()
        liveness = WorkflowLiveness(FakeTemporal(OPEN))  # type: ignore[arg-type]
        self.starter = EarlyStarter(self.backend, liveness, self._load, slots)
        self.starter.open()

    async def _load(self, argument: RunTaskArgument) -> Invocation:
        await self.may_load.wait()
        return self.invocation(argument.node)

    def invocation(self, node: str) -> Invocation:
        if node == "nowhere":
            raise NotFound("there is no node nowhere")
        return self.project.invocation("add", {"a": 1, "b": 2}).model_copy(update={"node": node})

    def key(self, node: str = "n0") -> TryKey:
        return TryKey(self.root, node, 1, 1)

    async def announce(self, *nodes: str) -> None:
        for node in nodes or ("n0",):
            self.starter.announce(RunTaskArgument(self.root, node, "w", "t", 1, 1, {}), RUN)
        await settle()

    async def poll(self, *, is_current: bool = True, is_deciding: bool = False, has_ended: bool = False, **states: Any) -> None:
        """Poll the workflow, whose pending activities are those of the nodes named."""
        if self.starter.is_watching(RUN):
            activities = {f"{node}@1.1": state for node, state in states.items()}
            self.starter.on_state(RUN, WorkflowState(time.monotonic(), has_ended, is_current, is_deciding, activities))
        await settle()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)


async def settle() -> None:
    """Let everything run that can run at once."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def program(tmp_path: Path) -> Project:
    project = Project(tmp_path / "projects", open_store(str(tmp_path / "store")))
    project.write("from flytemp import task\n@task\ndef add(a: int, b: int) -> int:\n    return a + b\n")
    return project


# ------------------------------------------------------------------------------- announced tasks


async def test_announced_try_starts_and_its_activity_claims_it(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    assert trial.backend.early == [trial.key()]
    assert trial.backend.running() == {trial.key()}
    assert not trial.starter.claim(trial.key()), "it was started"
    assert not trial.starter.unclaimed
    assert not trial.starter.is_watching(RUN)


async def test_workflow_is_not_polled_while_activities_arrive_soon(program: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(program)
    await trial.announce()
    assert (trial.starter.is_watching(RUN), trial.starter.is_due(RUN)) == (True, False)
    monkeypatch.setattr(early_start, "ANNOUNCED_SECONDS", -1.0)
    assert trial.starter.is_due(RUN)


async def test_workflow_of_a_try_that_its_activity_left_is_polled(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    trial.starter.claim(trial.key())
    trial.starter.take_back(trial.key(), RUN)
    assert trial.starter.is_due(RUN)


async def test_activity_that_arrives_before_the_start_finds_nothing_started(program: Project) -> None:
    trial = Trial(program)
    trial.may_load.clear()
    await trial.announce()
    assert trial.starter.claim(trial.key())
    trial.may_load.set()
    await settle()
    assert not trial.backend.early


async def test_try_that_another_worker_announced_may_have_started(program: Project) -> None:
    assert not Trial(program).starter.claim(TryKey("root", "n0", 1, 1))


async def test_try_without_a_free_slot_is_left_to_its_activity(program: Project) -> None:
    trial = Trial(program, slots=1)
    await trial.announce("n0", "n1")
    assert trial.backend.running() == {trial.key("n0")}
    assert trial.starter.claim(trial.key("n1"))


async def test_announced_try_that_could_not_start_in_time_is_left_to_its_activity(
    program: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_start, "ANNOUNCED_SECONDS", 0.0)
    trial = Trial(program)
    await trial.announce()
    assert not trial.backend.early
    await trial.poll()
    assert not trial.starter.unclaimed
    assert not trial.starter.claim(trial.key())


async def test_try_that_does_not_load_is_left_to_its_activity(program: Project) -> None:
    trial = Trial(program)
    await trial.announce("nowhere")
    assert not trial.backend.early
    assert trial.starter.claim(trial.key("nowhere"))


async def test_try_that_ended_before_its_activity_arrived_may_have_started(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    trial.backend.tries.pop(trial.key())  # its pod was deleted, say
    await trial.poll()
    assert not trial.starter.unclaimed
    assert not trial.starter.claim(trial.key())


# -------------------------------------------------------------------------- the rule for unclaimed tries


@pytest.mark.parametrize("state", [SCHEDULED, PAUSED])
async def test_announced_try_goes_on_while_its_activity_waits_for_a_worker(
    program: Project, state: PendingActivityState.ValueType
) -> None:
    trial = Trial(program)
    await trial.announce()
    await trial.poll(n0=state)
    assert (trial.backend.running(), trial.backend.killed, trial.backend.released) == ({trial.key()}, [], [])
    assert trial.starter.is_watching(RUN)


async def test_announced_try_goes_on_while_the_workflow_decides(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    await trial.poll(is_deciding=True)
    assert trial.backend.running() == {trial.key()}


async def test_announced_try_without_an_activity_is_stopped_and_not_started_again(program: Project) -> None:
    trial = Trial(program)
    await trial.announce("n0", "n1")
    await trial.poll(n1=SCHEDULED)
    assert trial.backend.killed == [trial.key("n0")]
    assert trial.backend.running() == {trial.key("n1")}
    await trial.announce("n0")
    assert trial.backend.early == [trial.key("n0"), trial.key("n1")]
    assert not trial.starter.claim(trial.key("n0")), "its activity resumes the try"


async def test_answer_from_before_the_announcement_stops_nothing(program: Project) -> None:
    trial = Trial(program)
    asked_at = time.monotonic()
    await trial.announce()
    trial.starter.on_state(RUN, WorkflowState(asked_at, has_ended=False, is_current=True))
    await settle()
    assert trial.backend.running() == {trial.key()}


@pytest.mark.parametrize("state", [STARTED, CANCEL_REQUESTED])
async def test_try_whose_activity_runs_in_another_worker_is_released(
    program: Project, state: PendingActivityState.ValueType
) -> None:
    trial = Trial(program)
    await trial.announce()
    await trial.poll(n0=state)
    assert (trial.backend.released, trial.backend.killed) == ([trial.key()], [])
    assert not trial.starter.claim(trial.key())


async def test_announced_try_of_a_run_that_continued_goes_on_until_its_execution_has_ended(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    await trial.poll(is_current=False)
    assert (trial.backend.running(), trial.backend.released) == ({trial.key()}, [])
    await trial.poll(has_ended=True)
    assert trial.backend.killed == [trial.key()]


async def test_started_try_waits_for_an_activity_that_the_workflow_schedules_later(program: Project) -> None:
    trial = Trial(program)
    assert await trial.starter.start(trial.invocation("n0"), RUN, time.monotonic() + 10)
    await trial.poll()
    assert trial.backend.running() == {trial.key()}
    await trial.poll(has_ended=True)
    assert trial.backend.killed == [trial.key()]


async def test_try_that_could_not_be_started_is_not_kept(program: Project) -> None:
    trial = Trial(program)
    trial.backend.room = 0
    assert not await trial.starter.start(trial.invocation("n0"), RUN, time.monotonic() + 10)
    assert not trial.starter.unclaimed


async def test_try_that_its_activity_has_left_is_stopped_when_its_execution_has_ended(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    trial.starter.claim(trial.key())
    trial.starter.take_back(trial.key(), RUN)
    await trial.poll()
    assert trial.backend.running() == {trial.key()}
    await trial.poll(has_ended=True)
    assert trial.backend.killed == [trial.key()]


async def test_stop_that_fails_is_logged_and_repeated(program: Project, caplog: pytest.LogCaptureFixture) -> None:
    trial = Trial(program)
    kill, failures = trial.backend.kill, [StoreError("the store is full")]

    async def fails_at_first(key: TryKey) -> None:
        if failures:
            raise failures.pop()
        await kill(key)

    trial.backend.kill = fails_at_first  # type: ignore[method-assign]
    await trial.announce()
    await trial.poll(has_ended=True)
    assert "could not be started or stopped" in caplog.text
    assert trial.backend.running() == {trial.key()}
    await trial.poll(has_ended=True)
    assert trial.backend.killed == [trial.key()]
    assert not trial.starter.unclaimed


async def test_try_is_stopped_once_while_the_stop_is_in_progress(program: Project) -> None:
    trial = Trial(program)
    kill, may_end = trial.backend.kill, asyncio.Event()

    async def slow(key: TryKey) -> None:
        await may_end.wait()
        await kill(key)

    trial.backend.kill = slow  # type: ignore[method-assign]
    await trial.announce("n0")
    await trial.poll(has_ended=True)
    await trial.announce("n1")
    await trial.poll(has_ended=True)
    may_end.set()
    await trial.until(lambda: not trial.starter.unclaimed)
    assert sorted(key.node for key in trial.backend.killed) == ["n0", "n1"]


# ----------------------------------------------------------------------------------- cancellation


async def test_try_whose_activity_was_cancelled_is_stopped_at_once(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    trial.starter.cancel(trial.key())
    await settle()
    assert trial.backend.killed == [trial.key()]


async def test_claimed_try_is_not_stopped_by_a_late_cancellation(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    trial.starter.claim(trial.key())
    trial.starter.cancel(trial.key())
    await settle()
    assert (trial.backend.running(), trial.backend.killed) == ({trial.key()}, [])


async def test_try_that_is_cancelled_before_its_start_is_not_started(program: Project) -> None:
    trial = Trial(program)
    trial.may_load.clear()
    await trial.announce()
    trial.starter.cancel(trial.key())
    await settle()
    trial.may_load.set()
    await settle()
    assert not trial.backend.early


async def test_ended_try_is_not_killed(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    trial.backend.run_of_one.set_result(TaskResult(status="succeeded", outputs={"o0": 3}))
    await trial.poll(has_ended=True)
    assert not trial.backend.killed
