"""Activity calls of workflows: timeouts, retry policies and activity ids.

The retry policies here repeat I/O and re-attach to tries. The engine decides about attempts and tries.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

from flytemp.names import activity_id
from flytemp.protocol import activities as protocol
from flytemp.protocol.message import Activity, Message
from flytemp.spec.pages import to_pages
from flytemp_worker.engine.messages import RunTask

A = TypeVar("A", bound=Message)

_UNLIMITED = timedelta(days=3650)  # Temporal requires a limit; the backend enforces the task's timeout
_CONTROL_TIMEOUT = timedelta(minutes=2)
_CONTROL_HEARTBEAT = timedelta(seconds=10)  # after this, the activity of a dead worker is started on another one
_REPEAT = RetryPolicy(initial_interval=timedelta(seconds=0.5), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30))
_ONCE = RetryPolicy(maximum_attempts=1)
_REATTACH = RetryPolicy(initial_interval=timedelta(seconds=0.5), backoff_coefficient=1.5, maximum_interval=timedelta(seconds=10))


def control(declaration: Activity[A, Any], argument: A, *, summary: str | None = None) -> workflow.ActivityHandle[Any]:
    """Start a short activity on the workflow's own task queue. Temporal repeats it until it succeeds or is rejected."""
    return workflow.start_activity(
        declaration.name,
        argument.to_json(),
        start_to_close_timeout=_CONTROL_TIMEOUT,
        heartbeat_timeout=_CONTROL_HEARTBEAT,
        retry_policy=_REPEAT,
        cancellation_type=workflow.ActivityCancellationType.ABANDON,
        summary=summary,
    )


def short_timer(seconds: float) -> workflow.ActivityHandle[Any]:
    """Start a timer of much less than a second.

    A timer of the Temporal server fires up to a second late (``history.timerProcessorMaxTimeShift``). An activity that this
    worker executes itself ends within milliseconds.
    """
    return control(protocol.SHORT_TIMER, protocol.ShortTimerArgument(seconds))


def start_tasks(commands: Sequence[RunTask], root: str, task_queue: str) -> workflow.ActivityHandle[Any]:
    """Start the given tries before their activities are scheduled.

    A failure here is harmless: each activity starts its try if the try is not running.
    """
    tries = [_argument(command, root).to_json() for command in commands]
    return workflow.start_activity(
        protocol.START_TASKS.name,
        protocol.StartTasksArgument(to_pages(tries)).to_json(),
        task_queue=task_queue,
        schedule_to_start_timeout=timedelta(seconds=5),
        start_to_close_timeout=timedelta(seconds=60),
        heartbeat_timeout=_CONTROL_HEARTBEAT,
        retry_policy=_ONCE,
        cancellation_type=workflow.ActivityCancellationType.ABANDON,
        summary=f"start {len(commands)} tasks",
    )


def run_task(
    command: RunTask, root: str, task_queue: str, heartbeat_seconds: float, *, stop: bool = False
) -> workflow.ActivityHandle[Any]:
    """Start the activity that runs a try, or, if ``stop`` is true, that stops a try which was started before.

    `EarlyStartInterceptor` sets ``announced`` in the argument of a try that it started early.
    """
    attempt = f", attempt {command.attempt}" if command.attempt > 1 else ""
    return workflow.start_activity(
        protocol.RUN_TASK.name,
        _argument(command, root, stop).to_json(),
        task_queue=task_queue,
        activity_id=activity_id(command.node, command.attempt, command.try_, command.epoch),
        start_to_close_timeout=_UNLIMITED,
        schedule_to_start_timeout=timedelta(seconds=command.queued) if command.queued and not command.resumed else None,
        heartbeat_timeout=timedelta(seconds=heartbeat_seconds),
        retry_policy=_REATTACH,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=short(f"{command.node} {command.name}{attempt}"),
    )


def _argument(command: RunTask, root: str, stop: bool = False) -> protocol.RunTaskArgument:
    return protocol.RunTaskArgument(
        execution=root,
        node=command.node,
        graph=command.graph,
        task=command.task,
        attempt=command.attempt,
        try_=command.try_,
        inputs=command.inputs,
        local=command.local if command.local != command.node.rpartition(".")[2] else None,
        source=command.source,
        items=command.items,
        resumed=command.resumed,
        stop=stop,
        epoch=command.epoch,
    )


def short(text: str) -> str:
    """Return ``text`` cut to the length of a summary. The server rejects a summary whose JSON has more than 400 bytes."""
    return text if len(json.dumps(text)) <= 390 else f"{text.encode('ascii', 'replace')[:180].decode()}…"
