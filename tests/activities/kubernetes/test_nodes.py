"""Faults of nodes: loss, preemption, eviction, failed pulls; and many pods.

Tasks are container tasks without outputs, so that kwok's nodes can play their pods: no container runs, and its annotations
say what becomes of a pod.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flytemp.pods.rules import PodLists
from flytemp.runtime.commit import read_try_error
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure, TaskLost, key_of
from flytemp_activities.kubernetes import Policy, cleanup
from flytemp_activities.kubernetes.names import pod_name
from infra.testcluster import Cluster
from tests.activities.kubernetes.conftest import Bench, StartBackend
from tests.activities.kubernetes.kwok_pods import FOR_LONG, node, of_kwok, policy, program, task_image
from tests.activities.kubernetes.test_backend import pods, until_no_pods
from tests.sdk.runtime.project import Project

pytestmark = pytest.mark.kubernetes

__all__ = ["node", "policy", "program", "task_image"]  # fixtures


async def test_exit_code_0_of_a_command_is_success(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str, node: str
) -> None:
    bench, invocation = await start_backend(), of_kwok(program, {"testcluster/run-seconds": "1"})
    result = await bench.run(invocation)
    assert (result.status, result.outputs) == ("succeeded", {})
    assert (await bench.reported(phase="running"))["node"] == node
    await until_no_pods(own_cluster, namespace)


async def test_other_exit_code_is_charged_to_the_user(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str
) -> None:
    told = {"testcluster/run-seconds": "0", "testcluster/exit-code": "3", "testcluster/fail-message": "no such file"}
    result = await (await start_backend()).run(of_kwok(program, told))
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "Exited", True)
    assert "no such file" in result.error.message
    await until_no_pods(own_cluster, namespace)


async def test_out_of_memory_is_charged_to_the_user(start_backend: StartBackend, program: Project) -> None:
    told = {"testcluster/run-seconds": "0", "testcluster/fail-reason": "OOMKilled"}
    result = await (await start_backend()).run(of_kwok(program, told))
    assert result.error is not None
    assert (result.error.kind, result.error.code) == ("USER", "OutOfMemory")


@pytest.mark.parametrize("reason", ["Evicted", "NodeShutdown", "Preempting", "UnexpectedAdmissionError"])
async def test_pod_removed_by_its_node_is_charged_to_the_platform(
    start_backend: StartBackend, program: Project, store: ObjectStore, own_cluster: Cluster, namespace: str, reason: str
) -> None:
    told = {"testcluster/run-seconds": "0", "testcluster/pod-reason": reason, "testcluster/fail-message": "low on memory"}
    bench, invocation = await start_backend(), of_kwok(program, told)
    with pytest.raises(SystemFailure, match="low on memory"):
        await bench.run(invocation)
    error = read_try_error(store, invocation)
    assert error is not None
    assert (error.kind, error.code) == ("SYSTEM", "Evicted")
    await until_no_pods(own_cluster, namespace)


async def test_pod_waits_for_its_image(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str
) -> None:
    told = {"testcluster/waiting-reason": "ImagePullBackOff", "testcluster/waiting-message": "no such tag"}
    bench, invocation = await start_backend(), of_kwok(program, told)
    running = bench.start(invocation)
    waiting = await bench.reported(phase="starting", reason="ImagePullBackOff")
    assert waiting["message"] == "container primary: no such tag"
    own_cluster.kubectl("annotate", "pod", pod_name(invocation), "-n", namespace, "testcluster/waiting-reason-")
    assert (await running).status == "succeeded"
    assert "reason" not in bench.reports[-1]


async def test_image_fails_after_its_limit(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str, policy: Policy
) -> None:
    bench = await start_backend(pending_timeouts=policy.pending_timeouts.model_copy(update={"image": 1.0}))
    result = await bench.run(of_kwok(program, {"testcluster/waiting-reason": "ImagePullBackOff"}))
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "ImagePullBackOff", True)
    await until_no_pods(own_cluster, namespace)


async def test_preempted_pod_is_charged_to_the_platform(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str, node: str
) -> None:
    priority = {"metadata": {"name": namespace}, "value": 1000, "globalDefault": False}
    own_cluster.api.create("/apis/scheduling.k8s.io/v1/priorityclasses", priority)
    try:
        bench = await start_backend(allow=PodLists(priority_classes=(namespace,)))
        own_cluster.set_gpus(node, 1)
        low = bench.start(of_kwok(program, FOR_LONG, template=_one_gpu()))
        await bench.reported(phase="running")
        high = bench.start(of_kwok(program, {}, node="n1", template=_one_gpu(priorityClassName=namespace)))
        with pytest.raises(SystemFailure, match="PreemptionByScheduler"):
            await low
        assert (await high).status == "succeeded"
    finally:
        own_cluster.api.delete(f"/apis/scheduling.k8s.io/v1/priorityclasses/{namespace}")
    await until_no_pods(own_cluster, namespace)


def _one_gpu(**more: Any) -> dict[str, Any]:
    resources = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}
    return {"containers": [{"name": "primary", "resources": resources}], **more}


async def test_pod_of_a_lost_node_is_deleted_by_force(
    start_backend: StartBackend, program: Project, store: ObjectStore, own_cluster: Cluster, namespace: str, node: str,
    policy: Policy,
) -> None:  # fmt: skip
    bench = await start_backend(pending_timeouts=policy.pending_timeouts.model_copy(update={"deleting": 2.0}))
    invocation = of_kwok(program, FOR_LONG, template={"terminationGracePeriodSeconds": 1})
    running = bench.start(invocation)
    await bench.reported(phase="running")
    own_cluster.lose_kwok_node(node)
    with pytest.raises(SystemFailure, match="DeletionByTaintManager"):
        await running
    error = read_try_error(store, invocation)
    assert error is not None
    assert (error.kind, error.code) == ("SYSTEM", "Evicted")
    assert pods(own_cluster, namespace) == []  # though no node said that it ended
    with pytest.raises(SystemFailure, match="DeletionByTaintManager"):
        await bench.run(invocation, resumed=True)
    assert pods(own_cluster, namespace) == []


async def test_stopped_task_on_a_lost_node_is_deleted_by_force(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str, node: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(cleanup, "GONE_SECONDS", 3.0)
    bench = await start_backend()
    patient = {"terminationGracePeriodSeconds": 1, "tolerations": [{"operator": "Exists"}]}  # of the node's loss, too
    invocation = of_kwok(program, FOR_LONG, template=patient)
    running = bench.start(invocation)
    await bench.reported(phase="running")
    own_cluster.lose_kwok_node(node)
    await bench.backend.kill(key_of(invocation))
    with pytest.raises(TaskLost):
        await running
    await until_no_pods(own_cluster, namespace)


@pytest.mark.long  # the garbage collector of pods waits 40 s; `test_classify` has the short form
async def test_pod_of_a_removed_node_is_charged_to_the_platform(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str, node: str
) -> None:
    bench = await start_backend()
    running = bench.start(of_kwok(program, FOR_LONG))
    await bench.reported(phase="running")
    own_cluster.api.delete(f"/api/v1/nodes/{node}")
    with pytest.raises(SystemFailure, match="DeletionByPodGC"):
        await running
    await until_no_pods(own_cluster, namespace)


@pytest.mark.breaks_cluster
async def test_pod_survives_a_short_outage_of_its_node(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str, policy: Policy
) -> None:
    # The real node this time: its kubelet is away for a moment, and its container does not notice.
    real = {"testcluster/node": "real"}
    bench = await start_backend(node_selector=real, tolerations=(), security_context={}, pod_security="baseline")
    invocation = of_kwok(program, {})
    assert invocation.task.container is not None
    command = invocation.task.container.model_copy(update={"command": ("sleep", "5")})
    invocation = invocation.model_copy(update={"task": invocation.task.model_copy(update={"container": command})})
    running = bench.start(invocation)
    await bench.reported(phase="running")
    own_cluster.kill_kubelet()
    await asyncio.to_thread(own_cluster.start_kubelet)
    assert (await running).status == "succeeded"
    await until_no_pods(own_cluster, namespace)


async def test_hundred_concurrent_pods(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str
) -> None:
    bench = await start_backend()
    invocations = [of_kwok(program, {"testcluster/exit-code": str(n % 2)}, node=f"n{n}") for n in range(100)]
    results = await asyncio.gather(*(bench.run(invocation) for invocation in invocations))
    assert [result.status for result in results] == ["succeeded", "failed"] * 50
    assert not bench.backend.running()
    assert _pods_told_of(bench) == {pod_name(invocation) for invocation in invocations}
    await until_no_pods(own_cluster, namespace)


def _pods_told_of(bench: Bench) -> set[str]:
    return {report["pod"] for report in bench.reports if "pod" in report}
