"""`just scale`: large executions, run to their end and cancelled in the middle; see README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from failed_tasks import is_asked_again, is_failed_task
from rich.console import Console
from rich.table import Table
from scale_programs import CODE, chain, dynamic, fan, mapped, nested, random_graph
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle

from flytemp.bundle import pack, store_bundle
from flytemp.names import workflow_id
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.registry import Registry
from flytemp.runtime.execute import execute
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.spec.models import WorkflowDocument
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.search_attributes import add_search_attributes
from flytemp_activities.backend import HeartbeatDetails, Report
from flytemp_activities.executions import Executions
from flytemp_activities.noop import NoopBackend
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import control_worker, task_worker
from flytemp_worker.devserver import start_dev_server
from flytemp_worker.serve import spare_garbage_collection

PROJECT, DOMAIN, VERSION = "default", "development", "scale"
QUEUE, TASKS = "scale", "scale-tasks"
SMALL_RUNS = 4


@dataclass(frozen=True)
class Case:
    """Measurement with ``large`` and ``small`` numbers of nodes; ``document`` and ``inputs`` return workflow and inputs."""

    name: str
    small: int
    large: int
    document: Callable[[int], WorkflowDocument]
    inputs: Callable[[int], dict[str, Any]] = lambda nodes: {}
    nodes_per: int = 1


CASES = (
    Case("chain", 300, 10_000, chain),
    Case("random DAG", 1_000, 10_000, random_graph),
    Case("fan-out", 1_000, 10_000, fan),
    Case("map", 1_000, 100_000, lambda _: mapped(), lambda nodes: {"xs": list(range(nodes))}),
    Case("dynamic", 1_000, 20_000, dynamic),
    Case("nested sub-workflows", 10, 50, nested, nodes_per=3),
)


@dataclass
class Row:
    name: str
    nodes: int
    seconds: float
    ms_per_node: float
    ratio: float | None = None  # relative to the small size of the same run
    runs: int = 0
    workflows: int = 0
    longest_history: int = 0
    failed_workflow_tasks: int = 0
    asked_again: int = 0  # workflow tasks repeated because of a signal during continue-as-new
    cancelled_after_seconds: float | None = None  # from the request to the end
    left_running: int | None = None


class ScaleBackend(NoopBackend):
    """Backend that returns results at once; only dynamic tasks run."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        if invocation.task.kind != "dynamic":
            return TaskResult(status="succeeded", outputs={"o0": 0})
        made = await asyncio.to_thread(execute, invocation, self._store, owner="scale")
        assert made is not None
        return made


class Scale:
    """Server with one worker."""

    def __init__(self, temporal: TemporalClient, store: ObjectStore) -> None:
        self.temporal = temporal
        self.store = store

    async def start(self, case: Case, nodes: int) -> WorkflowHandle[Any, Any]:
        document = case.document(nodes)
        inputs = case.inputs(nodes)
        key = f"uploads/{uuid.uuid4().hex}.json"
        self.store.write(key, json.dumps(inputs).encode())
        launch = {"launch_plan": f"wf:{PROJECT}:{DOMAIN}:{document.name}:{VERSION}", "inputs_uri": self.store.uri_of(key)}
        identifier = workflow_id(PROJECT, DOMAIN, f"s{uuid.uuid4().hex[:16]}")
        return await self.temporal.start_workflow("FlytempWorkflow", launch, id=identifier, task_queue=QUEUE)

    async def run(self, case: Case, nodes: int) -> tuple[float, WorkflowHandle[Any, Any]]:
        began = time.perf_counter()
        handle = await self.start(case, nodes)
        await handle.result()
        return time.perf_counter() - began, handle

    async def inspect(self, handle: WorkflowHandle[Any, Any], row: Row) -> None:
        """Add the numbers of runs, workflows and failed workflow tasks, and the longest history."""
        await asyncio.sleep(2)  # visibility is updated with a delay
        query = f'WorkflowId STARTS_WITH "{handle.id}"'
        found = [execution async for execution in self.temporal.list_workflows(query)]
        row.runs, row.workflows = len(found), len({execution.id for execution in found})
        row.longest_history = max(execution.history_length for execution in found)
        parts = [execution for execution in found if execution.id != handle.id]
        for execution in [*(e for e in found if e.id == handle.id), *parts[::10]]:
            history = self.temporal.get_workflow_handle(execution.id, run_id=execution.run_id)
            async for event in history.fetch_history_events():
                if is_failed_task(event):
                    row.failed_workflow_tasks += 1
                    print(execution.id, event, file=sys.stderr)
                row.asked_again += is_asked_again(event)

    async def cancel(self, case: Case, nodes: int, after: float, row: Row) -> None:
        """Cancel another execution of the size in the middle."""
        handle = await self.start(case, nodes)
        await asyncio.sleep(after)
        began = time.perf_counter()
        await handle.cancel()
        try:
            await handle.result()
        except WorkflowFailureError:
            row.cancelled_after_seconds = round(time.perf_counter() - began, 1)
        await asyncio.sleep(2)
        query = f'WorkflowId STARTS_WITH "{handle.id}" AND ExecutionStatus = "Running"'
        row.left_running = len([1 async for _ in self.temporal.list_workflows(query)])
        assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED


