"""`just bench-k8s`: cost of the Kubernetes backend for pods that run a second on kwok's nodes; see README.md.

Each figure stands beside that of a bare loop of the same run: create a pod, watch it end, create the next; or POSTs in parallel.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowHandle

from bench.runtime_start import runtime_start
from flytemp.names import workflow_id
from flytemp.registry import Registry
from flytemp.spec.models import ContainerSpec, Interface, NodeSpec, TaskSettings, TaskSpec, WorkflowDocument, WorkflowSpec
from flytemp.store import open_store
from flytemp.temporal.search_attributes import add_search_attributes
from flytemp_activities.kubernetes.api import ApiError, KubernetesApi
from flytemp_worker.devserver import start_dev_server
from infra.testcluster import Cluster

PROJECT, DOMAIN, VERSION, QUEUE = "default", "development", "bench", "bench"
KWOK = {"nodeSelector": {"type": "kwok"}, "tolerations": [{"operator": "Exists"}]}
PARALLEL_POSTS = 32


@dataclass(frozen=True)
class Row:
    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None


def document(name: str, nodes: int, *, chained: bool, seconds: int) -> WorkflowDocument:
    """Return a document of container tasks without inputs and outputs; ``chained``: each waits for the previous one."""
    settings = TaskSettings(annotations={"testcluster/run-seconds": str(seconds)})
    step = TaskSpec(
        kind="container", name="step", interface=Interface(), loader="", settings=settings,
        container=ContainerSpec(image="nothing:1", command=("true",)),
    )  # fmt: skip
    specs = tuple(
        NodeSpec(id=f"n{n}", kind="task", target="step", after=(f"n{n - 1}",) if chained and n else ()) for n in range(nodes)
    )
    root = WorkflowSpec(name=name, interface=Interface(), nodes=specs)
    return WorkflowDocument(name=name, workflows={name: root}, tasks={"step": step})


class Watcher:
    """Watcher that records the creation of each pod of a namespace and the end of its container."""

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api, self._path = api, f"/api/v1/namespaces/{namespace}/pods"
        self.added: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        version = (await self._api.request("GET", self._path))["metadata"]["resourceVersion"]
        self._task = asyncio.create_task(self._watch(version))

    async def _watch(self, version: str) -> None:
        while True:
            try:
                parameters = {"resourceVersion": version, "allowWatchBookmarks": "true"}
                async for event in self._api.watch(self._path, parameters, silence_seconds=600):
                    version = event["object"]["metadata"]["resourceVersion"]
                    self._take(event["type"], event["object"], time.time())
                    async with self.changed:
                        self.changed.notify_all()
            except ApiError:
                continue

    def _take(self, kind: str, pod: dict[str, Any], at: float) -> None:
        if kind == "BOOKMARK":
            return
        name = pod["metadata"]["name"]
        self.added.setdefault(name, at)
        statuses = pod["status"].get("containerStatuses") or ()
        if any("terminated" in (status.get("state") or {}) for status in statuses):
            self.ended.setdefault(name, at)

    def reset(self) -> None:
        self.added, self.ended = {}, {}

    def gaps(self) -> list[float]:
        """Return the seconds from the end of each pod to the creation of the next."""
        names = sorted(self.added, key=lambda name: self.added[name])
        return [self.added[after] - self.ended[before] for before, after in itertools.pairwise(names)]

    def rate(self) -> float:
        """Return the number of pods created per second."""
        times = sorted(self.added.values())
        return (len(times) - 1) / (times[-1] - times[0])

    async def until(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.added) >= count)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


class Bench:
    """Temporal server, worker processes, and a namespace on the test cluster."""

    def __init__(
        self, cluster: Cluster, namespace: str, api: KubernetesApi, temporal: TemporalClient, workers: list[int]
    ) -> None:
        self.cluster, self.namespace, self.api, self.temporal, self.workers = cluster, namespace, api, temporal, workers
        self.watcher = Watcher(api, namespace)

    async def launch(self, name: str) -> WorkflowHandle[Any, Any]:
        launch = {"launch_plan": f"wf:{PROJECT}:{DOMAIN}:{name}:{VERSION}", "options": {"max_parallelism": 0}}
        identifier = workflow_id(PROJECT, DOMAIN, f"b{uuid.uuid4().hex[:16]}")
        return await self.temporal.start_workflow("FlytempWorkflow", launch, id=identifier, task_queue=QUEUE)

    def cpu(self) -> float:
        """Return the CPU seconds of the worker processes."""
        fields = [Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split() for worker in self.workers]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Return the memory of the worker processes in MiB."""
        pages = sum(int(Path(f"/proc/{worker}/statm").read_text().split()[1]) for worker in self.workers)
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    async def empty(self) -> None:
        """Wait until the namespace has no pods."""
        while (await self.api.request("GET", f"/api/v1/namespaces/{self.namespace}/pods", parameters={"limit": "1"}))["items"]:
            await asyncio.sleep(0.2)

    # --------------------------------------------------------------------------------------- measurements

    async def chain(self, nodes: int, seconds: int) -> list[Row]:
        await self._bare_chain(nodes, seconds)
        bare = self.watcher.gaps()
        await self.empty()
        self.watcher.reset()
        await (await self.launch(f"chain{nodes}")).result()
        ours = self.watcher.gaps()
        await self.empty()
        self.watcher.reset()
        p50, reference = statistics.median(ours) * 1000, statistics.median(bare) * 1000
        return [
            Row("chain: pod end to next pod, p50", round(p50, 1), "ms", round(reference, 1), round(p50 / reference, 1)),
            Row("chain: pod end to next pod, max", round(max(ours) * 1000, 1), "ms", round(max(bare) * 1000, 1)),
        ]

    async def _bare_chain(self, nodes: int, seconds: int) -> None:
        for number in range(nodes):
            name = f"bare-{number}"
            await self._create(name, seconds)
            async with self.watcher.changed:
                await self.watcher.changed.wait_for(lambda name=name: name in self.watcher.ended)
        await self._delete_bare()

    async def _create(self, name: str, seconds: int) -> None:
        container = {"name": "primary", "image": "nothing:1", "command": ["true"]}
        pod = {
            "metadata": {"name": name, "labels": {"bare": "yes"}, "annotations": {"testcluster/run-seconds": str(seconds)}},
            "spec": {**KWOK, "containers": [container], "restartPolicy": "Never"},
        }
        await self.api.request("POST", f"/api/v1/namespaces/{self.namespace}/pods", body=pod)

    async def _delete_bare(self) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        await self.api.request("DELETE", path, parameters={"labelSelector": "bare=yes", "gracePeriodSeconds": "0"})

    async def fan_out(self, nodes: int, seconds: int) -> list[Row]:
        slots = asyncio.Semaphore(PARALLEL_POSTS)

        async def post(number: int) -> None:
            async with slots:
                await self._create(f"bare-{number}", seconds)

        await asyncio.gather(*(post(number) for number in range(nodes)))
        await self.watcher.until(nodes)
        bare = self.watcher.rate()
        await self._delete_bare()
        await self.empty()
        self.watcher.reset()
        since, cpu = datetime.now(UTC), self.cpu()
        launched = time.time()
        handle = await self.launch(f"fan{nodes}")
        await self.watcher.until(nodes)
        first, rate = min(self.watcher.added.values()) - launched, self.watcher.rate()
        await handle.result()
        await self.empty()
        spent = self.cpu() - cpu
        asked = await asyncio.to_thread(self.cluster.requests, since, "flytemp")
        watches = sum(count for what, count in asked.items() if what.startswith(("watch", "list")))
        self.watcher.reset()
        return [
            Row("fan-out: pods created per second", round(rate, 1), "1/s", round(bare, 1), round(rate / bare, 2)),
            Row("fan-out: launch to first pod", round(first * 1000), "ms"),
            Row("fan-out: own API requests per pod", round((sum(asked.values()) - watches) / nodes, 2), ""),
            Row("fan-out: worker CPU per pod", round(spent / nodes * 1000, 1), "ms"),
        ]

    async def in_flight(self, executions: int, nodes: int) -> list[Row]:
        """Measure the number of pods in flight and the workers' memory per pod."""
        before = self.memory()
        handles = [await self.launch(f"long{nodes}") for _ in range(executions)]
        await self.watcher.until(executions * nodes)
        await asyncio.sleep(10)
        cpu = self.cpu()
        await asyncio.sleep(10)
        idle, each = (self.cpu() - cpu) / 10, (self.memory() - before) / (executions * nodes)
        for handle in handles:
            await handle.cancel()
        await asyncio.gather(*(handle.result() for handle in handles), return_exceptions=True)
        await self.empty()
        return [
            Row("pods in flight", executions * nodes, ""),
            Row("memory per pod in flight", round(each * 1024, 1), "KiB"),
            Row("worker's CPU while they run", round(idle * 100, 1), "% of a core"),
        ]


