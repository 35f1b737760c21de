"""Assembly of a worker: the interpreter with its control activities, and a backend, as two Temporal workers.

Control activities share the interpreter's task queue and are dispatched eagerly. The backend's tasks have a task queue and slots
of their own, so that waiting tasks cannot block control activities.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client as TemporalClient
from temporalio.worker import Interceptor, Worker

from flytemp.protocol.workflow import ExecutionSettings
from flytemp_activities.backend import Backend
from flytemp_activities.executions import Executions
from flytemp_activities.io_requests import IORequests
from flytemp_activities.map_chunks import MapChunks
from flytemp_activities.record_execution import ExecutionRecorder
from flytemp_activities.resolve import LaunchResolver
from flytemp_activities.short_timer import ShortTimer
from flytemp_activities.state import StatePages
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.early_start_interceptor import EarlyStartInterceptor
from flytemp_worker.workflow.interpreter import FlytempMapPart, FlytempWorkflow
from flytemp_worker.workflow.janitor import FlytempJanitor
from flytemp_worker.workflow.received import OneArgumentRunner

CONTROL_SLOTS = 50
WORKFLOW_SLOTS = 8
"""Maximum number of concurrent workflow tasks of a process. They share one interpreter lock, and a replay must end within 2 s."""


@dataclass(frozen=True, slots=True)
class WorkerComponents:
    """Workflow classes and activities that one Temporal worker registers."""

    workflows: Sequence[type]
    activities: Sequence[Callable[..., Any]]


def control_parts(
    executions: Executions, temporal: TemporalClient, settings: ExecutionSettings, raw_data_prefix: str | None = None
) -> WorkerComponents:
    """Return the interpreter and its control activities. ``raw_data_prefix`` is by default the folder ``data`` of the store."""
    prefix = raw_data_prefix or executions.store.uri_of("data")
    resolver = LaunchResolver(executions, temporal, settings, prefix)
    pages = StatePages(executions.store)
    recorder = ExecutionRecorder(executions)
    io, chunks, liveness = IORequests(executions), MapChunks(executions), WorkflowLiveness(temporal)
    return WorkerComponents(
        [FlytempWorkflow, FlytempMapPart, FlytempJanitor],
        [
            resolver.resolve, recorder.record_execution,
            pages.load_plan_page, pages.save_plan_page, pages.load_state_page, pages.save_state_page,
            io.read_values, io.list_lengths, io.split_lists, io.child_inputs, io.store_map, io.expand_dynamic, io.dynamic_plans,
            chunks.chunk_plan, chunks.save_chunk_rows, chunks.save_chunk_outputs,
            liveness.closed_workflows, ShortTimer().short_timer,
        ],
    )  # fmt: skip


def task_parts(runner: TaskRunner) -> WorkerComponents:
    """Return the activities that run tasks."""
    return WorkerComponents([], [runner.run_task, runner.start_tasks])


def early_start(runner: TaskRunner, settings: ExecutionSettings) -> Sequence[Interceptor]:
    """Return the interceptors that let the runner start tasks of an interpreter in the same process early, if the settings do."""
    return [EarlyStartInterceptor(runner.early_starter, settings.task_queue)] if settings.starts_ahead else []


@contextlib.asynccontextmanager
async def started(backend: Backend, runner: TaskRunner) -> AsyncIterator[None]:
    """Start the backend of a task runner, and close it at the end."""
    await backend.start()
    runner.early_starter.open()
    try:
        yield
    finally:
        await backend.close()


def poller_count(slots: int) -> int:
    """Return the number of concurrent activity pollers for a number of slots.

    A task that finds no waiting poller is first written to Temporal's database. With 1,000 pods, this was a third of the total
    time. The SDK's default is 5.
    """
    return min(100, max(5, slots // 10))


def control_worker(
    temporal: TemporalClient,
    executions: Executions,
    task_queue: str,
    settings: ExecutionSettings,
    raw_data_prefix: str | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> Worker:
    """Return a Temporal worker for the interpreter and its control activities.

    Share ``executions`` with the `task_worker` of the same process, so that each document is read once.
    """
    parts = control_parts(executions, temporal, settings, raw_data_prefix)
    return Worker(
        temporal,
        task_queue=task_queue,
        workflows=parts.workflows,
        unsandboxed_workflow_runner=OneArgumentRunner(),
        activities=parts.activities,
        interceptors=interceptors,
        max_concurrent_activities=CONTROL_SLOTS,
        max_concurrent_workflow_tasks=WORKFLOW_SLOTS,
        graceful_shutdown_timeout=timedelta(seconds=5),
    )


def task_worker(
    temporal: TemporalClient,
    runner: TaskRunner,
    settings: ExecutionSettings,
    *,
    slots: int,
    drain_seconds: float,
    more: Sequence[Callable[..., Any]] = (),
) -> Worker:
    """Return a Temporal worker for the tasks of one backend.

    Args:
        temporal: the client of the worker.
        runner: the activities that run tasks.
        settings: the settings of executions, which name the task queue.
        slots: the maximum number of concurrent tasks.
        drain_seconds: the time that running tasks get at a shutdown.
        more: other activities on the same queue.
    """
    parts = task_parts(runner)
    return Worker(
        temporal,
        task_queue=settings.task_queue,
        activities=[*parts.activities, *more],
        max_concurrent_activities=slots,
        max_concurrent_activity_task_polls=poller_count(slots),
        # The response to a heartbeat delivers a cancellation, so heartbeats are not delayed.
        max_heartbeat_throttle_interval=timedelta(seconds=1),
        default_heartbeat_throttle_interval=timedelta(seconds=1),
        graceful_shutdown_timeout=timedelta(seconds=drain_seconds),
    )
