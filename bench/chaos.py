"""`just chaos`: executions on Kubernetes while workers, pods, the kubelet, the API server and connections fail at random.

The run uses a Temporal server, `flytemp worker` processes and the test cluster. Two nodes of some executions are Python tasks in
the task image; all other nodes are container tasks on simulated nodes of kwok. The pods created in etcd are compared with the
tries in the executions' records.

A second pod of a try is allowed, and counted, in one case: the first pod was deleted by another client before its runtime had
claimed the try, and its worker crashed before the first heartbeat that names the pod.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import os
import random
import re
import subprocess
import tempfile
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from flytemp.client import Client
from flytemp.client.handle import ExecutionHandle
from flytemp.layout import ExecutionLayout, RootLayout
from flytemp.records.models import Execution, Phase
from flytemp.store.object_store import ObjectStore
from infra.testcluster import Cluster, S3Server, images
from infra.testcluster.api import Refused
from infra.testcluster.archives import BUSYBOX_IMAGE
from infra.testcluster.errors import ClusterError
from infra.testcluster.kwok import LABELS, TOLERATION
from tests.activities.kubernetes.fault_proxy import Fault, FaultProxy
from tests.installation import Installation

SWEEP_SECONDS = 300.0
"""Time that the janitor may take to delete all pods. It ignores pods that are younger than a minute."""

FEW_PODS = 4

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Plan of a run: ``executions`` of ``nodes`` nodes each, ``at_once`` in parallel.

    Two nodes of each of the first ``real`` executions are Python tasks on the real node. The same ``seed`` makes the same
    choices, but not at the same times.
    """

    executions: int = 20
    nodes: int = 6
    real: int = 4
    at_once: int = 20
    workers: int = 2
    seed: int = 1
    each_once: bool = False  # one failure of each kind per round, instead of several of the cheap kinds


@dataclass
class Outcome:
    """Results of a run; ``problems`` is empty if all checks passed."""

    executions: int = 0
    pods_created: int = 0
    tries_recorded: int = 0
    tries_lost: int = 0
    seconds: float = 0.0
    made_again: int = 0
    swept: int = 0
    deeds: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def program(nodes: int) -> str:
    """Return the program: ``steps`` has container tasks, ``mixed`` has container tasks between two Python tasks."""
    return f"""
import time

from flytemp import ContainerTask, PodTemplate, task, workflow

STEP = ContainerTask(
    name="step", image={BUSYBOX_IMAGE!r}, command=["true"], annotations={{"testcluster/run-seconds": "2"}},
    pod_template=PodTemplate(pod_spec={{"nodeSelector": {LABELS!r}, "tolerations": [{TOLERATION!r}]}}),
)


@task
def begin(x: int) -> int:
    time.sleep(1)
    return 2 * x


@task
def finish(x: int) -> int:
    time.sleep(1)
    return x + 1


@workflow
def steps() -> None:
    first, *middle, last = [STEP() for _ in range({nodes})]
    for step in middle:
        first >> step
        step >> last


@workflow
def mixed(x: int) -> int:
    begun = begin(x=x)
    middle = [STEP() for _ in range({nodes - 2})]
    end = finish(x=begun)
    for step in middle:
        begun >> step
        step >> end
    return end
"""


