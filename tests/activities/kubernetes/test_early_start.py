"""Pods that are created before their activities arrive: joined, released or removed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import ResourceAmounts, ResourceSpec, TaskSettings
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import TaskLost, key_of
from flytemp_activities.kubernetes import pod_attempt
from flytemp_activities.kubernetes.classify import classify
from infra.testcluster import KubernetesAccess
from tests.activities.known_results import KnownResults
from tests.activities.kubernetes.conftest import Bench, StartBackend
from tests.activities.kubernetes.test_backend import claims, log_of, pods, program, until_counted, until_no_pods, until_phase
from tests.activities.kubernetes.test_containers import invocation as container
from tests.sdk.runtime.project import Project

__all__ = ["program"]

pytestmark = pytest.mark.kubernetes


async def started_early(bench: Bench, invocation: Invocation) -> bool:
    return await bench.backend.start_early(invocation, deadline=time.monotonic() + 30)


async def until_idle(bench: Bench, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while bench.backend.running():
            await asyncio.sleep(0.05)


async def test_early_started_pod_is_joined_by_any_worker(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    one, other = await start_backend(), await start_backend()
    invocation = program.invocation("wait", {"seconds": 3.0})
    assert await started_early(one, invocation)
    assert await started_early(one, invocation), "it is there"
    assert len(pods(cluster, namespace)) == 1
    results = await asyncio.gather(other.run(invocation, resumed=True), one.run(invocation, resumed=True))
    assert [result.outputs for result in results] == [{"o0": "waited"}] * 2
    assert len(claims(store, invocation)) == 1
    await until_no_pods(cluster, namespace)


async def test_only_the_worker_with_the_activity_handles_the_end(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await start_backend(), await start_backend()
    invocation = program.invocation("wait", {"seconds": 2.0})
    assert await started_early(one, invocation)
    asked: list[str] = []
    for request in ("log", "follow_log", "delete"):
        monkeypatch.setattr(one.backend._context.pods, request, lambda *of, **others: asked.append(str(of)))
    assert (await other.run(invocation, resumed=True)).outputs == {"o0": "waited"}
    await until_no_pods(cluster, namespace)
    await until_idle(one, 10)
    assert asked == []


async def test_kept_pod_stays_when_its_execution_has_ended_at_once(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    one, other = await start_backend(keep_pods="failed"), await start_backend(keep_pods="failed")
    invocation = program.invocation("fail", {})
    assert await started_early(one, invocation)
    assert (await other.run(invocation, resumed=True)).status == "failed"
    await asyncio.sleep(1)  # both have seen its end
    await one.backend.kill(key_of(invocation))
    await asyncio.sleep(1)
    (pod,) = pods(cluster, namespace)
    assert "deletionTimestamp" not in pod["metadata"]


async def test_end_of_an_unclaimed_pod_is_handled_after_a_while(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    assert await started_early(bench, invocation)
    await until_phase(cluster, namespace, "Succeeded")
    await asyncio.sleep(1)
    assert len(bench.backend.running()) == 1
    await until_idle(bench, pod_attempt.UNCLAIMED_END_SECONDS + 10)
    await until_no_pods(cluster, namespace)
    assert log_of(store, invocation) == "adding 1 2\n"
    assert (await bench.run(invocation, resumed=True)).outputs == {"o0": 3}


async def test_end_that_was_seen_counts_after_the_pod_is_deleted(
    start_backend: StartBackend, project: Project, cluster: KubernetesAccess, namespace: str, task_image: str
) -> None:
    bench, invocation = await start_backend(), container(project, task_image, "true")
    assert await started_early(bench, invocation)
    await until_phase(cluster, namespace, "Succeeded")
    (pod,) = pods(cluster, namespace)
    cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", namespace, "--now")
    await until_idle(bench, 10)
    assert (await bench.run(invocation, resumed=True)).status == "succeeded"


async def test_end_of_an_unclaimed_pod_is_left_to_its_activity(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    assert await started_early(bench, invocation)
    await until_phase(cluster, namespace, "Succeeded")
    await asyncio.sleep(1)
    assert (len(pods(cluster, namespace)), len(bench.backend.running())) == (1, 1)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await until_no_pods(cluster, namespace)
    assert log_of(store, invocation) == "adding 1 2\n"


async def test_ended_pod_of_a_stopped_try_is_removed_and_its_log_is_kept(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    assert await started_early(bench, invocation)
    await until_phase(cluster, namespace, "Succeeded")
    await bench.backend.kill(key_of(invocation))
    assert not bench.backend.running()
    await until_no_pods(cluster, namespace)
    assert log_of(store, invocation) == "adding 1 2\n"


async def test_kept_pod_that_another_worker_handled_stays_when_the_try_is_stopped(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    one, other = await start_backend(keep_pods="always"), await start_backend(keep_pods="always")
    invocation = program.invocation("add", {"a": 1, "b": 2})
    assert await started_early(one, invocation)
    assert (await other.run(invocation, resumed=True)).outputs == {"o0": 3}
    await one.backend.kill(key_of(invocation))
    await asyncio.sleep(1)
    (pod,) = pods(cluster, namespace)
    assert "deletionTimestamp" not in pod["metadata"]


async def test_unclaimed_try_that_was_stopped_has_no_outcome(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    bench = await start_backend()
    settings = TaskSettings(resources=ResourceSpec(requests=ResourceAmounts(gpu="9"), limits=ResourceAmounts(gpu="9")))
    invocation = program.invocation("add", {"a": 1, "b": 2}, settings=settings)  # it finds no node
    assert await started_early(bench, invocation)
    await bench.backend.kill(key_of(invocation))
    assert pods(cluster, namespace) == []
    running = bench.start(invocation, resumed=True)
    await until_phase(cluster, namespace, "Pending")
    await bench.backend.kill(key_of(invocation))
    with pytest.raises(TaskLost, match="on request"):
        await running


async def test_ended_pod_is_not_examined_in_a_busy_loop(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await start_backend()
    settings = TaskSettings(timeout_seconds=8.0)  # the interpreter's start on a busy machine is part of it
    invocation = program.invocation("add", {"a": 1, "b": 2}, settings=settings)
    assert await started_early(bench, invocation)
    await until_phase(cluster, namespace, "Succeeded")
    await asyncio.sleep(3)  # within the time for which the end is left to the activity
    examined: list[str] = []

    def counted(pod: dict[str, Any], primary: str) -> Any:
        examined.append(primary)
        return classify(pod, primary)

    monkeypatch.setattr(pod_attempt, "classify", counted)
    await asyncio.sleep(1)
    assert len(examined) < 10
    assert (await bench.run(invocation)).outputs == {"o0": 3}


async def test_pod_seen_by_the_watch_is_joined_without_a_request(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await start_backend(), await start_backend()
    invocation = program.invocation("wait", {"seconds": 2.0})
    assert await started_early(one, invocation)
    await until_phase(cluster, namespace, "Running")
    monkeypatch.setattr(other.backend._context.pods, "get", None)  # the watch has reported it
    monkeypatch.setattr(other.backend._context.pods, "create", None)
    joined = one.start(invocation)
    assert (await other.run(invocation, resumed=True)).outputs == {"o0": "waited"}
    assert (await joined).outputs == {"o0": "waited"}
    await until_no_pods(cluster, namespace)


async def test_released_pod_is_joined_again_by_its_activity(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("wait", {"seconds": 2.0})
    assert await started_early(bench, invocation)
    bench.backend.release(key_of(invocation))
    assert not bench.backend.running()
    assert (await bench.run(invocation, resumed=True)).outputs == {"o0": "waited"}
    await until_no_pods(cluster, namespace)


async def test_claimed_pod_is_not_released(start_backend: StartBackend, program: Project) -> None:
    bench, invocation = await start_backend(), program.invocation("wait", {"seconds": 2.0})
    assert await started_early(bench, invocation)
    running = bench.start(invocation)
    await bench.reported(phase="running")
    bench.backend.release(key_of(invocation))
    assert (await running).outputs == {"o0": "waited"}


async def test_pod_is_not_created_after_the_deadline(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    assert not await bench.backend.start_early(invocation, deadline=time.monotonic())
    assert not bench.backend.running()
    assert pods(cluster, namespace) == []


async def test_pod_without_quota_is_not_started_early(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    cluster.kubectl("create", "quota", "none", "--hard=pods=0", "-n", namespace)
    await until_counted(cluster, namespace)
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    assert not await started_early(bench, invocation)
    assert not bench.backend.running()
    cluster.kubectl("delete", "quota", "none", "-n", namespace)
    await asyncio.sleep(1)
    assert pods(cluster, namespace) == [], "the early start is not repeated"
    assert (await bench.run(invocation)).outputs == {"o0": 3}


async def test_pod_is_not_created_if_the_look_up_finds_a_result(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    lookup = KnownResults({"n0": 9})
    bench, other = await start_backend(lookup), await start_backend(lookup)
    invocation = program.invocation("add", {"a": 1, "b": 2})
    assert await started_early(bench, invocation)
    assert not bench.backend.running()
    result = await other.run(invocation, resumed=True)
    assert (result.outputs, result.lookup) == ({"o0": 9}, "hit")
    assert pods(cluster, namespace) == []
    assert lookup.asked == ["n0"], "the result of the attempt is there"


async def test_pod_is_created_if_the_look_up_finds_nothing(start_backend: StartBackend, program: Project) -> None:
    lookup = KnownResults({})
    bench, invocation = await start_backend(lookup), program.invocation("add", {"a": 1, "b": 2})
    assert await started_early(bench, invocation)
    result = await bench.run(invocation)
    assert (result.outputs, result.lookup) == ({"o0": 3}, "miss")
    assert lookup.asked == ["n0"]
