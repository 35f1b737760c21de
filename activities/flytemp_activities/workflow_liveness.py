"""Liveness of workflows: one poller per worker for everything that depends on whether a workflow still runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from temporalio import activity
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.protocol.activities import CLOSED_WORKFLOWS, ClosedWorkflows, WorkflowIds
from flytemp.records.models import Phase
from flytemp.temporal.workflows import first_run_id, phase_of
from flytemp_activities.definitions import control_activity

POLL_SECONDS = 2.0
"""Seconds between two polls of one workflow. They are longer if more than `POLLED_AT_ONCE` workflows are watched."""

POLLED_AT_ONCE = 20
"""Number of workflows that are polled within `POLL_SECONDS`: ten requests a second at most."""

_CANCEL_REQUESTED = PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
_STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED

logger = logging.getLogger("flytemp.tasks")


class WorkflowRun(NamedTuple):
    """One run of the workflow of an execution or of a chunk of a map."""

    workflow_id: str
    run_id: str


def run_of_activity() -> WorkflowRun:
    """Return the workflow run that scheduled the activity that is running."""
    info = activity.info()
    return WorkflowRun(info.workflow_id or "", info.workflow_run_id or "")


@dataclass(frozen=True, slots=True)
class WorkflowState:
    """State of a workflow run, as the Temporal server described it.

    Attributes:
        asked_at: monotonic time, in seconds, at which the server was asked. The state may be older than later events.
        has_ended: this run and all runs that continue it are closed, or the server no longer has them.
        is_current: this very run is open.
        is_deciding: a workflow task is in progress. Its decisions may not be in the history yet.
        activities: the state of each pending activity by its id.
    """

    asked_at: float
    has_ended: bool
    is_current: bool = False
    is_deciding: bool = False
    activities: Mapping[str, PendingActivityState.ValueType] = field(default_factory=dict)

    def is_pending(self, activity_id: str) -> bool:
        """Return True if the activity is scheduled and has not ended."""
        return activity_id in self.activities

    def has_worker(self, activity_id: str) -> bool:
        """Return True if a worker runs the activity."""
        return self.activities.get(activity_id) in (_STARTED, _CANCEL_REQUESTED)

    def is_cancel_requested(self, activity_id: str) -> bool:
        """Return True if the workflow has cancelled the activity and its worker has not ended it yet."""
        return self.activities.get(activity_id) == _CANCEL_REQUESTED


class Watcher(Protocol):
    """Receiver of the states of workflow runs."""

    def is_watching(self, run: WorkflowRun) -> bool:
        """Return True if the watcher may need a state of the run. It is asked before each poll."""
        ...

    def is_due(self, run: WorkflowRun) -> bool:
        """Return True if the watcher needs the state of the run now. The run is polled if one of its watchers does."""
        ...

    def on_state(self, run: WorkflowRun, state: WorkflowState) -> None:
        """Take the present state of the run."""
        ...


@dataclass(slots=True)
class _Watched:
    watchers: list[Watcher] = field(default_factory=list)
    first_run: str | None = None  # the first run of the chain of continued runs, once it was needed


class WorkflowLiveness:
    """Poller of the workflows that watchers depend on.

    Args:
        temporal: client of the workflows' namespace.
        poll_seconds: see `POLL_SECONDS`.
    """

    def __init__(self, temporal: TemporalClient, poll_seconds: float = POLL_SECONDS) -> None:
        self._temporal = temporal
        self._poll_seconds = poll_seconds
        self._watched: dict[WorkflowRun, _Watched] = {}
        self._poller: asyncio.Task[None] | None = None

    def watch(self, run: WorkflowRun, watcher: Watcher) -> None:
        """Poll the run until the watcher no longer watches it. A run that is watched already stays watched once."""
        watchers = self._watched.setdefault(run, _Watched()).watchers
        if watcher not in watchers:
            watchers.append(watcher)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())

    async def _poll(self) -> None:
        while self._watched:
            runs = list(self._watched)
            for run in runs:
                await asyncio.sleep(self._poll_seconds / min(len(runs), POLLED_AT_ONCE))
                try:
                    await self._poll_run(run)
                except RPCError as error:  # the next poll may succeed
                    logger.info("the state of workflow %s is not known: %s", run.workflow_id, error)
                except Exception:
                    logger.exception("the state of workflow %s could not be handled", run.workflow_id)

    async def _poll_run(self, run: WorkflowRun) -> None:
        watched = self._watched[run]
        watched.watchers = [watcher for watcher in watched.watchers if watcher.is_watching(run)]
        if not watched.watchers:
            del self._watched[run]
            return
        if not any(watcher.is_due(run) for watcher in watched.watchers):
            return
        state = await self._state(run, watched)
        for watcher in watched.watchers:
            watcher.on_state(run, state)

    async def _state(self, run: WorkflowRun, watched: _Watched) -> WorkflowState:
        asked_at = time.monotonic()
        latest = await self._describe(run.workflow_id)
        if latest is None or latest.status is not WorkflowExecutionStatus.RUNNING:
            return WorkflowState(asked_at, has_ended=True)
        is_current = latest.run_id == run.run_id
        if not is_current and not await self._continues(latest, run, watched):
            return WorkflowState(asked_at, has_ended=True)
        raw = latest.raw_description
        return WorkflowState(
            asked_at,
            has_ended=False,
            is_current=is_current,
            is_deciding=raw.HasField("pending_workflow_task"),
            activities={pending.activity_id: pending.state for pending in raw.pending_activities},
        )

    async def _continues(self, latest: WorkflowExecutionDescription, run: WorkflowRun, watched: _Watched) -> bool:
        """Return False if the workflow id was used again by another chain of runs."""
        if watched.first_run is None:
            described = await self._describe(run.workflow_id, run.run_id)
            watched.first_run = first_run_id(described) if described is not None else None
        return watched.first_run is None or watched.first_run == first_run_id(latest)

    async def _describe(self, workflow_id: str, run_id: str | None = None) -> WorkflowExecutionDescription | None:
        """Return the description of a run, by default the latest one, or None if the server does not have it."""
        try:
            return await self._temporal.get_workflow_handle(workflow_id, run_id=run_id).describe()
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return None

    @control_activity(CLOSED_WORKFLOWS)
    async def closed_workflows(self, argument: WorkflowIds) -> ClosedWorkflows:
        """Return the phases of those of the given workflows that are closed, by their ids, and the open ones of other parents."""
        closed: dict[str, str] = {}
        foreign: list[str] = []
        for workflow_id in argument.workflows:
            description = await self._describe(workflow_id)
            if description is None:
                closed[workflow_id] = Phase.ABORTED
            elif (phase := phase_of(description.status)).is_final:
                closed[workflow_id] = phase
            elif argument.parent is not None and description.parent_id != argument.parent:
                foreign.append(workflow_id)
        return ClosedWorkflows(closed, foreign)
