"""Early start: begins tries before their activities arrive, and keeps the tries that no activity has claimed.

Between the decision to run a task and the arrival of its activity, the Temporal server writes the decision and the activity's
start, and dispatches the activity to a worker. A pod needs none of that to be created, as its name follows from the try. So the
interpreter announces each task within its process, and one activity starts the tasks of a large fan-out.

The activity is the owner of its try. A try that no activity has claimed by the next poll of its workflow is released if another
worker has the activity, is stopped if the execution has ended or if no activity will follow, and is kept otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass

from flytemp.errors import FlytempError
from flytemp.protocol.activities import RunTaskArgument
from flytemp.runtime.invocation import Invocation
from flytemp_activities.backend import Backend, TryKey, key_of
from flytemp_activities.background import Background
from flytemp_activities.workflow_liveness import WorkflowLiveness, WorkflowRun, WorkflowState

ANNOUNCED_SECONDS = 1.0
"""A task that was announced starts early within this time or not at all: later, its activity may have ended elsewhere."""

MOST_STOPPED = 1_000
"""Number of stopped tries that are remembered."""

logger = logging.getLogger("flytemp.tasks")


def try_of(argument: RunTaskArgument) -> TryKey:
    """Return the key of the try that an argument of `run_task` names."""
    return TryKey(argument.execution, argument.node, argument.attempt, argument.try_, argument.epoch)


@dataclass(slots=True)
class _Unclaimed:
    """A try that no activity of this worker has claimed.

    Attributes:
        run: the workflow run that schedules the activity.
        since: monotonic time in seconds at which the try was announced, started or left.
        is_announced: the workflow task that announced the try schedules its activity.
        is_started: the backend was asked to start the try.
        is_stopping: the backend is stopping the try.
    """

    run: WorkflowRun
    since: float
    is_announced: bool = False
    is_started: bool = True
    is_stopping: bool = False


class EarlyStarter:
    """Owner of the unclaimed tries of one backend.

    Args:
        backend: the backend that runs the tries.
        liveness: the poller of the workflows that the tries belong to.
        load: reads the invocation of an argument of `run_task`.
        slots: number of tries at which no further one is started early. None means no limit.
    """

    def __init__(
        self,
        backend: Backend,
        liveness: WorkflowLiveness,
        load: Callable[[RunTaskArgument], Awaitable[Invocation]],
        slots: int | None = None,
    ) -> None:
        self._backend = backend
        self._liveness = liveness
        self._load = load
        self._slots = slots
        self._unclaimed: dict[TryKey, _Unclaimed] = {}
        self._stopped: dict[TryKey, None] = {}  # the latest ones that were stopped before an activity claimed them
        self._loop: asyncio.AbstractEventLoop | None = None
        self._background = Background(logger, "an early-started try could not be started or stopped")

    def open(self) -> None:
        """Accept announcements from now on, on the running event loop. The backend must have started."""
        self._loop = asyncio.get_running_loop()

    @property
    def has_room(self) -> bool:
        """Return True if one more try may be started early. This is thread-safe."""
        return self._slots is None or len(self._backend.running()) < self._slots

    @property
    def unclaimed(self) -> Set[TryKey]:
        """The tries that no activity has claimed, as a view that changes with them."""
        return self._unclaimed.keys()

    # ------------------------------------------------------------------------------------- starting

    def announce(self, argument: RunTaskArgument, run: WorkflowRun) -> None:
        """Start the try of an activity that the run is about to schedule, if that is possible at once. This is thread-safe."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._on_announced, argument, run, time.monotonic())

    def _on_announced(self, argument: RunTaskArgument, run: WorkflowRun, at: float) -> None:
        key = try_of(argument)
        if key not in self._stopped:  # a try that was announced again after it was stopped is left to its activity
            self._add(key, _Unclaimed(run, at, is_announced=True, is_started=False))
            self._background.start(self._start_announced(key, argument, at + ANNOUNCED_SECONDS))

    async def _start_announced(self, key: TryKey, argument: RunTaskArgument, deadline: float) -> None:
        try:
            invocation = await self._load(argument)
        except FlytempError as error:  # the activity meets the same error and reports it
            logger.info("node %s of %s is not started early: %s", key.node, key.execution_root, error)
            return
        unclaimed = self._unclaimed.get(key)
        if unclaimed is not None and time.monotonic() < deadline and self.has_room:
            unclaimed.is_started = True
            await self._backend.start_early(invocation, deadline=deadline)

    async def start(self, invocation: Invocation, run: WorkflowRun, deadline: float) -> bool:
        """Start a try whose activity the run schedules later.

        Args:
            invocation: the try.
            run: the workflow run that will schedule the activity.
            deadline: see `Backend.start_early`.

        Returns:
            False if nothing was started.
        """
        key = key_of(invocation)
        unclaimed = self._add(key, _Unclaimed(run, time.monotonic()))
        started = False
        try:
            started = await self._backend.start_early(invocation, deadline=deadline)
        finally:
            if not started:
                self._discard(key, unclaimed)
        return started

    # ------------------------------------------------------------------------------------- claiming

    def claim(self, key: TryKey) -> bool:
        """Hand the try over to its activity. Return True if the try was announced here and has not been started."""
        unclaimed = self._unclaimed.pop(key, None)
        return unclaimed is not None and not unclaimed.is_started

    def take_back(self, key: TryKey, run: WorkflowRun) -> None:
        """Keep a running try whose activity has left it, because the activity was paused or reset or its run has ended."""
        self._add(key, _Unclaimed(run, time.monotonic()))

    def cancel(self, key: TryKey) -> None:
        """Stop the try if no activity has claimed it: its activity was cancelled. This is thread-safe."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop, key)

    def _add(self, key: TryKey, unclaimed: _Unclaimed) -> _Unclaimed:
        self._unclaimed[key] = unclaimed
        self._liveness.watch(unclaimed.run, self)
        return unclaimed

    def _discard(self, key: TryKey, unclaimed: _Unclaimed) -> None:
        if self._unclaimed.get(key) is unclaimed:
            del self._unclaimed[key]

    # ------------------------------------------------------------------------- tries without activity

    def is_watching(self, run: WorkflowRun) -> bool:
        """Return True if a try of the run is unclaimed. The outcome of a try that has ended is left to its activity."""
        running = self._backend.running()
        start_by = time.monotonic() - ANNOUNCED_SECONDS
        is_watching = False
        for key, unclaimed in self._of(run):
            if key in running or not (unclaimed.is_started or unclaimed.since < start_by):
                is_watching = True
            else:
                del self._unclaimed[key]
        return is_watching

    def is_due(self, run: WorkflowRun) -> bool:
        """Return True if an unclaimed try of the run is not one that was announced just now, whose activity arrives soon."""
        since = time.monotonic() - ANNOUNCED_SECONDS
        return any(unclaimed.since < since or not unclaimed.is_announced for _, unclaimed in self._of(run))

    def on_state(self, run: WorkflowRun, state: WorkflowState) -> None:
        """Release or stop the tries of the run that no activity here will claim."""
        for key, unclaimed in self._of(run):
            if unclaimed.is_stopping or unclaimed.since >= state.asked_at:
                continue
            if state.has_worker(key.activity_id):
                del self._unclaimed[key]
                self._backend.release(key)
            elif state.has_ended or (unclaimed.is_announced and _will_not_follow(key.activity_id, state)):
                self._stop(key)

    def _of(self, run: WorkflowRun) -> list[tuple[TryKey, _Unclaimed]]:
        return [(key, unclaimed) for key, unclaimed in self._unclaimed.items() if unclaimed.run == run]

    def _stop(self, key: TryKey) -> None:
        unclaimed = self._unclaimed.get(key)
        if unclaimed is None or unclaimed.is_stopping:
            return
        self._stopped[key] = None
        if len(self._stopped) > MOST_STOPPED:
            del self._stopped[next(iter(self._stopped))]
        if not unclaimed.is_started:
            del self._unclaimed[key]
            return
        unclaimed.is_stopping = True
        self._background.start(self._kill(key, unclaimed))

    async def _kill(self, key: TryKey, unclaimed: _Unclaimed) -> None:
        try:
            await self._backend.kill(key)
            self._discard(key, unclaimed)
        finally:
            unclaimed.is_stopping = False  # after an error, the next poll stops the try again


def _will_not_follow(activity: str, state: WorkflowState) -> bool:
    """Return True if the decision to schedule the activity did not reach the history, or the activity has ended."""
    return state.is_current and not state.is_deciding and not state.is_pending(activity)