class TransitionLog:
    """All pods created in a namespace, from a watch of etcd, which is never killed and loses no events."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._url = f"http://127.0.0.1:{cluster.settings.ports['etcd']}/v3/watch"
        self._prefix = f"/registry/pods/{namespace}/"
        self.created: Counter[str] = Counter()
        self.uids: dict[str, list[str]] = defaultdict(list)  # of created pods, in order
        self.present: set[str] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        ready = asyncio.Event()
        reading = asyncio.create_task(self._read(ready))
        try:
            await asyncio.wait([reading, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
            yield
            if reading.done():
                reading.result()
                raise RuntimeError("etcd ended the ledger's watch")
        finally:
            reading.cancel()

    async def _read(self, ready: asyncio.Event) -> None:
        end = self._prefix[:-1] + chr(ord(self._prefix[-1]) + 1)
        wanted = {"key": _base64(self._prefix), "range_end": _base64(end)}
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(timeout=timeout, read_bufsize=1 << 24) as session,
            session.post(self._url, json={"create_request": wanted}) as answer,
        ):
            async for line in answer.content:
                told = json.loads(line)["result"]
                ready.set()
                for event in told.get("events", ()):
                    self._note(event)

    def _note(self, event: dict[str, Any]) -> None:
        name = base64.b64decode(event["kv"]["key"]).decode().removeprefix(self._prefix)
        if event.get("type") == "DELETE":
            self.present.discard(name)
        else:
            self.present.add(name)
            if event["kv"]["version"] == "1":
                self.created[name] += 1
                self.uids[name].append(_uid(base64.b64decode(event["kv"]["value"])))


def _uid(stored: bytes) -> str:
    """Return the uid of a pod in etcd's protobuf form, in which name, namespace and uid are the first fields."""
    found = re.search(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", stored)
    assert found is not None
    return found[0].decode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Havoc:
    """Source of failures, one after the other; each round contains every kind at least once, in random order."""

    def __init__(self, chaos: Chaos, seed: int) -> None:
        self._chaos = chaos
        self._chance = random.Random(seed)
        self._faults: list[Fault] = []
        self.deleted: set[str] = set()
        self._deck: list[str] = []
        self._each_once = chaos.plan.each_once
        self._deeds: dict[str, tuple[int, Callable[[], Awaitable[None]]]] = {
            "worker killed": (4, self._kill_worker),
            "pod deleted": (6, self._delete_pod),
            "container killed": (2, self._kill_container),
            "watches cut": (3, self._cut),
            "requests disturbed": (6, self._disturb),
            "API server killed": (1, self._kill_api_server),
            "kubelet killed": (1, self._kill_kubelet),
        }

    async def wreak(self) -> None:
        """Cause failures until cancelled; a failure in progress is completed."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.3, 1.5))
            if not self._deck:
                self._deck = [deed for deed, (count, _) in self._deeds.items() for _ in range(1 if self._each_once else count)]
                self._chance.shuffle(self._deck)
            deed = self._deck.pop()
            deeds = self._chaos.outcome.deeds
            deeds[deed] = deeds.get(deed, 0) + 1
            self._chaos.say(deed)
            with contextlib.suppress(ClusterError):  # the API server may be down
                await _to_its_end(self._deeds[deed][1]())

    def calm(self) -> None:
        """Stop blocking requests."""
        for fault in self._faults:
            fault.end()

    async def _kill_worker(self) -> None:
        index = self._chance.randrange(self._chaos.plan.workers)
        if await asyncio.to_thread(self._chaos.is_worker_up, index):
            await asyncio.to_thread(self._chaos.replace_worker, index)

    async def _delete_pod(self) -> None:
        cluster, namespace = self._chaos.cluster, self._chaos.namespace
        found = (await asyncio.to_thread(cluster.api.get, f"/api/v1/namespaces/{namespace}/pods"))["items"]
        names = sorted(pod["metadata"]["name"] for pod in found)
        # Mostly spare the last pods, so that the run ends.
        if names and (len(names) > FEW_PODS or self._chance.random() < 0.2):
            grace = self._chance.choice(("", "?gracePeriodSeconds=0", "?gracePeriodSeconds=1"))
            name = self._chance.choice(names)
            self.deleted.add(name)
            self._chaos.say(f"pod deleted: {name}{grace}")
            path = f"/api/v1/namespaces/{namespace}/pods/{name}{grace}"
            await asyncio.to_thread(cluster.api.delete, path)

    async def _kill_container(self) -> None:
        """Kill a container of a pod on the real node; simulated pods have none."""
        cluster, namespace = self._chaos.cluster, self._chaos.namespace
        found = (await asyncio.to_thread(cluster.api.get, f"/api/v1/namespaces/{namespace}/pods"))["items"]
        statuses = [status for pod in found for status in pod["status"].get("containerStatuses") or ()]
        real = [status["containerID"] for status in statuses if status.get("containerID", "").startswith("containerd://")]
        if real:
            await asyncio.to_thread(cluster.kill_container, self._chance.choice(real))

    async def _cut(self) -> None:
        self._chaos.proxy.cut_watches()

    async def _disturb(self) -> None:
        proxy, chance = self._chaos.proxy, self._chance
        what = chance.choice(("refuse", "refuse", "lose", "late"))
        if what == "refuse":
            kind = chance.choice(("create", "get", "delete", "list", "watch", "log"))
            fault = proxy.refuse(kind, chance.choice((429, 500, 503)), times=chance.randint(1, 5))
        elif what == "lose":
            fault = proxy.lose_answer(chance.choice(("create", "delete", "get")), times=chance.randint(1, 3))
        else:
            fault = proxy.hold_answer(chance.choice(("create", "delete", "get")), times=chance.randint(1, 3))
            asyncio.get_running_loop().call_later(chance.uniform(0.5, 3), fault.end)
        self._faults.append(fault)

    async def _kill_api_server(self) -> None:
        cluster = self._chaos.cluster
        await asyncio.to_thread(cluster.kill_apiserver)
        await asyncio.sleep(self._chance.uniform(0, 3))
        await asyncio.to_thread(cluster.start_apiserver)

    async def _kill_kubelet(self) -> None:
        cluster = self._chaos.cluster
        await asyncio.to_thread(cluster.kill_kubelet)
        await asyncio.sleep(self._chance.choice((0.5, 2, 5, 16)))  # the node's pods are deleted after 13 s
        await asyncio.to_thread(cluster.start_kubelet)


async def _to_its_end(work: Awaitable[None]) -> None:
    """Complete a failure despite a cancellation, so that every killed part is restarted."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


class Chaos:
    """Run of a plan."""

    def __init__(
        self, plan: Plan, cluster: Cluster, namespace: str, installation: Installation, proxy: FaultProxy, say: Say
    ) -> None:
        self.plan = plan
        self.cluster = cluster
        self.namespace = namespace
        self.installation = installation
        self.proxy = proxy
        self.say = say
        self.outcome = Outcome()
        self._workers: list[subprocess.Popen[bytes]] = []

    async def run(self, source: Path) -> Outcome:
        began = time.monotonic()
        self._workers = [self.installation.start_worker() for _ in range(self.plan.workers)]
        client = await self.installation.client()
        await client.register(source, version="chaos")
        ledger = TransitionLog(self.cluster, self.namespace)
        havoc = Havoc(self, self.plan.seed)
        async with ledger.open():
            wreaking = asyncio.create_task(havoc.wreak())
            room = asyncio.Semaphore(self.plan.at_once)
            running = asyncio.gather(*(self._execute(client, number, room) for number in range(self.plan.executions)))
            try:
                either: list[asyncio.Future[Any]] = [running, wreaking]
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if wreaking.done():
                    wreaking.result()
                executions = await running
            finally:
                wreaking.cancel()
                await asyncio.gather(wreaking, return_exceptions=True)
                havoc.calm()
            self.outcome.seconds = round(time.monotonic() - began, 1)
            await self._sweep(ledger)
            self._compare(executions, ledger, havoc.deleted, client.store)
        return self.outcome

    def is_worker_up(self, index: int) -> bool:
        """Return whether a worker has started or the run has ended, so that workers are not killed during each start."""
        if self._workers[index].poll() is not None:
            return True
        number = self.installation.workers.index(self._workers[index])
        return " polling " in (self.installation.folder / f"worker-{number}.log").read_text(errors="replace")

    def replace_worker(self, index: int) -> None:
        worker = self._workers[index]
        worker.kill()
        worker.wait()
        self._workers[index] = self.installation.start_worker()

    async def _execute(self, client: Client, number: int, room: asyncio.Semaphore) -> Execution:
        is_real = number < self.plan.real
        async with room:
            handle: ExecutionHandle[Any] = await client.launch(
                "mixed" if is_real else "steps", inputs={"x": number} if is_real else {}, name=f"chaos-{number}", version="chaos"
            )
            execution = await handle.wait()
        expected = {"o0": 2 * number + 1} if is_real else {}
        if execution.phase is not Phase.SUCCEEDED or (execution.outputs or {}) != expected:
            error = execution.error.message if execution.error is not None else ""
            self._wrong(f"{execution.name}: {execution.phase}, outputs {execution.outputs}, expected {expected} {error}")
        self.outcome.executions += 1
        self.say(f"{execution.name} {execution.phase}")
        return execution

    async def _sweep(self, ledger: TransitionLog) -> None:
        """Wait until the workers have finished and the janitor has deleted the other pods."""
        end = time.monotonic() + SWEEP_SECONDS
        while ledger.present and time.monotonic() < end:
            done = await asyncio.to_thread(self.installation.flytemp, "janitor", "-o", "json")
            self.outcome.swept += len(json.loads(done.stdout or "[]"))
            await asyncio.sleep(2)
        for name in sorted(ledger.present):
            self._wrong(f"left behind: pod {name}")

    def _compare(self, executions: list[Execution], ledger: TransitionLog, deleted: set[str], store: ObjectStore) -> None:
        """Check that each recorded try has a pod, each pod a recorded try, and that no pod was created after a claim."""
        created: Counter[str] = Counter()
        for name, times in ledger.created.items():
            created[name.rpartition("-")[2]] += times
        tries = {digest: (what, claim) for execution in executions for digest, what, claim in _tries(execution)}
        recorded = {digest: what for digest, (what, _) in tries.items()}
        self.outcome.pods_created, self.outcome.tries_recorded = created.total(), len(recorded)
        for execution in executions:
            for node in execution.nodes:
                self.outcome.tries_lost += sum(attempt.tries - 1 for attempt in node.attempt_history)
                if node.attempts != 1:
                    self._wrong(f"{execution.name}, {node.id}: {node.attempts} attempts; a lost try cost one of the user's")
        for digest in recorded.keys() - created.keys():
            self._wrong(f"no pod was ever created for {recorded[digest]}")
        for name, times in sorted(ledger.created.items()):
            if name.rpartition("-")[2] not in recorded:
                self._wrong(f"no try was recorded for pod {name}")
            if times > 1 and name in deleted:
                self.outcome.made_again += times - 1
                claim = store.read_or_none(tries[name.rpartition("-")[2]][1]) if name.rpartition("-")[2] in tries else None
                if claim is not None and json.loads(claim)["owner"] in ledger.uids[name][:-1]:
                    self._wrong(f"created again after its claim: pod {name}")
            elif times > 1:
                self._wrong(f"created {times} times: pod {name}")

    def _wrong(self, problem: str) -> None:
        self.say(f"WRONG: {problem}")
        self.outcome.problems.append(problem)


def _tries(execution: Execution) -> Iterator[tuple[str, str, str]]:
    """Return the recorded tries: digest in the pod's name (see `kubernetes.names`), description, and claim."""
    assert execution.run_id is not None
    root = ExecutionLayout(execution.namespace, execution.workflow_id, execution.run_id).root
    for node in execution.nodes:
        for attempt in node.attempt_history:
            for number in range(1, attempt.tries + 1):
                key = f"{root}/{node.id}/{attempt.attempt}/{number}"
                told = f"{execution.name}, {node.id}, attempt {attempt.attempt}, try {number}"
                claim = RootLayout(root).claim(node.id, str(attempt.attempt), number)
                yield hashlib.sha256(key.encode()).hexdigest()[:12], told, claim


async def run(plan: Plan, cluster: Cluster, s3: S3Server, image: str, folder: Path, say: Say) -> Outcome:
    """Run the plan. The environment must contain the variables of the S3 server that has the store."""
    namespace = f"chaos-{uuid.uuid4().hex[:8]}"
    cluster.create_namespace(namespace)
    cluster.add_kwok_nodes(2, prefix=namespace)
    source = folder / "project" / "chaos_program.py"
    source.parent.mkdir(parents=True)
    source.write_text(program(plan.nodes))
    home = folder / "installation"
    installation = Installation.start(home)
    try:
        async with FaultProxy(cluster.server, cluster.ca_file, cluster.token) as proxy:
            installation.variables = {
                **s3.environment,
                "FLYTEMP_STORE": f"s3://{s3.bucket}/{namespace}",
                "FLYTEMP_WORKER_BACKEND": "kubernetes",
                "FLYTEMP_WORKER_MAX_SYSTEM_TRIES": "50",
                "FLYTEMP_KUBERNETES_NAMESPACE": namespace,
                "FLYTEMP_KUBERNETES_IMAGE": image,
                "FLYTEMP_KUBERNETES_KUBECONFIG": str(proxy.write_kubeconfig(folder / "kubeconfig")),
                "FLYTEMP_KUBERNETES_POLICY": str(_write_policy(folder / "policy.toml", s3)),
            }
            await asyncio.to_thread(installation.flytemp, "setup")
            return await Chaos(plan, cluster, namespace, installation, proxy, say).run(source)
    finally:
        await asyncio.to_thread(installation.stop)
        cluster.start_apiserver()
        cluster.start_kubelet()
        cluster.remove_kwok_nodes(namespace)
        with contextlib.suppress(Refused):
            cluster.delete_namespace(namespace)


def _write_policy(path: Path, s3: S3Server) -> Path:
    variables = "".join(f"{name} = {json.dumps(value)}\n" for name, value in s3.environment.items())
    path.write_text(f'defaults = {{cpu = "500m", memory = "256Mi"}}\n\n[environment]\n{variables}')
    path.chmod(0o600)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="just chaos", description=__doc__)
    parser.add_argument("--executions", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=10, help="of each execution")
    parser.add_argument("--real", type=int, default=20, help="executions of which two nodes run on the real node")
    parser.add_argument("--at-once", type=int, default=40, help="executions in flight")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where logs stay; a temporary one by default")
    chosen = parser.parse_args()
    plan = Plan(chosen.executions, chosen.nodes, min(chosen.real, chosen.executions), chosen.at_once, seed=chosen.seed)
    cluster = Cluster.start()
    with contextlib.ExitStack() as stack:
        folder = chosen.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        s3 = S3Server.start(folder / "s3", address=cluster.bridge_ip)
        stack.callback(s3.stop)
        os.environ.update(s3.environment)
        began = time.monotonic()
        say: Say = lambda text: print(f"{time.monotonic() - began:7.1f} {text}", flush=True)  # noqa: E731
        outcome = asyncio.run(run(plan, cluster, s3, images.task_image(cluster), folder, say))
    print(json.dumps(asdict(outcome), indent=2))
    raise SystemExit(1 if outcome.problems else 0)


if __name__ == "__main__":
    main()
