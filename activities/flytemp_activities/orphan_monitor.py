"""Tasks that go on while no activity waits for them: stopped once their execution is over, left to the worker that has theirs."""

from __future__ import annotations

import asyncio
import logging

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.names import activity_id
from flytemp.temporal.workflows import first_run_id
from flytemp_activities.backend import Backend, TryKey

LOOK_SECONDS = 5.0
"""How often it is asked whether their execution is over."""

_TAKEN = (
    PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
)

logger = logging.getLogger("flytemp.tasks")


Run = tuple[str, str]
"""Workflow id and run id: of an execution, or of a part of a map."""


class Detached:
    """Looks after the tasks of one backend that are left to themselves, one look for all of a workflow's run."""

    def __init__(self, backend: Backend, temporal: TemporalClient) -> None:
        self._backend = backend
        self._temporal = temporal
        self._keys: dict[Run, set[TryKey]] = {}
        self._watchers: dict[Run, asyncio.Task[None]] = {}

    def watch(self, key: TryKey, workflow_id: str, run_id: str) -> None:
        """Stop the task when the workflow that it is of, which had that run, is over and the task is not."""
        run = (workflow_id, run_id)
        self._keys.setdefault(run, set()).add(key)
        if run not in self._watchers:
            self._watchers[run] = asyncio.create_task(self._look_after(run))

    def taken(self, key: TryKey) -> None:
        """An activity waits for the task now."""
        for keys in self._keys.values():
            keys.discard(key)

    async def _look_after(self, run: Run) -> None:
        """Stop nothing while a run of the workflow is open; then stop what nobody waits for."""
        stopping: dict[TryKey, asyncio.Task[None]] = {}
        first: str | None = None
        is_over = False
        try:
            while keys := self._keys[run].intersection(self._backend.running()):
                if not is_over:
                    first = first or await self._first_run(run)
                    is_over = await self._look(run[0], first, keys)
                if is_over:
                    stopping = {key: task for key, task in stopping.items() if not task.done()}
                    stopping.update((key, asyncio.create_task(self._stop(key))) for key in keys - stopping.keys())
                    await asyncio.wait(stopping.values(), timeout=LOOK_SECONDS)
                else:
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            del self._watchers[run]
            del self._keys[run]

    async def _stop(self, key: TryKey) -> None:
        try:
            await self._backend.kill(key)
        except Exception:
            logger.exception("a task that nobody waits for could not be stopped: node %s of %s", key[1], key[0])
            await asyncio.sleep(LOOK_SECONDS)

    async def _first_run(self, run: Run) -> str | None:
        """The first of the runs that the given one continues; None when nobody knows."""
        try:
            return first_run_id(await self._temporal.get_workflow_handle(run[0], run_id=run[1]).describe())
        except RPCError:
            return None

    async def _look(self, workflow_id: str, first: str | None, keys: set[TryKey]) -> bool:
        """Whether the workflow is over. While it is not, what other workers have is theirs."""
        try:
            description = await self._temporal.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            return error.status == RPCStatusCode.NOT_FOUND
        if description.status is not WorkflowExecutionStatus.RUNNING:
            return True
        if first is not None and first_run_id(description) != first:
            return True  # the id has been used again
        self._let_go(keys, description)
        return False

    def _let_go(self, keys: set[TryKey], description: WorkflowExecutionDescription) -> None:
        pending = pending_activities(description)
        for key in keys:
            if pending.get(activity_id(*key[1:])):
                self._backend.release(key)


def pending_activities(description: WorkflowExecutionDescription) -> dict[str, bool]:
    """By their ids, whether a worker has them."""
    return {activity.activity_id: activity.state in _TAKEN for activity in description.raw_description.pending_activities}
