"""Tasks, timers and short I/O of a run: starts them and turns their ends into events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as ActivityTimeout

from flytemp.errors import FlytempError
from flytemp.protocol.activities import RUN_TASK
from flytemp.protocol.io_requests import IO_REQUESTS
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.spec.bounds import MAX_SECONDS
from flytemp.spec.pages import from_pages
from flytemp_worker.engine.errors import Error, make_error
from flytemp_worker.engine.messages import (
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
"""Node path, attempt and try."""


class Operations:
    """The activities and timers of one run.

    Args:
        root: the root folder of the execution in the store.
        settings: the settings of the execution.
        enqueue: receives an event when an operation has ended.
    """

    def __init__(self, root: str, settings: ExecutionSettings, enqueue: Callable[[Event], None]) -> None:
        self._root = root
        self._settings = settings
        self._enqueue = enqueue
        self._activities: dict[Key, workflow.ActivityHandle[Any]] = {}
        self._timers: dict[Key, asyncio.Task[None]] = {}

    def run_task(self, command: RunTask, *, stop: bool = False) -> None:
        """Start the activity of a try; if ``stop`` is true, the activity that stops it."""
        key = (command.node, command.attempt, command.try_)
        queue, heartbeat = self._settings.task_queue_of(command.route), self._settings.heartbeat_seconds
        handle = activity_calls.run_task(command, self._root, queue, heartbeat, stop=stop)
        self._activities[key] = handle
        handle.add_done_callback(lambda done: self._on_task(command, done))

    def _on_task(self, command: RunTask, done: asyncio.Task[Any]) -> None:
        key = (command.node, command.attempt, command.try_)
        del self._activities[key]
        if command.resumed and was_never_taken(done):
            self.run_task(command, stop=True)  # no worker received the cancellation, and the task may be running
        else:
            self._enqueue(task_event(key, done))

    def cancel_task(self, command: CancelTask) -> None:
        """Cancel the activity of a try."""
        _cancel(self._activities.get((command.node, command.attempt, command.try_)))

    def start_timer(self, command: StartTimer) -> None:
        """Start a timer of the Temporal server."""
        key = (command.node, command.attempt, command.try_)

        async def fire() -> None:
            summary = activity_calls.short(f"{command.node}: {command.why}" if command.node else command.why)
            await workflow.sleep(timedelta(seconds=min(command.seconds, MAX_SECONDS)), summary=summary)
            self._timers.pop(key, None)
            self._enqueue(TimerFired(*key))

        self._timers[key] = asyncio.create_task(fire())

    def cancel_timer(self, command: CancelTimer) -> None:
        """Cancel a timer."""
        _cancel(self._timers.pop((command.node, command.attempt, command.try_), None))

    def request_io(self, command: RequestIO) -> None:
        """Start the activity that reads or writes values for the engine."""
        declaration = IO_REQUESTS[command.operation]
        argument = declaration.argument(
            execution=self._root, node=command.node, attempt=command.attempt, epoch=command.epoch, **command.argument
        )
        handle = activity_calls.control(
            declaration, argument, summary=activity_calls.short(f"{command.node}: {command.operation}")
        )
        handle.add_done_callback(lambda done: self._enqueue(_io_completed(command, done)))


def _cancel(work: asyncio.Task[Any] | None) -> None:
    """Cancel ``work`` unless it ended in this activation: then its event is already enqueued."""
    if work is not None:
        work.cancel()


def was_never_taken(done: asyncio.Task[Any]) -> bool:
    """Return True if the activity was cancelled before a worker received it."""
    if done.cancelled():
        return True
    error = done.exception()
    return isinstance(error, ActivityError) and is_cancelled_exception(error) and not error.started_event_id


def task_event(key: Key, done: asyncio.Task[Any]) -> Event:
    """Return the engine's event for the end of a task's activity."""
    if done.cancelled():
        return TaskCancelled(*key)
    error = done.exception()
    if error is None:
        result = RUN_TASK.read_result(done.result())
        return TaskSucceeded(*key, result.outputs, result.size, result.lookup)
    if is_cancelled_exception(error):
        return TaskCancelled(*key)
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ActivityTimeout) and cause.type is TimeoutType.SCHEDULE_TO_START:
        message = "no worker started the task within its queue timeout"
        return TaskFailed(*key, make_error("Timeout", message))
    detail = _detail(cause)
    if detail is not None:
        lost = detail["kind"] == "SYSTEM" and detail["code"] == "Lost"  # an exception of the user may be called Lost, too
        return TaskLost(*key, detail["message"]) if lost else TaskFailed(*key, detail)
    return TaskLost(*key, f"the activity ended without a result: {cause or error}")


def _detail(cause: BaseException | None) -> Error | None:
    detail = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    return cast(Error, detail) if isinstance(detail, dict) and {"kind", "code", "message"} <= detail.keys() else None


def _io_completed(command: RequestIO, done: asyncio.Task[Any]) -> IOCompleted:
    error = None if done.cancelled() else done.exception()
    if error is None and not done.cancelled():
        answer = done.result()
        try:
            return IOCompleted(
                command.node, command.operation, from_pages(answer["pages"]) if command.operation == "expand" else answer
            )
        except FlytempError as failure:
            error = failure
    cause = error.cause if isinstance(error, ActivityError) else error
    detail = _detail(cause) or make_error("Failed", f"{command.operation}: {cause}")
    return IOCompleted(command.node, command.operation, error={**detail, "retryable": False})
