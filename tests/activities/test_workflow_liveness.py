"""States of polled workflows, and how often they are polled."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.service import RPCError

from flytemp_activities.workflow_liveness import WorkflowLiveness, WorkflowRun, WorkflowState
from tests.activities.fake_temporal import (
    CANCEL_REQUESTED,
    CLOSED,
    NOT_FOUND,
    OPEN,
    PAUSED,
    SCHEDULED,
    STARTED,
    UNAVAILABLE,
    USED_AGAIN,
    Description,
    FakeTemporal,
)

RUN = WorkflowRun("workflow", "run-2")


class Recorder:
    """A watcher that needs a number of states."""

    def __init__(self, wanted: int = 1) -> None:
        self.wanted = wanted
        self.states: list[WorkflowState] = []
        self.done = asyncio.Event()
        self.polls_before = 0  # polls for which no state is due

    def is_due(self, run: WorkflowRun) -> bool:
        self.polls_before -= 1
        return self.polls_before < 0

    def is_watching(self, run: WorkflowRun) -> bool:
        return len(self.states) < self.wanted

    def on_state(self, run: WorkflowRun, state: WorkflowState) -> None:
        self.states.append(state)
        if len(self.states) == self.wanted:
            self.done.set()


async def first_state(*answers: Description | RPCError, run: WorkflowRun = RUN, first_run: str = "run-1") -> WorkflowState:
    temporal, recorder = FakeTemporal(*answers), Recorder()
    temporal.first_run = first_run
    WorkflowLiveness(temporal, poll_seconds=0.001).watch(run, recorder)  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await recorder.done.wait()
    return recorder.states[0]


@pytest.mark.parametrize(
    ("answers", "has_ended"),
    [
        pytest.param([OPEN], False, id="open"),
        pytest.param([CLOSED], True, id="closed"),
        pytest.param([NOT_FOUND], True, id="past its retention"),
        pytest.param([USED_AGAIN], True, id="id used again"),
        pytest.param([UNAVAILABLE, UNAVAILABLE, CLOSED], True, id="server unavailable at first"),
    ],
)
async def test_end_of_execution(answers: list[Description | RPCError], has_ended: bool) -> None:
    assert (await first_state(*answers)).has_ended is has_ended


async def test_chunk_or_retried_execution_is_compared_with_its_own_first_run() -> None:
    assert not (await first_state(USED_AGAIN, first_run="run-9")).has_ended


@pytest.mark.parametrize(("run_id", "is_current"), [("run-2", True), ("run-3", False)])
async def test_run_that_continued_as_new_is_not_current(run_id: str, is_current: bool) -> None:
    state = await first_state(Description(run_id=run_id))
    assert (state.has_ended, state.is_current) == (False, is_current)


async def test_pending_activities() -> None:
    state = await first_state(Description(activities={"a": SCHEDULED, "b": STARTED, "c": CANCEL_REQUESTED, "d": PAUSED}))
    assert [state.is_pending(name) for name in "abcde"] == [True, True, True, True, False]
    assert [state.has_worker(name) for name in "abcde"] == [False, True, True, False, False]
    assert [state.is_cancel_requested(name) for name in "abcde"] == [False, False, True, False, False]


@pytest.mark.parametrize("is_deciding", [True, False])
async def test_workflow_task_in_progress(is_deciding: bool) -> None:
    assert (await first_state(Description(is_deciding=is_deciding))).is_deciding is is_deciding


async def test_watchers_of_one_run_share_its_polls() -> None:
    temporal, first, second = FakeTemporal(OPEN), Recorder(wanted=2), Recorder(wanted=3)
    liveness = WorkflowLiveness(temporal, poll_seconds=0.001)  # type: ignore[arg-type]
    for watcher in (first, second, first, second):
        liveness.watch(RUN, watcher)
    async with asyncio.timeout(10):
        await second.done.wait()
    assert len(first.states) == 2
    assert temporal.asked == 3


async def test_run_is_not_described_before_a_state_is_due() -> None:
    temporal, recorder = FakeTemporal(OPEN), Recorder()
    recorder.polls_before = 3
    WorkflowLiveness(temporal, poll_seconds=0.001).watch(RUN, recorder)  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await recorder.done.wait()
    assert (recorder.polls_before, temporal.asked) == (-1, 1)


async def test_run_can_be_watched_again() -> None:
    temporal, recorder = FakeTemporal(OPEN), Recorder()
    liveness = WorkflowLiveness(temporal, poll_seconds=0.001)  # type: ignore[arg-type]
    for wanted in (1, 2):
        recorder.wanted = wanted
        recorder.done.clear()
        liveness.watch(RUN, recorder)
        async with asyncio.timeout(10):
            await recorder.done.wait()
    assert temporal.asked == 2


async def test_error_of_one_watcher_does_not_end_the_polling(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(wanted=2)
    on_state = recorder.on_state

    def fails_at_first(run: WorkflowRun, state: WorkflowState) -> None:
        on_state(run, state)
        if len(recorder.states) == 1:
            raise RuntimeError("broken")

    recorder.on_state = fails_at_first  # type: ignore[method-assign]
    WorkflowLiveness(FakeTemporal(OPEN), poll_seconds=0.001).watch(RUN, recorder)  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await recorder.done.wait()
    assert "could not be handled" in caplog.text
