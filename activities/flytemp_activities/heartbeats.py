"""When the tasks of a worker report to Temporal, and how they hear soon of a cancellation without reporting often.

A heartbeat is a write on the server, and a cancellation comes in the answer to one. A worker with few tasks lets each report
at every change and once a second. Thousands share a budget: each reports rarely, and the worker looks at its workflows
instead, where one answer tells of all tasks whose cancellation was requested; those report at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError

HEARTBEATS = 20
"""A second, of all tasks of a worker together, as long as none is in danger of being taken for lost."""

LOOK_SECONDS = 2.0
"""A workflow with many tasks here is looked at so often, or less often where there are many workflows."""

LOOKS = 10
"""Workflows that are looked at in a second."""

_CANCEL_REQUESTED = PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED

Run = tuple[str, str]
"""Workflow id and run id."""


@dataclass(slots=True)
class HeartbeatState:
    """Of one task: what it reports, and whether it is to do so now."""

    report: dict[str, Any] = field(default_factory=dict)
    now: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    many: bool = False

    def tell(self, state: dict[str, Any]) -> None:
        """What is told now is all that holds: a reason to wait is over when it is not told any more."""
        if state != self.report:
            self.report = state
            if not self.many:
                self.hurry()

    def hurry(self) -> None:
        """Report now."""
        if not self.now.done():
            self.now.set_result(None)

    def reset(self) -> None:
        self.now = asyncio.get_running_loop().create_future()


class Heartbeats:
    """Of all tasks that one worker has in hand."""

    def __init__(self, temporal: TemporalClient) -> None:
        self._temporal = temporal
        self._in_hand: dict[Run, dict[str, HeartbeatState]] = {}
        self._count = 0
        self._looker: asyncio.Task[None] | None = None

    @contextmanager
    def of_this_activity(self) -> Iterator[HeartbeatState]:
        """The pulse of the activity that runs here, which must be one; while it is in hand."""
        info = activity.info()
        run = (info.workflow_id or "", info.workflow_run_id or "")
        pulses = self._in_hand.setdefault(run, {})
        pulse = pulses[info.activity_id] = HeartbeatState(many=self._are_many())
        self._count += 1
        self._look()
        try:
            yield pulse
        finally:
            self._count -= 1
            if pulses.get(info.activity_id) is pulse:
                del pulses[info.activity_id]
            if not pulses and self._in_hand.get(run) is pulses:
                del self._in_hand[run]

    async def until(self, running: asyncio.Task[Any], pulse: HeartbeatState) -> None:
        """Report until ``running`` is done, in the activity of the pulse."""
        timeout = activity.info().heartbeat_timeout
        while not running.done():
            pulse.many = self._are_many()
            await asyncio.wait({running, pulse.now}, timeout=interval(timeout, self._count), return_when=asyncio.FIRST_COMPLETED)
            if pulse.now.done():
                pulse.reset()
            if not running.done():
                activity.heartbeat(pulse.report)

    # -------------------------------------------------------------------------------- cancellations

    def _are_many(self) -> bool:
        return self._count > HEARTBEATS

    def _look(self) -> None:
        if self._are_many() and (self._looker is None or self._looker.done()):
            self._looker = asyncio.create_task(self._look_for_cancellations())

    async def _look_for_cancellations(self) -> None:
        while self._are_many():
            runs = list(self._in_hand)
            for run in runs:
                await asyncio.sleep(max(1 / LOOKS, LOOK_SECONDS / len(runs)))
                if run in self._in_hand:
                    await self._look_at(run)

    async def _look_at(self, run: Run) -> None:
        handle = self._temporal.get_workflow_handle(run[0], run_id=run[1])
        with suppress(RPCError):  # heartbeats tell as well, if later
            described = await handle.describe()
            pulses = self._in_hand.get(run, {})
            for pending in described.raw_description.pending_activities:
                if pending.state == _CANCEL_REQUESTED and pending.activity_id in pulses:
                    pulses[pending.activity_id].hurry()


def interval(timeout: timedelta | None, in_hand: int) -> float:
    """Seconds between two heartbeats of one task, of ``in_hand`` of this worker."""
    seconds = timeout.total_seconds() if timeout is not None else 10.0
    return max(0.2, min(seconds / 3, max(min(1.0, seconds / 4), in_hand / HEARTBEATS)))
