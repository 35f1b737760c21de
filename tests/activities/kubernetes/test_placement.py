"""Requests of tasks and operators on a cluster: spot nodes, memory, named templates, service accounts, limits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from flytemp.pods.rules import PodLists
from flytemp.registry.platform_limits import read_limits
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import AcceleratorSpec, ResourceAmounts, ResourceSpec, Retries
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure, TaskLost, key_of
from flytemp_activities.kubernetes.policy import Interruptible, Memory
from infra.testcluster import Cluster
from infra.testcluster.archives import BUSYBOX_IMAGE
from tests.activities.kubernetes.conftest import Bench, StartBackend
from tests.activities.kubernetes.kwok_pods import FOR_LONG, node, of_kwok, policy, program, task_image
from tests.sdk.runtime.project import Project

pytestmark = pytest.mark.kubernetes

__all__ = ["node", "policy", "program", "task_image"]  # fixtures

SHORT = {"testcluster/run-seconds": "1"}


@pytest.fixture
def spot(own_cluster: Cluster, namespace: str, node: str) -> str:
    """A node that only interruptible pods tolerate."""
    labels = {"testcluster/of": namespace, "testcluster/spot": "yes"}
    (name,) = own_cluster.add_kwok_nodes(1, prefix=namespace, labels=labels)
    own_cluster.kubectl("taint", "node", name, "testcluster/spot=yes:NoSchedule")
    return name


def command(
    program: Project, attempt: int = 1, try_: int = 1, *, annotations: dict[str, str] = SHORT, **settings: Any
) -> Invocation:
    """Return the invocation of a try of an attempt."""
    return of_kwok(program, annotations, **settings).model_copy(update={"attempt": attempt, "try_": try_})


async def its_pod(cluster: Cluster, namespace: str, bench: Bench) -> dict[str, Any]:
    name = (await bench.reported(phase="running"))["pod"]
    text = await asyncio.to_thread(cluster.kubectl, "get", "pod", "-n", namespace, name, "-o", "json")
    found: dict[str, Any] = json.loads(text)
    return found


# ----------------------------------------------------------------------------------- interruptible


SPOT = Interruptible(
    node_selector={"testcluster/spot": "yes"}, tries=2,
    tolerations=({"key": "testcluster/spot", "operator": "Exists", "effect": "NoSchedule"},),
)  # fmt: skip


@pytest.mark.parametrize(
    ("attempt", "try_", "on_spot"),
    [(1, 1, True), (1, 2, True), (1, 3, False), (2, 1, False)],
    ids=["first try", "second try", "taken away twice", "last attempt"],
)
async def test_interruptible_task_runs_on_spot_nodes_except_its_last_attempt(
    start_backend: StartBackend, program: Project, spot: str, node: str, attempt: int, try_: int, on_spot: bool
) -> None:
    bench = await start_backend(interruptible=SPOT)
    invocation = command(program, attempt, try_, interruptible=True, retries=Retries(count=1))
    assert (await bench.run(invocation)).status == "succeeded"
    assert (await bench.reported(phase="running"))["node"] == (spot if on_spot else node)


async def test_lost_spot_node_is_charged_to_the_platform(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str, spot: str, node: str
) -> None:
    bench = await start_backend(interruptible=SPOT)
    running = bench.start(command(program, interruptible=True, annotations=FOR_LONG))
    assert (await bench.reported(phase="running"))["node"] == spot
    own_cluster.kubectl("delete", "node", spot)
    own_cluster.kubectl("delete", "pod", "-n", namespace, "--all", "--grace-period=0", "--force")
    with pytest.raises(SystemFailure) as caught:
        await running
    assert caught.value.error.code in ("Evicted", "Lost")


# ----------------------------------------------------------------------------------------- memory


async def test_attempt_after_out_of_memory_gets_more_memory(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str
) -> None:
    hungry = {"testcluster/run-seconds": "0", "testcluster/fail-reason": "OOMKilled"}
    asks = ResourceSpec(limits=ResourceAmounts(memory="100Mi"))
    memory = Memory(factor=2, limit="350Mi")
    for attempt in (1, 2):
        bench = await start_backend(memory=memory)
        result = await bench.run(command(program, attempt, annotations=hungry, resources=asks))
        assert result.error is not None
        assert result.error.code == "OutOfMemory"
    given = []
    for attempt in (1, 2, 3):
        bench = await start_backend(memory=memory, keep_pods="always")
        one = command(program, attempt, try_=2, annotations=FOR_LONG, resources=asks)
        given.append(await _granted_memory(bench, one, own_cluster, namespace))
    assert given == [100 * 2**20, 200 * 2**20, 350 * 2**20]


async def _granted_memory(bench: Bench, invocation: Invocation, cluster: Cluster, namespace: str) -> int:
    """Return the memory limit of the try's pod in bytes."""
    running = bench.start(invocation)
    pod = await its_pod(cluster, namespace, bench)
    await bench.backend.kill(key_of(invocation))
    await asyncio.gather(running, return_exceptions=True)  # of an attempt that is over, its result
    text = pod["spec"]["containers"][0]["resources"]["limits"]["memory"]
    return int(text.removesuffix("Mi")) * 2**20 if text.endswith("Mi") else int(text)


# -------------------------------------------------------------------------- templates and accounts