def start_worker(folder: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    log = (folder / "worker.log").open("ab")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("FLYTEMP_", "TEMPORAL_"))}
    worker = subprocess.Popen(
        [sys.executable, "-m", "flytemp_cli", "worker"], cwd=folder, env={**plain, **variables}, stdout=log, stderr=log
    )
    log.close()
    return worker


async def measure(folder: Path, arguments: argparse.Namespace) -> list[Row]:
    cluster = await asyncio.to_thread(Cluster.start)
    namespace = f"bench-{uuid.uuid4().hex[:8]}"
    cluster.create_namespace(namespace)
    prefix = f"bench-{uuid.uuid4().hex[:6]}"
    await asyncio.to_thread(cluster.add_kwok_nodes, 2, prefix=prefix)
    server = await asyncio.to_thread(start_dev_server, db=folder / "t.db", port=0, ui_port=None, log=folder / "t.log", tuned=True)
    policy = folder / "policy.toml"
    policy.write_text(
        'node_selector = {type = "kwok"}\ntolerations = [{operator = "Exists"}]\ndefaults = {cpu = "1m", memory = "1Mi"}\n'
    )
    workers: list[subprocess.Popen[bytes]] = []
    try:
        temporal = await TemporalClient.connect(server.address)
        await add_search_attributes(temporal)
        store = open_store(str(folder / "store"))
        long = arguments.flight // max(1, arguments.executions)
        documents = [
            document(f"chain{arguments.chain}", arguments.chain, chained=True, seconds=1),
            document(f"fan{arguments.fan}", arguments.fan, chained=False, seconds=2),
            document(f"long{long}", long, chained=False, seconds=3600),
        ]
        Registry(store).register(documents, project=PROJECT, domain=DOMAIN, version=VERSION)
        variables = {
            "TEMPORAL_ADDRESS": server.address, "FLYTEMP_STORE": str(folder / "store"), "FLYTEMP_TASK_QUEUE": QUEUE,
            "FLYTEMP_WORKER_BACKEND": "kubernetes", "FLYTEMP_KUBERNETES_KUBECONFIG": str(cluster.kubeconfig),
            "FLYTEMP_KUBERNETES_NAMESPACE": namespace, "FLYTEMP_KUBERNETES_POLICY": str(policy),
            "FLYTEMP_KUBERNETES_PODS": str(max(arguments.flight, arguments.fan)), "FLYTEMP_WORKER_METRICS_ADDRESS": "127.0.0.1:0",
            "FLYTEMP_WORKER_MAX_IN_FLIGHT": "1000",
        }  # fmt: skip
        workers += [start_worker(folder, variables) for _ in range(arguments.workers)]
        async with await KubernetesApi.connect(str(cluster.kubeconfig), agent="bench") as api:
            bench = Bench(cluster, namespace, api, temporal, [worker.pid for worker in workers])
            await bench.watcher.start()
            start, imports = await asyncio.to_thread(runtime_start, folder)
            rows = [
                Row("runtime: interpreter start to the user's function", round(start * 1000), "ms"),
                Row("runtime: flytemp's own imports, of that", round(imports * 1000), "ms", ratio=round(imports / start, 2)),
            ]
            rows += await bench.chain(arguments.chain, 1)
            rows += await bench.fan_out(arguments.fan, 2)
            if arguments.flight:
                rows += await bench.in_flight(arguments.executions, long)
            await bench.watcher.close()
            return rows
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(60)
        await asyncio.to_thread(server.stop)
        cluster.delete_namespace(namespace)
        await asyncio.to_thread(cluster.remove_kwok_nodes, prefix)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chain", type=int, default=20, help="pods one after the other")
    parser.add_argument("--fan", type=int, default=1_000, help="pods at once")
    parser.add_argument("--flight", type=int, default=5_000, help="pods that one worker looks after; 0 to leave it out")
    parser.add_argument("--executions", type=int, default=5, help="that they belong to")
    parser.add_argument("--workers", type=int, default=1, help="worker processes, of which each may run any task")
    parser.add_argument("--output", type=Path, default=Path("bench-k8s-results.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flytemp-bench-") as temporary:
        rows = asyncio.run(measure(Path(temporary), arguments))
    table = Table("figure", "value", "unit", "bare loop", "ratio")
    for row in rows:
        table.add_row(row.name, str(row.value), row.unit, str(row.reference or ""), str(row.ratio or ""))
    Console(width=120).print(table)
    arguments.output.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
