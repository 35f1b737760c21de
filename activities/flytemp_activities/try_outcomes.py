"""The outcome of a try in the store, as every backend reads and writes it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from flytemp.errors import StoreError
from flytemp.outcomes import OUTCOMES
from flytemp.runtime.commit import claim_try, commit_result, now, read_claim, read_result, read_try_error, write_try_error
from flytemp.runtime.invocation import Claim, Invocation, TaskError, TaskResult
from flytemp.store.object_store import ObjectStore
from flytemp.store.patience import Patience
from flytemp_activities.backend import SystemFailure, TaskLost
from flytemp_activities.result_lookup import ResultLookup

P = ParamSpec("P")
T = TypeVar("T")

LOST = OUTCOMES["Lost"].code

logger = logging.getLogger("flytemp.tasks")


class TryOutcomes:
    """Outcome of one try: its claim, the result of its attempt, and the error of a try without a result.

    The first result of an attempt counts, also against a later error. A later error of a try replaces an earlier one.
    Every method repeats its requests, with back-off, while the store does not answer. It raises `StoreError` after
    `flytemp.store.patience.PATIENCE_SECONDS`, or at once after `hurry`.

    Args:
        store: store of the execution.
        invocation: the try.
        lookup: look-up of a result before a try starts, or None.
        on_wait: called with the error when a request waits for the store, and with None when the store has answered.
    """

    def __init__(
        self,
        store: ObjectStore,
        invocation: Invocation,
        lookup: ResultLookup | None = None,
        on_wait: Callable[[StoreError | None], None] | None = None,
    ) -> None:
        self._on_wait = on_wait or (lambda error: None)
        self._store = store
        self._invocation = invocation
        self._lookup = lookup
        self._lookup_status = ""
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Stop repeating requests, because the try is being ended."""
        self._hurried.set()

    async def _request(
        self, request: Callable[Concatenate[ObjectStore, Invocation, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return the result of a request to the store, which runs in a thread."""
        patience: Patience | None = None
        while True:
            try:
                answer = await asyncio.to_thread(request, self._store, self._invocation, *args, **kwargs)
            except StoreError as error:
                if patience is None:
                    patience = Patience()
                    logger.warning("node %s waits for the store: %s", self._invocation.node, error)
                pause = patience.pause_after(error)
                if pause is None or self._hurried.is_set():
                    raise
                self._on_wait(error)
            else:
                if patience is not None:
                    self._on_wait(None)
                return answer
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._hurried.wait()

    async def result(self) -> TaskResult | None:
        """Return the result of the attempt, or None."""
        return await self._request(read_result)

    async def settled(self) -> TaskResult | None:
        """Return the result of the attempt, or None if the try has no outcome yet.

        Raises:
            TaskLost, SystemFailure: the try has an error and no result.
        """
        result = await self.result()
        if result is not None:
            return result
        error = await self._request(read_try_error)
        if error is not None:
            raise as_exception(error)
        return None

    async def look_up(self) -> TaskResult | None:
        """Look for a result that makes the try unnecessary, and commit it as the result of the attempt.

        Returns:
            The result that counts, or None if the try must start.
        """
        if self._lookup is None:
            return None
        outcome = await self._lookup.find(self._invocation)
        self._lookup_status = outcome.status
        if outcome.result is None:
            return None
        result = outcome.result.model_copy(update={"lookup": outcome.status, "try_": self._invocation.try_})
        return await self._request(commit_result, result)

    def with_lookup(self, result: TaskResult) -> TaskResult:
        """Return the result of a try that this worker started with the status of its look-up."""
        return result.model_copy(update={"lookup": self._lookup_status}) if self._lookup_status else result

    async def fail(self, error: TaskError) -> TaskResult:
        """Commit a USER error as the result of the attempt; return the result that counts."""
        result = TaskResult(status="failed", error=error, try_=self._invocation.try_, finished_at=now())
        return await self._request(commit_result, result)

    async def fail_system(self, error: TaskError) -> SystemFailure:
        """Write a SYSTEM error as the error of the try; return the exception to raise."""
        await self._request(write_try_error, error)
        return as_exception(error)

    async def lost(self, reason: str) -> SystemFailure:
        """Write that the try is gone and left no result; return the exception to raise."""
        return await self.fail_system(TaskError.of(LOST, reason))

    async def record(self, error: TaskError) -> TaskResult | SystemFailure:
        """Write the error for the attempt (USER) or for the try (SYSTEM).

        Returns:
            The result that counts for the attempt, or the exception to raise.
        """
        return await (self.fail(error) if error.kind == "USER" else self.fail_system(error))

    async def read_claim(self) -> Claim | None:
        """Return the claim of the try; None if no code of the task was started."""
        return await self._request(read_claim)

    async def claim(self, owner: str) -> None:
        """Claim the try for ``owner``, unless it is claimed already."""
        await self._request(claim_try, owner)


def as_exception(error: TaskError) -> SystemFailure:
    """Return the exception for the error of a try."""
    return TaskLost(error.message) if error.code == LOST else SystemFailure(error)


def unwrap(outcome: TaskResult | SystemFailure) -> TaskResult:
    """Return a result; raise an exception."""
    if isinstance(outcome, SystemFailure):
        raise outcome
    return outcome
