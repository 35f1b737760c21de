"""Early start of the many tasks of a fan-out, by one activity.

Temporal dispatches the activities of one workflow one after the other, each with a write of its own. For a thousand activities
that takes seconds, in which a cluster could start a thousand pods. One activity starts the tries instead. The activities of the
tries follow as the window of activities allows, and join the tries. Until then the tasks are held here, and count as running for
the engine.
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
from flytemp_worker.engine.machine import Engine
from flytemp_worker.engine.messages import CancelTask, RunTask
from flytemp_worker.workflow import activity_calls

LEAST = 32
"""Smallest number of tasks for which the activity is worth its cost."""

FIRST = 8
"""Number of the tasks of a fan-out whose activities are scheduled at once, so that users see their state."""

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class StopTask:
    """Stop a task that was started early and whose activity is not scheduled yet."""

    task: RunTask


class EarlyStarts:
    """Tasks of one run that are held here: started early, and without an activity.

    Args:
        root: the root folder of the execution in the store.
        settings: the settings of the execution. ``starts_ahead`` is the largest number of held tasks.
        rouse: is called when tasks were started, so that the loop of the run continues.
        cancelled: receives the key of a cancelled task that was not started.
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
        self._to_stop: dict[Key, None] = {}  # held tasks, in order
        self.starting: workflow.ActivityHandle[Any] | None = None

    def __len__(self) -> int:
        return len(self._held)

    def room(self, engine: Engine) -> int:
        """Return the number of tasks to start now: 0 if they are fewer than `LEAST`, or if tasks are held already."""
        if self._held or not engine.is_windowed:
            return 0
        free = min(engine.capacity.limit - engine.capacity.used, self._most, len(engine.capacity.tasks))
        return free if free >= LEAST else 0

    def start(self, tasks: list[RunTask], most: int) -> None:
        """Hold the tasks and start the first ``most`` of them.

        Tasks of a pool are not started early, nor are tasks with a limit on the time that they wait for a worker.
        """
        self._held.update((_key(task), task) for task in tasks)
        starting = [task for task in tasks[:most] if task.queued is None and not task.route]
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
        """Stop a held task as soon as it is known if it was started. Return False if the task is not held."""
        key = (command.node, command.attempt, command.try_)
        if key not in self._held:
            return False
        self._to_stop[key] = None
        return True

    def window(self, window: int) -> int:
        """Return the part of the window of activities that the engine may use. Held tasks take precedence."""
        if not self._held:
            return window
        return window + len(self._held) if self.starting is not None else 0

    def is_due(self, engine: Engine, window: int) -> bool:
        """Return True if `next` returns a task."""
        return bool(self._to_stop and self.starting is None) or self._first(engine, window) is not None

    def next(self, engine: Engine, window: int) -> RunTask | StopTask | None:
        """Return a held task to stop, or one whose activity fits in the window, or None. The task is no longer held."""
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
        """Return True if only the window holds back the activity of a task."""
        return self._first_of_held(engine) is not None

    def _first(self, engine: Engine, window: int) -> Key | None:
        """Return the first held task whose activity may be scheduled now."""
        return self._first_of_held(engine) if engine.capacity.used - len(self._held) < window else None

    def _first_of_held(self, engine: Engine) -> Key | None:
        """Return the first held task, unless the tasks are being started. During a pause, a task must have been started."""
        if self.starting is not None:
            return None
        is_paused = engine.paused is not None and not engine.root.aborting
        return next((key for key, task in self._held.items() if task.resumed or not is_paused), None)


def _key(task: RunTask) -> Key:
    return task.node, task.attempt, task.try_


def _started(done: asyncio.Task[Any], most: int) -> Sequence[int]:
    """Return the positions of the tasks that were started, or may have been."""
    if done.cancelled():
        return range(most)
    error = done.exception()
    if error is None:
        return START_TASKS.read_result(done.result()).started
    cause = error.cause if isinstance(error, ActivityError) else error
    had_no_worker = isinstance(cause, ActivityTimeout) and cause.type is TimeoutType.SCHEDULE_TO_START
    return () if had_no_worker else range(most)