TEMPLATE = {
    "apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "batch"},
    "template": {
        "metadata": {"labels": {"team": "forecasting"}},
        "spec": {
            "terminationGracePeriodSeconds": 7,
            "containers": [{"name": "default", "image": "unused", "env": [{"name": "FROM_TEMPLATE", "value": "1"}]}],
        },
    },
}  # fmt: skip


async def test_named_template_is_used(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str
) -> None:
    own_cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(TEMPLATE))
    bench = await start_backend()
    running = bench.start(command(program, pod_template_name="batch"))
    pod = await its_pod(own_cluster, namespace, bench)
    assert pod["metadata"]["labels"]["team"] == "forecasting"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 7
    (container,) = pod["spec"]["containers"]
    assert (container["image"], {"name": "FROM_TEMPLATE", "value": "1"} in container["env"]) == (BUSYBOX_IMAGE, True)
    assert (await running).status == "succeeded"


async def test_missing_template_is_charged_to_the_user(start_backend: StartBackend, program: Project) -> None:
    result = await (await start_backend()).run(command(program, pod_template_name="nowhere"))
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "InvalidPod", False)
    assert "'nowhere'" in result.error.message


async def test_service_account_of_the_launch_is_used(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str
) -> None:
    for name in ("of-the-place", "of-the-launch"):
        own_cluster.kubectl("create", "serviceaccount", name, "-n", namespace)
    bench = await start_backend(service_account="of-the-place", allow=PodLists(service_accounts=("of-the-launch",)))
    seen = []
    for account in (None, "of-the-launch"):
        invocation = command(program, try_=1 if account is None else 2, annotations=FOR_LONG)
        running = bench.start(invocation.model_copy(update={"service_account": account}))
        bench.reports.clear()
        pod = await its_pod(own_cluster, namespace, bench)
        seen.append((pod["spec"]["serviceAccountName"], pod["spec"]["automountServiceAccountToken"]))
        await bench.backend.kill(key_of(invocation))
        with pytest.raises(TaskLost):
            await running
    assert seen == [("of-the-place", False), ("of-the-launch", False)]


# ----------------------------------------------------------------------------------------- limits


async def test_backend_publishes_its_limits(start_backend: StartBackend, store: ObjectStore) -> None:
    limits = ResourceAmounts(memory="8Gi")
    await start_backend(limits=limits, over_limits="refuse")
    known = read_limits(store, "queue")
    assert (known.refuse, known.of("p", "d")) == (True, limits)


async def test_excessive_request_is_refused_before_a_pod_is_created(
    start_backend: StartBackend, program: Project
) -> None:
    bench = await start_backend(limits=ResourceAmounts(memory="1Gi"), over_limits="refuse")
    result = await bench.run(command(program, resources=ResourceSpec(limits=ResourceAmounts(memory="2Gi"))))
    assert result.error is not None
    assert (result.error.kind, result.error.code) == ("USER", "InvalidPod")
    assert "memory 2Gi is more than the 1Gi" in result.error.message


# ------------------------------------------------------------------------------------ accelerators


T4, A100, SLICE = "nvidia-tesla-t4", "nvidia-tesla-a100", "1g.5gb"


@pytest.fixture
def gpu_nodes(own_cluster: Cluster, namespace: str, node: str) -> dict[tuple[str, str | None], str]:
    """Nodes with one GPU each, by device and partition, with labels and taints."""
    found: dict[tuple[str, str | None], str] = {}
    for device, partition in ((T4, None), (A100, None), (A100, SLICE)):
        own = {"k8s.amazonaws.com/accelerator": device}
        if partition is not None:
            own["k8s.amazonaws.com/gpu-partition-size"] = partition
        labels = {"testcluster/of": namespace, **own}
        (name,) = own_cluster.add_kwok_nodes(1, prefix=namespace, gpus=1, labels=labels)
        taints = [f"{key}={value}:NoSchedule" for key, value in own.items()]
        own_cluster.kubectl("taint", "node", name, "nvidia.com/gpu=present:NoSchedule", *taints)
        found[device, partition] = name
    return found


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (AcceleratorSpec(device=T4), (T4, None)),
        (AcceleratorSpec(device=A100, unpartitioned=True), (A100, None)),
        (AcceleratorSpec(device=A100, partition_size=SLICE), (A100, SLICE)),
    ],
    ids=["T4", "A100", "a partition of A100"],
)
async def test_pod_runs_on_the_node_with_the_accelerator(
    start_backend: StartBackend, program: Project, gpu_nodes: dict[tuple[str, str | None], str], wanted: AcceleratorSpec,
    expected: tuple[str, str | None],
) -> None:  # fmt: skip
    bench = await start_backend()
    assert (await bench.run(command(program, accelerator=wanted))).status == "succeeded"
    assert (await bench.reported(phase="running"))["node"] == gpu_nodes[expected]


async def test_pod_waits_for_a_missing_accelerator(
    start_backend: StartBackend, program: Project, gpu_nodes: dict[tuple[str, str | None], str]
) -> None:
    bench = await start_backend()
    nowhere = AcceleratorSpec(device="nvidia-h100")
    invocation = command(program, accelerator=nowhere, template={"terminationGracePeriodSeconds": 0})
    running = bench.start(invocation)
    waiting = await bench.reported(phase="queued", reason="Unschedulable")
    assert "node affinity" in waiting["message"]
    await bench.backend.kill(key_of(invocation))
    with pytest.raises(TaskLost):
        await running
