"""Workers of the benchmarks on one Temporal server, and the rows of the results."""

from __future__ import annotations

import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass

from temporalio.client import Client as TemporalClient
from temporalio.worker import Worker

from flytemp.layout import ExecutionLayout
from flytemp.names import workflow_id
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import Backend
from flytemp_activities.executions import Executions
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import WORKFLOW_SLOTS, control_worker, started, task_worker
from programs import HandWritten

PROJECT, DOMAIN, VERSION = "default", "development", "bench"


@dataclass(frozen=True)
class Row:
    name: str
    value: float
    unit: str
    reference: float | None
    ratio: float | None


class Installation:
    """Workers of one server: flytemp's worker with a backend, and the hand-written workflow's on the same task queue."""

    def __init__(self, temporal: TemporalClient, store: ObjectStore, label: str, backend: Backend) -> None:
        self.temporal = temporal
        self.store = store
        self.queue = f"{label}-flytemp"
        self.tasks = f"{label}-tasks"
        self.hand = f"{label}-hand"
        self.backend = backend
        self.roots: dict[str, str] = {}

    async def enter(self, stack: AsyncExitStack) -> None:
        settings = ExecutionSettings(task_queue=self.tasks, max_parallelism=0, heartbeat_seconds=10)
        executions = Executions(self.store)
        runner = TaskRunner(executions, self.backend, WorkflowLiveness(self.temporal))
        await stack.enter_async_context(started(self.backend, runner))
        workers = [
            control_worker(self.temporal, executions, self.queue, settings),
            task_worker(self.temporal, runner, settings, slots=100, drain_seconds=0),
            Worker(
                self.temporal,
                task_queue=self.hand,
                workflows=[HandWritten],
                max_concurrent_workflow_tasks=WORKFLOW_SLOTS,
            ),
        ]
        for worker in workers:
            await stack.enter_async_context(worker)

    async def flytemp(self, shape: str, nodes: int) -> float:
        name = f"bench.{shape}_{nodes}"
        identifier = workflow_id(PROJECT, DOMAIN, f"b{uuid.uuid4().hex[:16]}")
        launch = {"launch_plan": f"wf:{PROJECT}:{DOMAIN}:{name}:{VERSION}"}
        began = time.perf_counter()
        handle = await self.temporal.start_workflow("FlytempWorkflow", launch, id=identifier, task_queue=self.queue)
        await handle.result()
        seconds = time.perf_counter() - began
        self.roots[name] = ExecutionLayout(
            self.temporal.namespace, identifier, handle.first_execution_run_id or ""
        ).root
        return seconds

    async def by_hand(self, shape: str, nodes: int) -> float:
        name = f"bench.{shape}_{nodes}"
        job = {"shape": shape, "nodes": nodes, "root": self.roots[name], "workflow": name, "queue": self.tasks}
        began = time.perf_counter()
        await self.temporal.execute_workflow(HandWritten.run, job, id=f"hand-{uuid.uuid4().hex}", task_queue=self.hand)
        return time.perf_counter() - began
