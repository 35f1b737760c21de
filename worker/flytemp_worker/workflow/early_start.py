"""Tasks that are started before their activities are, many at once.

Temporal starts the activities of one workflow one after the other, each with a write of its own: of a thousand that takes it
seconds, in which a cluster could start a thousand pods. So one activity has them all started; those that wait for them follow
as the window lets them, and find what was started. Meanwhile they are held here: for the engine they are in the backend's hands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeout

from flytemp.protocol.activities import START_TASKS
from flytemp.protocol.workflow import ExecutionSettings
from flytemp_worker.engine import CancelTask, Engine, RunTask
from flytemp_worker.workflow import activity_calls

LEAST = 32
"""Fewer are not worth an activity more."""

FIRST = 8
"""Of tasks that become ready together so many have their activities at once: people see what they wait for."""

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class StopTask:
    """Stop a task that was started, and that no activity waits for yet."""

    task: RunTask


class EarlyStarts:
    """What one run has started ahead.

    Args:
        root: the execution's.
        settings: of the execution; without ``starts_ahead``, the most that may be held, nothing is ever started ahead.
        rouse: called when tasks were started, so that the loop goes on.
        cancelled: takes the key of a task that was to be stopped and had not been started.
    """

    def __init__(
        self, root: str, settings: ExecutionSettings, rouse: Callable[[], None], cancelled: Callable[[Key], None]
    ) -> None:
        self._root = root
        self._task_queue: str = settings.task_queue
        self._most: int = settings.starts_ahead
        self._rouse = rouse
        self._cancelled = cancelled
        self._held: dict[Key, RunTask] = {}
        self._to_stop: dict[Key, None] = {}  # of these, in their order
        self.starting: workflow.ActivityHandle[Any] | None = None

    def __len__(self) -> int:
        return len(self._held)

    def room(self, engine: Engine) -> int:
        """How many more tasks to start now; 0 where they would be too few, or the last ones still wait for their activities."""
        if self._held or not engine.is_windowed:
            return 0
        free = min(engine.capacity.limit - engine.capacity.used, self._most, len(engine.capacity.tasks))
        return free if free >= LEAST else 0

    def start(self, tasks: list[RunTask], most: int) -> None:
        """Hold the tasks, and have the first ``most`` of them started; but none whose time to wait for a worker is bounded."""
        self._held.update((_key(task), task) for task in tasks)
        starting = [task for task in tasks[:most] if task.queued is None]
        if starting:
            self.starting = activity_calls.start_tasks(starting, self._root, self._task_queue)
            self.starting.add_done_callback(lambda done: self._on_started(starting, done))

    def _on_started(self, tasks: list[RunTask], done: asyncio.Task[Any]) -> None:
        self.starting = None
        for number in _started(done, len(tasks)):
            task = tasks[number]
            self._held[_key(task)] = replace(task, resumed=True)
        self._rouse()

    def stop(self, command: CancelTask) -> bool:
        """Whether it is held here; then it is stopped, as soon as it is known whether it was started."""
        key = (command.node, command.attempt, command.try_)
        if key not in self._held:
            return False
        self._to_stop[key] = None
        return True

    def window(self, window: int) -> int:
        """Of the ``window`` of activities, what is open to the engine, in its count. What is held comes first, once it may."""
        if not self._held:
            return window
        return window + len(self._held) if self.starting is not None else 0

    def is_due(self, engine: Engine, window: int) -> bool:
        """Whether there is something for `next`."""
        return bool(self._to_stop and self.starting is None) or self._first(engine, window) is not None

    def next(self, engine: Engine, window: int) -> RunTask | StopTask | None:
        """What is to be sent now: a task to stop, or one whose activity has room in the window."""
        while self._to_stop and self.starting is None:
            key = next(iter(self._to_stop))
            del self._to_stop[key]
            task = self._held.pop(key)
            if task.resumed:
                return StopTask(task)
            self._cancelled(key)
        first = self._first(engine, window)
        return None if first is None else self._held.pop(first)

    def waits_for_window(self, engine: Engine) -> bool:
        """Whether one of those held would have its activity, but for the window."""
        return self._willing(engine) is not None

    def _first(self, engine: Engine, window: int) -> Key | None:
        """The first of those held, if it may have its activity now."""
        return self._willing(engine) if engine.capacity.used - len(self._held) < window else None

    def _willing(self, engine: Engine) -> Key | None:
        """The first of those held, unless they are being started. In a pause what was not started does not start."""
        if self.starting is not None:
            return None
        is_paused = engine.paused is not None and not engine.root.aborting
        return next((key for key, task in self._held.items() if task.resumed or not is_paused), None)


def _key(task: RunTask) -> Key:
    return task.node, task.attempt, task.try_


def _started(done: asyncio.Task[Any], most: int) -> Sequence[int]:
    """The numbers of the tasks that were started, or may have been."""
    if done.cancelled():
        return range(most)
    error = done.exception()
    if error is None:
        return START_TASKS.read_result(done.result()).started
    cause = error.cause if isinstance(error, ActivityError) else error
    nobody = isinstance(cause, ActivityTimeout) and cause.type is TimeoutType.SCHEDULE_TO_START
    return () if nobody else range(most)
