"""Tasks that the interpreter of this very process has decided to run: begun while the server still learns of it.

From the decision until the task's activity is here the server writes the decision down, the activity's start too, and tells a
worker: a third of the time between two pods of a chain. A pod needs none of that to be created, as its name follows from the try.
So the decision is announced within the process, and the activity, here or in another worker, finds the pod. Most come in
milliseconds. It may come never, when the decision was not written down, or the task was cancelled before a worker had it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.errors import FlytempError
from flytemp.runtime.invocation import Invocation
from flytemp_activities.backend import Backend, TryKey
from flytemp_activities.background import Background
from flytemp_activities.orphan_monitor import Detached, Run, pending_activities

START_SECONDS = 1.0
"""What has not begun after so long is left to its activity, which may be over elsewhere before long."""

LOOK_SECONDS, LAST_LOOK_SECONDS = 1.0, 10.0
"""An activity that has not come after so long is looked for, less and less often."""

MOST_ABANDONED = 1_000

logger = logging.getLogger("flytemp.tasks")


@dataclass(frozen=True, slots=True)
class Announcement:
    """That a workflow's run is about to have an activity, with that argument of `run_task`. ``at``: monotonic seconds."""

    argument: dict[str, Any]
    run: Run
    activity_id: str
    at: float

    @property
    def key(self) -> TryKey:
        """The try's."""
        return try_of(self.argument)


def try_of(argument: dict[str, Any]) -> TryKey:
    """What the try is called that an argument of `run_task` is for."""
    return argument["execution"], argument["node"], argument["attempt"], argument["try"]


class EarlyStarter:
    """Starts what is announced, and looks after it until its activity comes.

    Args:
        load: makes the invocation of an activity's argument.
        slots: tries that may be in hand at once, beyond which nothing is started; None: no bound.
    """

    def __init__(
        self,
        backend: Backend,
        temporal: TemporalClient,
        detached: Detached,
        load: Callable[[dict[str, Any]], Awaitable[Invocation]],
        slots: int | None = None,
    ) -> None:
        self._backend = backend
        self._temporal = temporal
        self._detached = detached
        self._load = load
        self._slots = slots
        self._expected: dict[TryKey, Announcement] = {}
        self._begun: set[TryKey] = set()  # of those expected
        self._abandoned: dict[TryKey, None] = {}  # the last that were stopped, as nobody came for them
        self._lookers: dict[Run, asyncio.Task[None]] = {}
        self._background = Background(logger, "an announced task could not be begun, or stopped")

    @property
    def has_room(self) -> bool:
        """Whether one more can be begun. May be asked on any thread."""
        return self._slots is None or len(self._backend.running()) < self._slots

    def hear(self, announcement: Announcement) -> None:
        """Start it, if that is possible at once. What was announced before and then abandoned is left to its activity."""
        run = announcement.run
        if announcement.key in self._abandoned:
            return
        self._expected[announcement.key] = announcement
        self._background.do(self._start(announcement))
        if run not in self._lookers:
            self._lookers[run] = asyncio.create_task(self._look_after(run))

    def taken(self, key: TryKey) -> bool:
        """The activity has come of a task that was announced, here or in another worker. Whether nobody can have begun it."""
        begun = key in self._begun
        return self._forget(key) and not begun

    def withdraw(self, key: TryKey) -> None:
        """The activity was cancelled, perhaps before any worker had it: then what was begun here is stopped."""
        if self._forget(key):
            self._abandon(key)

    async def _start(self, announcement: Announcement) -> None:
        key = announcement.key
        try:
            invocation = await self._load(announcement.argument)
            is_new = time.monotonic() < announcement.at + START_SECONDS
            if is_new and self.has_room and key in self._expected:
                self._begun.add(key)
                await self._backend.start_early(invocation, expected=True)
        except FlytempError as error:  # its activity meets the same, and tells the engine
            logger.info("node %s of %s, which was announced, is not begun: %s", key[1], key[0], error)

    # ---------------------------------------------------------------------- those that do not come

    async def _look_after(self, run: Run) -> None:
        """Look where the activities are that have not come, once for all of the run."""
        pause = LOOK_SECONDS
        while expected := [one for one in self._expected.values() if one.run == run]:
            await asyncio.sleep(pause)
            missing = self._missing(expected)
            pause = min(pause * 2, LAST_LOOK_SECONDS) if missing else LOOK_SECONDS
            if missing:
                try:
                    await self._look_for(run, missing)
                except Exception:
                    logger.exception("announced tasks of %s could not be looked after", run[0])
        del self._lookers[run]

    def _missing(self, expected: list[Announcement]) -> list[Announcement]:
        """Of those expected, what still goes on without its activity. What has ended is left to that."""
        running = self._backend.running()
        old = [one for one in expected if time.monotonic() - one.at >= LOOK_SECONDS]
        for one in old:
            if one.key not in running:
                self._forget(one.key)
        return [one for one in old if one.key in self._expected]

    async def _look_for(self, run: Run, missing: list[Announcement]) -> None:
        description: WorkflowExecutionDescription | None = None
        try:
            description = await self._temporal.get_workflow_handle(run[0]).describe()
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                logger.info("announced tasks of %s could not be looked for: %s", run[0], error)
                return
        missing = [one for one in missing if one.key in self._expected]  # some may have come meanwhile
        if description is None or description.run_id != run[1] or description.status is not WorkflowExecutionStatus.RUNNING:
            for one in missing:
                self._forget(one.key)
                self._detached.watch(one.key, *run)
            return
        pending = pending_activities(description)
        for one in missing:
            if pending.get(one.activity_id):
                self._forget(one.key)
                self._backend.release(one.key)
            elif one.activity_id not in pending and not _decides(description):
                self.withdraw(one.key)

    def _abandon(self, key: TryKey) -> None:
        self._abandoned[key] = None
        if len(self._abandoned) > MOST_ABANDONED:
            del self._abandoned[next(iter(self._abandoned))]
        self._background.do(self._backend.kill(key))

    def _forget(self, key: TryKey) -> bool:
        """Expect it no more; whether it was."""
        self._begun.discard(key)
        return self._expected.pop(key, None) is not None


def _decides(description: WorkflowExecutionDescription) -> bool:
    """The workflow is deciding just now: what it decided may not be written down yet."""
    return description.raw_description.HasField("pending_workflow_task")
