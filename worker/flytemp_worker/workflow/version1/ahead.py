"""Tasks that are started before their activities are, many at once.

Temporal starts the activities of one workflow one after the other, each with a write of its own: of a thousand that takes it
seconds, in which a cluster could start a thousand pods. So one activity has them all started; those that wait for them follow
as the window lets them, and find what was started. Meanwhile they are held here: for the engine they are in the backend's hands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeout

from flytemp_worker.engine import CancelTask, Engine, RunTask
from flytemp_worker.workflow import calls

LEAST = 32
"""Fewer are not worth an activity more."""

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class StopTask:
    """Stop a task that was started, and that no activity waits for yet."""

    task: RunTask


class Ahead:
    """What one run has started ahead.

    Args:
        root: the execution's.
        settings: of the execution; without ``starts_ahead``, the most that may be held, nothing is ever started ahead.
        rouse: called when tasks were started, so that the loop goes on.
        cancelled: takes the key of a task that was to be stopped and had not been started.
    """

    def __init__(
        self, root: str, settings: dict[str, Any], rouse: Callable[[], None], cancelled: Callable[[Key], None]
    ) -> None:
        self._root = root
        self._task_queue: str = settings["task_queue"]
        self._most: int = settings.get("starts_ahead", 0)
        self._rouse = rouse
        self._cancelled = cancelled
        self._held: dict[Key, RunTask] = {}
        self._to_stop: dict[Key, None] = {}  # of these, in their order
        self.starting: workflow.ActivityHandle[Any] | None = None

    def __len__(self) -> int:
        return len(self._held)

    def room(self, engine: Engine) -> int:
        """How many more tasks to start now; 0 where they would be too few."""
        if self.starting is not None or not engine.is_windowed:
            return 0
        free = min(engine.limit - engine.running - engine.lent, self._most - len(self._held), len(engine.ready))
        return free if free >= LEAST else 0

    def start(self, tasks: list[RunTask], count: int) -> None:
        """Hold the tasks, and have the first ``count`` of them started."""
        self._held.update((_key(task), task) for task in tasks)
        starting = tasks[:count]
        self.starting = calls.start_tasks(starting, self._root, self._task_queue)
        self.starting.add_done_callback(lambda done: self._on_started(starting, done))

    def _on_started(self, tasks: list[RunTask], done: asyncio.Task[Any]) -> None:
        self.starting = None
        for task in tasks[: _started(done, len(tasks))]:
            self._held[_key(task)] = replace(task, resumed=True)
        self._rouse()

    def stop(self, command: CancelTask) -> bool:
        """Whether it is held here; then it is stopped, as soon as it is known whether it was started."""
        key = (command.node, command.attempt, command.try_)
        if key not in self._held:
            return False
        self._to_stop[key] = None
        return True

    def is_due(self, engine: Engine, window: int) -> bool:
        """Whether there is something for `next`."""
        if self.starting is not None or not self._held:
            return False
        return bool(self._to_stop) or engine.running + engine.lent - len(self._held) < window

    def next(self, engine: Engine, window: int) -> RunTask | StopTask | None:
        """What is to be sent now: a task to stop, or one whose activity has room in the window."""
        while self.is_due(engine, window):
            if not self._to_stop:
                return self._held.pop(next(iter(self._held)))
            key = next(iter(self._to_stop))
            del self._to_stop[key]
            task = self._held.pop(key)
            if task.resumed:
                return StopTask(task)
            self._cancelled(key)
        return None


def _key(task: RunTask) -> Key:
    return task.node, task.attempt, task.try_


def _started(done: asyncio.Task[Any], most: int) -> int:
    """How many of the tasks, from the first on, may have been started."""
    if done.cancelled():
        return most
    error = done.exception()
    if error is None:
        return int(done.result()["started"])
    cause = error.cause if isinstance(error, ActivityError) else error
    nobody = isinstance(cause, ActivityTimeout) and cause.type is TimeoutType.SCHEDULE_TO_START
    return 0 if nobody else most