async def measure(cases: list[Case], folder: Path, part: float, cancel: bool) -> list[Row]:
    spare_garbage_collection()  # like the worker's process
    server = await asyncio.to_thread(
        start_dev_server, db=folder / "scale.db", port=0, ui_port=None, log=folder / "scale.log", tuned=True
    )
    try:
        temporal = await TemporalClient.connect(server.address)
        await add_search_attributes(temporal)
        store = open_store(str(folder / "store"))
        _register(store, folder, cases, part)
        settings = ExecutionSettings(task_queue=TASKS, max_parallelism=0, continue_as_new_events=7_500)
        executions = Executions(store)
        runner = TaskRunner(executions, ScaleBackend(store), WorkflowLiveness(temporal))
        async with AsyncExitStack() as stack:
            for worker in (
                control_worker(temporal, executions, QUEUE, settings),
                task_worker(temporal, runner, settings, slots=100, drain_seconds=0),
            ):
                await stack.enter_async_context(worker)
            return await _measure(Scale(temporal, store), cases, part, cancel)
    finally:
        await asyncio.to_thread(server.stop)


def _size(case: Case, part: float) -> int:
    return max(case.small, round(case.large * part))


async def _measure(scale: Scale, cases: list[Case], part: float, cancel: bool) -> list[Row]:
    """Measure the small size before and after the large one, because the machine's speed varies."""
    rows: list[Row] = []
    for case in cases:
        await scale.run(case, case.small)
        nodes = _size(case, part)
        around = [(await scale.run(case, case.small))[0] for _ in range(SMALL_RUNS)]
        seconds, handle = await scale.run(case, nodes)
        around += [(await scale.run(case, case.small))[0] for _ in range(SMALL_RUNS)]
        small = median(around) / (case.small * case.nodes_per)
        each = seconds / (nodes * case.nodes_per)
        row = Row(case.name, nodes, round(seconds, 1), round(each * 1000, 2), round(each / small, 2))
        await scale.inspect(handle, row)
        if cancel:
            await scale.cancel(case, nodes, min(seconds / 2, 20), row)
        rows.append(row)
        show([row])
    return rows


def _register(store: ObjectStore, folder: Path, cases: list[Case], part: float) -> None:
    code = folder / "code"
    code.mkdir(exist_ok=True)
    (code / "scale_tasks.py").write_text(CODE)
    bundle = pack(code)
    store_bundle(store, bundle)
    documents = {
        document.name: document.model_copy(update={"bundle": bundle.ref})
        for case in cases
        for document in (case.document(case.small), case.document(_size(case, part)))
    }
    Registry(store).register(list(documents.values()), project=PROJECT, domain=DOMAIN, version=VERSION)


def show(rows: list[Row]) -> None:
    table = Table(*asdict(rows[0]))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in asdict(row).values()))
    Console(width=200).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="cases whose names have this in them")
    parser.add_argument("--part", type=float, default=1.0, help="of the full size")
    parser.add_argument("--no-cancel", action="store_true", help="do not cancel one of each in the middle as well")
    parser.add_argument("--output", type=Path, default=Path("scale-results.json"))
    arguments = parser.parse_args()
    cases = [case for case in CASES if not arguments.only or arguments.only in case.name]
    with tempfile.TemporaryDirectory(prefix="flytemp-scale-") as temporary:
        rows = asyncio.run(measure(cases, Path(temporary), arguments.part, not arguments.no_cancel))
    show(rows)
    arguments.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
