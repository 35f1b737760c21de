"""How the workflow calls its activities and child workflows: names, time-outs, retry policies, ids.

Retry policies here only re-attach or repeat I/O: a user's retries are the engine's business (design: attempts and tries).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

from flytemp.names import activity_id
from flytemp.protocol.workflow import CHUNK_WORKFLOW_TYPE
from flytemp.spec.pages import to_pages
from flytemp_worker.engine import RunTask

RESOLVE = "flytemp.resolve"
PLAN_PAGE = "flytemp.plan_page"
SAVE_PLAN = "flytemp.save_plan"
RUN_TASK = "flytemp.run_task"
START_TASKS = "flytemp.start_tasks"
SAVE_STATE = "flytemp.save_state"
LOAD_STATE = "flytemp.load_state"
CLOSE = "flytemp.close"
PART_PLAN = "flytemp.part_plan"
CLOSE_PART = "flytemp.close_part"
CLOSED_CHILDREN = "flytemp.closed_children"
DYNAMIC_PLANS = "flytemp.dynamic_plans"
PAUSE = "flytemp.pause"
PART_WORKFLOW = CHUNK_WORKFLOW_TYPE

ASKS = {
    "read": "flytemp.read_values",
    "lengths": "flytemp.list_lengths",
    "split": "flytemp.split_lists",
    "expand": "flytemp.expand_dynamic",
    "inputs": "flytemp.child_inputs",
    "store": "flytemp.store_map",
}
"""The activity that answers what the engine asks; see `flytemp_worker.engine.messages.Ask`."""

CHILD_CLOSED = "flytemp.child_closed"
GAVE_BACK = "flytemp.part_gave_back"
TELL = "flytemp.tell"

_FOREVER = timedelta(days=3650)  # Temporal wants a bound; a task's own time-out is the backend's to keep
_CONTROL_TIMEOUT = timedelta(minutes=2)
_CONTROL_HEARTBEAT = timedelta(seconds=10)  # one whose worker died is started elsewhere after this
_REPEAT = RetryPolicy(initial_interval=timedelta(seconds=0.5), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30))
_ONCE = RetryPolicy(maximum_attempts=1)
_REATTACH = RetryPolicy(initial_interval=timedelta(seconds=0.5), backoff_coefficient=1.5, maximum_interval=timedelta(seconds=10))


def control(name: str, argument: dict[str, Any], *, summary: str | None = None) -> workflow.ActivityHandle[Any]:
    """Start a short activity on the interpreter's own queue; it is repeated until the platform lets it through."""
    return workflow.start_activity(
        name,
        argument,
        start_to_close_timeout=_CONTROL_TIMEOUT,
        heartbeat_timeout=_CONTROL_HEARTBEAT,
        retry_policy=_REPEAT,
        cancellation_type=workflow.ActivityCancellationType.ABANDON,
        summary=summary,
    )


def pause(seconds: float) -> workflow.ActivityHandle[Any]:
    """Much less than a second, after which a workflow task follows. The server's timers come up to a second late
    (`history.timerProcessorMaxTimeShift`); an activity that this worker takes itself comes within milliseconds."""
    return control(PAUSE, {"seconds": seconds})


def start_tasks(commands: Sequence[RunTask], root: str, task_queue: str) -> workflow.ActivityHandle[Any]:
    """Have tries started that activities will wait for later. Whether it succeeds or not, those see to the tries."""
    tries = [_try(command) for command in commands]
    return workflow.start_activity(
        START_TASKS,
        {"execution": root, "tries": to_pages(tries)},
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
    """Start the activity that runs one try of a task, or, with ``stop``, that stops one which was started before.

    `EarlyStartInterceptor` adds ``announced`` to the argument of a try that it started early.
    """
    argument = {"execution": root, **_try(command)}
    if stop:
        argument["stop"] = True
    attempt = f", attempt {command.attempt}" if command.attempt > 1 else ""
    return workflow.start_activity(
        RUN_TASK,
        argument,
        task_queue=task_queue,
        activity_id=activity_id(command.node, command.attempt, command.try_),
        start_to_close_timeout=_FOREVER,
        schedule_to_start_timeout=timedelta(seconds=command.queued) if command.queued and not command.resumed else None,
        heartbeat_timeout=timedelta(seconds=heartbeat_seconds),
        retry_policy=_REATTACH,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=short(f"{command.node} {command.name}{attempt}"),
    )


def _try(command: RunTask) -> dict[str, Any]:
    """What a worker needs to know of a try, beside its execution."""
    argument: dict[str, Any] = {
        "node": command.node,
        "workflow": command.graph,
        "task": command.task,
        "attempt": command.attempt,
        "try": command.try_,
        "inputs": command.inputs,
    }
    if command.resumed:
        argument["resumed"] = True
    if command.local != command.node.rpartition(".")[2]:
        argument["local"] = command.local
    if command.source:
        argument["source"] = command.source
    if command.items is not None:
        argument["items"] = list(command.items)
    return argument


def part_id(workflow_id: str, node: str, part: int, attempt: int) -> str:
    """The workflow id of a part of a map. Temporal takes up to 1,000 characters."""
    text = f"{workflow_id}/{node}/{part}.{attempt}"
    return text if len(text) <= 900 else f"{text[:800]}…{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def short(text: str) -> str:
    """``text`` as a summary. The server refuses a workflow task for one whose JSON is over 400 bytes."""
    return text if len(json.dumps(text)) <= 390 else f"{text.encode('ascii', 'replace')[:180].decode()}…"
