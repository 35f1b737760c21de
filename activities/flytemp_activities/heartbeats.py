"""Heartbeats of the tasks of a worker, and early notice of their cancellation.

A heartbeat is a write on the Temporal server, and the answer to a heartbeat carries a cancellation. In a worker with few tasks,
each task sends a heartbeat at every change and once a second. Thousands of tasks share a budget: each sends heartbeats rarely,
and the worker polls the workflows instead. One answer names all cancelled tasks of a workflow. They send a heartbeat at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio import activity

from flytemp_activities.workflow_liveness import WorkflowLiveness, WorkflowRun, WorkflowState, run_of_activity

HEARTBEATS_PER_SECOND = 20
"""Budget of all tasks of a worker together, unless a task would be in danger of being taken for lost."""


@dataclass(slots=True)
class HeartbeatState:
    """Heartbeat of one task.

    Attributes:
        details: what the next heartbeat reports.
        due: done when a heartbeat is due at once.
        is_rationed: a change alone does not make a heartbeat due.
    """

    details: dict[str, Any] = field(default_factory=dict)
    due: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    is_rationed: bool = False

    def update(self, details: dict[str, Any]) -> None:
        """Replace the details. A reason to wait that the new details lack no longer holds."""
        if details != self.details:
            self.details = details
            if not self.is_rationed:
                self.request()

    def request(self) -> None:
        """Make a heartbeat due at once."""
        if not self.due.done():
            self.due.set_result(None)

    def reset(self) -> None:
        """Take note that a heartbeat was sent."""
        self.due = asyncio.get_running_loop().create_future()


class Heartbeats:
    """Heartbeats of all tasks that one worker runs."""

    def __init__(self, liveness: WorkflowLiveness) -> None:
        self._liveness = liveness
        self._states: dict[WorkflowRun, dict[str, HeartbeatState]] = {}
        self._count = 0

    @contextmanager
    def of_this_activity(self) -> Iterator[HeartbeatState]:
        """Register the activity that is running, and yield the state of its heartbeat."""
        run, activity_id = run_of_activity(), activity.info().activity_id
        states = self._states.setdefault(run, {})
        were_many = self._are_many
        self._count += 1
        state = states[activity_id] = HeartbeatState(is_rationed=self._are_many)
        if self._are_many:
            for watched in [run] if were_many else self._states:
                self._liveness.watch(watched, self)
        try:
            yield state
        finally:
            self._count -= 1
            if states.get(activity_id) is state:
                del states[activity_id]
            if not states and self._states.get(run) is states:
                del self._states[run]

    async def send_until_done(self, work: asyncio.Task[Any], state: HeartbeatState) -> None:
        """Send the heartbeats of the activity that is running until ``work`` is done."""
        timeout = activity.info().heartbeat_timeout
        while not work.done():
            state.is_rationed = self._are_many
            await asyncio.wait({work, state.due}, timeout=interval(timeout, self._count), return_when=asyncio.FIRST_COMPLETED)
            if state.due.done():
                state.reset()
            if not work.done():
                activity.heartbeat(state.details)

    # -------------------------------------------------------------------------------- cancellations

    @property
    def _are_many(self) -> bool:
        return self._count > HEARTBEATS_PER_SECOND

    def is_watching(self, run: WorkflowRun) -> bool:
        """Return True if tasks of the run cannot rely on frequent heartbeats."""
        return self._are_many and run in self._states

    def is_due(self, run: WorkflowRun) -> bool:
        """Return True: a task may be cancelled at any time."""
        return True

    def on_state(self, run: WorkflowRun, state: WorkflowState) -> None:
        """Make a heartbeat of each task due whose cancellation was requested."""
        for activity_id, heartbeat in self._states.get(run, {}).items():
            if state.is_current and state.is_cancel_requested(activity_id):
                heartbeat.request()


def interval(timeout: timedelta | None, count: int) -> float:
    """Return the seconds between two heartbeats of one task, of ``count`` tasks in this worker."""
    seconds = timeout.total_seconds() if timeout is not None else 10.0
    return max(0.2, min(seconds / 3, max(min(1.0, seconds / 4), count / HEARTBEATS_PER_SECOND)))
