"""How often tasks report, by how many there are."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from flytemp_activities import heartbeats
from flytemp_activities.heartbeats import Heartbeats, HeartbeatState, interval


@pytest.mark.parametrize(
    ("timeout", "in_hand", "seconds"),
    [
        (10, 1, 1.0), (10, 40, 2.0), (10, 5_000, 10 / 3), (60, 1, 1.0), (60, 5_000, 20.0), (2, 1, 0.5), (0.1, 5_000, 0.2),
        (None, 1, 1.0),
    ],
)  # fmt: skip
def test_a_task_reports_less_often_where_there_are_many(timeout: float | None, in_hand: int, seconds: float) -> None:
    given = None if timeout is None else timedelta(seconds=timeout)
    assert interval(given, in_hand) == pytest.approx(seconds)


async def test_a_change_is_reported_at_once_where_there_are_few() -> None:
    pulse = HeartbeatState()
    pulse.tell({"phase": "queued", "reason": "Unschedulable"})
    assert pulse.now.done()
    pulse.reset()
    pulse.tell({"phase": "queued", "reason": "Unschedulable"})
    assert not pulse.now.done()  # nothing new
    pulse.tell({"phase": "running"})
    assert pulse.now.done()
    assert pulse.report == {"phase": "running"}


async def test_a_change_waits_for_its_turn_where_there_are_many() -> None:
    pulse = HeartbeatState(many=True)
    pulse.tell({"phase": "running"})
    assert not pulse.now.done()
    assert pulse.report == {"phase": "running"}


class Temporal:
    """Says at first that it is not there, then that the activity's cancellation was requested."""

    def __init__(self, activity_id: str) -> None:
        self.asked: list[tuple[str, str]] = []
        self._activity_id = activity_id

    def get_workflow_handle(self, workflow_id: str, *, run_id: str) -> Temporal:
        self.asked.append((workflow_id, run_id))
        return self

    async def describe(self) -> Any:
        if len(self.asked) == 1:
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        other = PendingActivityInfo(activity_id="another", state=heartbeats._CANCEL_REQUESTED)
        own = PendingActivityInfo(activity_id=self._activity_id, state=heartbeats._CANCEL_REQUESTED)
        raw = type("Raw", (), {"pending_activities": [other, own]})
        return type("Description", (), {"raw_description": raw})


async def test_who_is_cancelled_reports_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "HEARTBEATS", 0.001)  # one is many
    monkeypatch.setattr(heartbeats, "LOOK_SECONDS", 0.01)
    environment = ActivityEnvironment()
    info = environment.info
    temporal = Temporal(info.activity_id)
    beats = Heartbeats(temporal)  # type: ignore[arg-type]
    reported = asyncio.Event()
    environment.on_heartbeat = lambda *details: reported.set()

    async def work() -> None:
        with beats.of_this_activity() as pulse:
            await beats.until(asyncio.create_task(reported.wait()), pulse)

    await environment.run(work)
    assert temporal.asked[:2] == [(info.workflow_id, info.workflow_run_id)] * 2
    assert not beats._in_hand
    await asyncio.wait([beats._looker] if beats._looker else [])  # it ends when nothing is in hand
