"""Tasks that go on while no activity waits for them: stopped once their execution is over."""

from __future__ import annotations

import asyncio
import logging

from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.client.describe import first_run_id
from flytemp_activities.backend import Backend, TryKey

LOOK_SECONDS = 5.0
"""How often it is asked whether their execution is over."""

logger = logging.getLogger("flytemp.tasks")


class Detached:
    """Looks after the tasks of one backend that are left to themselves, one look for all of an execution."""

    def __init__(self, backend: Backend, temporal: TemporalClient) -> None:
        self._backend = backend
        self._temporal = temporal
        self._keys: dict[str, set[TryKey]] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}

    def watch(self, key: TryKey, workflow_id: str) -> None:
        """Stop the task when its execution, which has that workflow id, is over and the task is not."""
        root = key[0]
        self._keys.setdefault(root, set()).add(key)
        if root not in self._watchers:
            self._watchers[root] = asyncio.create_task(self._look_after(root, workflow_id))

    def taken(self, key: TryKey) -> None:
        """An activity waits for the task now."""
        self._keys.get(key[0], set()).discard(key)

    async def _look_after(self, root: str, workflow_id: str) -> None:
        try:
            await self._stop_when_over(root, workflow_id)
        except Exception:
            logger.exception("tasks that nobody waits for could not be stopped, of %s", root)
        finally:
            del self._watchers[root]
            del self._keys[root]

    async def _stop_when_over(self, root: str, workflow_id: str) -> None:
        """Stop nothing while a run of the execution is open; then stop what nobody waits for."""
        while keys := self._keys[root].intersection(self._backend.running()):
            if not await self._is_open(root, workflow_id):
                await asyncio.gather(*(self._backend.kill(key) for key in keys))
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_open(self, root: str, workflow_id: str) -> bool:
        try:
            description = await self._temporal.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            return error.status != RPCStatusCode.NOT_FOUND
        if description.status is not WorkflowExecutionStatus.RUNNING:
            return False
        return first_run_id(description) == root.rpartition("/")[2]  # else the id has been used again
