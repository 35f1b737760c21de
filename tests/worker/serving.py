"""The interpreter on a real server, with a worker and a backend in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from temporalio.worker import Worker

from flytemp.client import Client
from flytemp.compiler import compile_entity
from flytemp.config import load_settings
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.registry import Registry
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import Backend, HeartbeatDetails, Report, TaskLost, TryKey, key_of
from flytemp_activities.executions import Executions
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import control_parts, task_parts
from flytemp_worker.devserver import DevServer
from flytemp_worker.workflow.received import OneArgumentRunner
from tests.backend_without_resources import BackendWithoutResources

VERSION = "v1"


class ThreadBackend(BackendWithoutResources):
    """Runs tries with the real runtime, each in a thread of this process. A killed try is only abandoned."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._runs: dict[TryKey, asyncio.Future[TaskResult]] = {}
        self.most = 0  # tries that ran at once
        self.started: list[str] = []

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        key = key_of(invocation)
        if key not in self._runs:
            self._runs[key] = asyncio.get_running_loop().create_future()
            self.started.append(invocation.node)
            threading.Thread(target=self._work, args=(key, invocation, asyncio.get_running_loop()), daemon=True).start()
        self.most = max(self.most, len(self.running()))
        return await asyncio.shield(self._runs[key])

    def _work(self, key: TryKey, invocation: Invocation, loop: asyncio.AbstractEventLoop) -> None:
        options = ExecutionOptions(change_directory=False)
        result = execute(invocation, self._store, owner="test", options=options)
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._done, key, result)

    def _done(self, key: TryKey, result: TaskResult | None) -> None:
        run = self._runs.get(key)
        if run is not None and not run.done():
            if result is None:
                run.set_exception(TaskLost("claimed before"))
            else:
                run.set_result(result)

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        asyncio.create_task(self.run(invocation, resumed=False, report=lambda state: None))  # noqa: RUF006 - the thread goes on
        await asyncio.sleep(0)
        return True

    def release(self, invocation_key: TryKey) -> None:
        raise AssertionError("no other worker has the activity")

    async def kill(self, invocation_key: TryKey) -> None:
        run = self._runs[invocation_key]
        if not run.done():
            run.set_exception(TaskLost("killed"))

    def running(self) -> set[TryKey]:
        return {key for key, run in self._runs.items() if not run.done()}


async def connect(server: DevServer, folder: Path, entities: Iterable[Any]) -> Client:
    """Return a client with its own store and task queue, in which the entities are registered."""
    environ = {
        "TEMPORAL_ADDRESS": server.address, "FLYTEMP_STORE": str(folder / "store"), "FLYTEMP_TASK_QUEUE": uuid.uuid4().hex,
    }  # fmt: skip
    client = await Client.connect(load_settings(folder, environ=environ))
    documents = [compile_entity(entity) for entity in entities]
    Registry(client.store).register(documents, project="default", domain="development", version=VERSION)
    return client


@contextlib.asynccontextmanager
async def serving(client: Client, backend: Backend, **settings: Any) -> AsyncIterator[None]:
    """Run a worker for the interpreter, control activities and tasks on one queue."""
    queue = client.settings.task_queue
    resolved = ExecutionSettings(task_queue=queue, **{"heartbeat_seconds": 2, "drain_seconds": 0.2, **settings})
    executions = Executions(client.store)
    control = control_parts(executions, client.temporal, resolved)
    tasks = task_parts(TaskRunner(executions, backend, WorkflowLiveness(client.temporal)))
    async with Worker(
        client.temporal,
        task_queue=queue,
        workflows=control.workflows,
        activities=[*control.activities, *tasks.activities],
        unsandboxed_workflow_runner=OneArgumentRunner(),
    ):
        yield
