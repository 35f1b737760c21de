"""What is said of a try in the store: by its container, by this worker, or by another one."""

from __future__ import annotations

import asyncio

from flytemp.runtime.commit import claim_try, commit_result, now, read_claim, read_result, read_try_error, write_try_error
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure, TaskLost
from flytemp_activities.kubernetes.classify import system_error
from flytemp_activities.kubernetes.containers import commit_container

_LOST = "Lost"


class Verdicts:
    """Of one try. The first result stands, whoever says something else afterwards. What is noted of a try that has none is
    replaced by what is noted later.

    Every method raises `StoreError` when the store cannot be used.
    """

    def __init__(self, store: ObjectStore, invocation: Invocation) -> None:
        self._store = store
        self._invocation = invocation

    async def result(self) -> TaskResult | None:
        """The result of the attempt, when it has one."""
        return await asyncio.to_thread(read_result, self._store, self._invocation)

    async def standing(self) -> TaskResult | None:
        """The result of the attempt, when it has one.

        Raises:
            TaskLost, SystemFailure: what a worker has found out about the try.
        """
        standing = await self.result()
        if standing is not None:
            return standing
        error = await asyncio.to_thread(read_try_error, self._store, self._invocation)
        if error is not None:
            raise TaskLost(error.message) if error.code == _LOST else SystemFailure(error)
        return None

    async def succeed_container(self) -> TaskResult | None:
        """The exit code of a container task is 0; see `commit_container`."""
        return await asyncio.to_thread(commit_container, self._store, self._invocation)

    async def fail(self, error: TaskError) -> TaskResult:
        """The attempt failed through its user's fault, unless it has a result already."""
        result = TaskResult(status="failed", error=error, try_=self._invocation.try_, finished_at=now())
        return await asyncio.to_thread(commit_result, self._store, self._invocation, result)

    async def system(self, error: TaskError) -> SystemFailure:
        """What runs tasks failed; the error to raise."""
        await asyncio.to_thread(write_try_error, self._store, self._invocation, error)
        return SystemFailure(error)

    async def lost(self, reason: str) -> TaskLost:
        """The try is gone, and left nothing; the error to raise."""
        await asyncio.to_thread(write_try_error, self._store, self._invocation, system_error(_LOST, reason))
        return TaskLost(reason)

    async def is_claimed(self) -> bool:
        """The user's code of the try was begun."""
        return await asyncio.to_thread(read_claim, self._store, self._invocation) is not None

    async def claim(self, owner: str) -> None:
        """The user's code of the try was begun by ``owner``, unless another claimed it before."""
        await asyncio.to_thread(claim_try, self._store, self._invocation, owner)
