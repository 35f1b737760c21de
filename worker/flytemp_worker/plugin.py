"""Temporal plugin that adds the interpreter to an existing worker."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace

from temporalio.client import Client as TemporalClient
from temporalio.plugin import SimplePlugin
from temporalio.worker import Interceptor, WorkerConfig

from flytemp.config import Settings, load_settings
from flytemp.store import open_store
from flytemp.task_queues import pool_queue_prefix, tasks_queue
from flytemp_activities.executions import Executions
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import control_parts, early_start, started, task_parts
from flytemp_worker.serve import make_backend, resolved_settings, slots_of
from flytemp_worker.workflow.received import OneArgumentRunner


class FlytempPlugin(SimplePlugin):
    """Plugin for ``Worker(plugins=[…])``, in addition to your own workflows and activities.

    Your data converter, interceptors and sandbox do not change. The worker also runs flytemp's interpreter and control
    activities on its task queue; launch executions on this queue. With ``run_tasks``, the worker runs tasks on the same queue.
    Without it, `flytemp worker` must run them on the queue ``<task_queue>-tasks``.

    Args:
        temporal: the client of the worker.
        settings: the settings of the store and the worker; by default read from the configuration.
        task_queue: the task queue of your worker; by default that of the settings.
        run_tasks: True if this worker runs tasks.
    """

    def __init__(
        self,
        temporal: TemporalClient,
        settings: Settings | None = None,
        *,
        task_queue: str | None = None,
        run_tasks: bool = False,
    ) -> None:
        chosen = settings or load_settings()
        store = open_store(chosen.store)
        executions = Executions(store)
        queue = task_queue or chosen.task_queue
        resolved = replace(
            resolved_settings(chosen),
            task_queue=queue if run_tasks else tasks_queue(queue),
            pool_queue_prefix=pool_queue_prefix(queue),
        )
        control = control_parts(executions, temporal, resolved, chosen.raw_data_prefix)
        activities = list(control.activities)
        backend = make_backend(chosen, store) if run_tasks else None
        interceptors: Sequence[Interceptor] = ()
        context: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
        if backend is not None:
            runner = TaskRunner(executions, backend, WorkflowLiveness(temporal), slots=slots_of(chosen))
            activities += task_parts(runner).activities
            interceptors = early_start(runner, resolved)
            context = functools.partial(started, backend, runner)
        super().__init__(
            "flytemp", workflows=control.workflows, activities=activities, interceptors=interceptors, run_context=context
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Add the interpreter to the configuration of a worker."""
        config["unsandboxed_workflow_runner"] = OneArgumentRunner(config.get("unsandboxed_workflow_runner"))
        return super().configure_worker(config)
