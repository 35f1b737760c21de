"""`FlytempPlugin`: adds the interpreter to a worker that a team already runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace

from temporalio.client import Client as TemporalClient
from temporalio.plugin import SimplePlugin
from temporalio.worker import Interceptor

from flytemp.config import Settings, load_settings
from flytemp.store import open_store
from flytemp.task_queues import tasks_queue
from flytemp_activities.executions import Executions
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import control_parts, early_start, started, task_parts
from flytemp_worker.serve import make_backend, resolved_settings, slots_of


class FlytempPlugin(SimplePlugin):
    """Give it to ``Worker(plugins=[…])`` beside your own workflows and activities.

    Your data converter, interceptors and sandbox stay as they are. The worker then serves flytemp's interpreter and
    control activities on its own task queue, which is the queue to launch on. With ``run_tasks`` it also runs the
    tasks, on this same queue; without, tasks wait for `flytemp worker`, on the queue ``<task_queue>-tasks``.

    Args:
        temporal: the client the worker uses.
        settings: where the store is, and the worker's options; by default read from the configuration.
        task_queue: your worker's queue; by default that of the settings.
        run_tasks: whether this worker runs tasks as well.
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
        resolved = replace(resolved_settings(chosen), task_queue=queue if run_tasks else tasks_queue(queue))
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
