"""What a shell starts: tasks, timers and short pieces of I/O; and what came of them, as events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as ActivityTimeout

from flytemp.errors import FlytempError
from flytemp.spec.pages import from_pages
from flytemp_worker.engine import (
    CancelTask,
    CancelTimer,
    Event,
    IOCompleted,
    RequestIO,
    RunTask,
    StartTimer,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskSucceeded,
    TimerFired,
)
from flytemp_worker.workflow import activity_calls

Key = tuple[str, int, int]


class Operations:
    """The activities and timers of one run. ``hear`` takes each event as it happens."""

    def __init__(self, root: str, settings: dict[str, Any], hear: Callable[[Event], None]) -> None:
        self._root = root
        self._settings = settings
        self._hear = hear
        self._activities: dict[Key, workflow.ActivityHandle[Any]] = {}
        self._timers: dict[Key, asyncio.Task[None]] = {}

    def run_task(self, command: RunTask, *, stop: bool = False) -> None:
        key = (command.node, command.attempt, command.try_)
        queue, heartbeat = self._settings["task_queue"], self._settings["heartbeat_seconds"]
        handle = activity_calls.run_task(command, self._root, queue, heartbeat, stop=stop)
        self._activities[key] = handle
        handle.add_done_callback(lambda done: self._on_task(command, done))

    def _on_task(self, command: RunTask, done: asyncio.Task[Any]) -> None:
        key = (command.node, command.attempt, command.try_)
        del self._activities[key]
        if command.resumed and was_never_taken(done):
            self.run_task(command, stop=True)  # no worker heard of the cancellation, and the task may run
        else:
            self._hear(task_event(key, done))

    def cancel_task(self, command: CancelTask) -> None:
        _cancel(self._activities.get((command.node, command.attempt, command.try_)))

    def start_timer(self, command: StartTimer) -> None:
        key = (command.node, command.attempt, command.try_)

        async def fire() -> None:
            summary = activity_calls.short(f"{command.node}: {command.why}" if command.node else command.why)
            await workflow.sleep(timedelta(seconds=command.seconds), summary=summary)
            self._timers.pop(key, None)
            self._hear(TimerFired(*key))

        self._timers[key] = asyncio.create_task(fire())

    def cancel_timer(self, command: CancelTimer) -> None:
        _cancel(self._timers.pop((command.node, command.attempt, command.try_), None))

    def ask(self, command: RequestIO) -> None:
        argument = {"execution": self._root, "node": command.node, "attempt": command.attempt, **command.argument}
        summary = activity_calls.short(f"{command.node}: {command.what}")
        handle = activity_calls.control(activity_calls.ASKS[command.what], argument, summary=summary)
        handle.add_done_callback(lambda done: self._hear(_answer(command, done)))


def _cancel(work: asyncio.Task[Any] | None) -> None:
    """Cancel it, unless it ended in this very activation: then its event is already on the way to the engine."""
    if work is not None:
        work.cancel()


def was_never_taken(done: asyncio.Task[Any]) -> bool:
    """Whether the activity was cancelled before a worker had it: in the server's queue, or before it was sent."""
    if done.cancelled():
        return True
    error = done.exception()
    return isinstance(error, ActivityError) and is_cancelled_exception(error) and not error.started_event_id


def task_event(key: Key, done: asyncio.Task[Any]) -> Event:
    """What became of a task's activity, as the engine's event."""
    if done.cancelled():
        return TaskCancelled(*key)
    error = done.exception()
    if error is None:
        result = done.result()
        return TaskSucceeded(*key, result.get("outputs"), result["size"])
    if is_cancelled_exception(error):
        return TaskCancelled(*key)
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ActivityTimeout) and cause.type is TimeoutType.SCHEDULE_TO_START:
        message = "no worker took the task within the time that it may wait"
        return TaskFailed(*key, {"kind": "USER", "code": "Timeout", "message": message, "retryable": True})
    detail = _detail(cause)
    if detail is not None:
        lost = detail["kind"] == "SYSTEM" and detail["code"] == "Lost"  # a user's exception may have that name, too
        return TaskLost(*key, detail["message"]) if lost else TaskFailed(*key, detail)
    return TaskLost(*key, f"the activity ended without an answer: {cause or error}")


def _detail(cause: BaseException | None) -> dict[str, Any] | None:
    detail = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    return detail if isinstance(detail, dict) and {"kind", "code", "message"} <= detail.keys() else None


def _answer(command: RequestIO, done: asyncio.Task[Any]) -> IOCompleted:
    error = None if done.cancelled() else done.exception()
    if error is None and not done.cancelled():
        answer = done.result()
        try:
            return IOCompleted(command.node, command.what, from_pages(answer["pages"]) if command.what == "expand" else answer)
        except FlytempError as failure:
            error = failure
    cause = error.cause if isinstance(error, ActivityError) else error
    detail = _detail(cause) or {"kind": "SYSTEM", "code": "Failed", "message": f"{command.what}: {cause}"}
    return IOCompleted(command.node, command.what, error={**detail, "retryable": False})
