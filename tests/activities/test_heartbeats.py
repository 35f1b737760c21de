"""Frequency of heartbeats, by the number of tasks."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from flytemp_activities import heartbeats
from flytemp_activities.heartbeats import Heartbeats, HeartbeatState, interval
from flytemp_activities.workflow_liveness import WorkflowLiveness, WorkflowRun
from tests.activities.fake_temporal import CANCEL_REQUESTED, UNAVAILABLE, Description, FakeTemporal


@pytest.mark.parametrize(
    ("timeout", "count", "seconds"),
    [
        (10, 1, 1.0), (10, 40, 2.0), (10, 5_000, 10 / 3), (60, 1, 1.0), (60, 5_000, 20.0), (2, 1, 0.5), (0.1, 5_000, 0.2),
        (None, 1, 1.0),
    ],
)  # fmt: skip
def test_heartbeats_are_rarer_where_there_are_many_tasks(timeout: float | None, count: int, seconds: float) -> None:
    given = None if timeout is None else timedelta(seconds=timeout)
    assert interval(given, count) == pytest.approx(seconds)


async def test_change_makes_a_heartbeat_due_where_there_are_few() -> None:
    state = HeartbeatState()
    state.update({"phase": "queued", "reason": "Unschedulable"})
    assert state.due.done()
    state.reset()
    state.update({"phase": "queued", "reason": "Unschedulable"})
    assert not state.due.done()  # nothing new
    state.update({"phase": "running"})
    assert state.due.done()
    assert state.details == {"phase": "running"}


async def test_change_alone_makes_no_heartbeat_due_where_there_are_many() -> None:
    state = HeartbeatState(is_rationed=True)
    state.update({"phase": "running"})
    assert not state.due.done()
    assert state.details == {"phase": "running"}


async def test_cancelled_task_sends_a_heartbeat_at_once_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "HEARTBEATS_PER_SECOND", 0.001)  # one is many
    environment = ActivityEnvironment()
    info = environment.info
    activities = {"other": CANCEL_REQUESTED, info.activity_id: CANCEL_REQUESTED}
    cancelled = Description(run_id=info.workflow_run_id or "", activities=activities)
    temporal = FakeTemporal(UNAVAILABLE, cancelled)
    beats = Heartbeats(WorkflowLiveness(temporal, poll_seconds=0.01))  # type: ignore[arg-type]
    sent = asyncio.Event()
    environment.on_heartbeat = lambda *details: sent.set()

    async def work() -> None:
        with beats.of_this_activity() as state:
            await beats.send_until_done(asyncio.create_task(sent.wait()), state)

    async with asyncio.timeout(10):
        await environment.run(work)
    assert not beats.is_watching(WorkflowRun(info.workflow_id or "", info.workflow_run_id or ""))
