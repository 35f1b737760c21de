"""Pods that are created before anybody waits for them: joined, left alone, or removed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flytemp.spec.models import ResourceAmounts, ResourceSpec, TaskSettings
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import TaskLost, key_of
from flytemp_activities.kubernetes import classify, pod_attempt
from infra.testcluster import KubernetesAccess
from tests.activities.kubernetes.conftest import Bench, StartBackend
from tests.activities.kubernetes.test_backend import claims, log_of, pods, program, until_counted, until_no_pods, until_phase
from tests.activities.kubernetes.test_containers import invocation as container
from tests.sdk.runtime.project import Project

__all__ = ["program"]

pytestmark = pytest.mark.kubernetes


async def until_idle(bench: Bench, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while bench.backend.running():
            await asyncio.sleep(0.05)


async def test_a_try_that_is_started_ahead_is_joined_by_any_worker(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    one, other = await start_backend(), await start_backend()
    invocation = program.invocation("wait", {"seconds": 3.0})
    assert await one.backend.start_early(invocation)
    assert await one.backend.start_early(invocation), "it is there"
    assert len(pods(cluster, namespace)) == 1
    results = await asyncio.gather(other.run(invocation, resumed=True), one.run(invocation, resumed=True))
    assert [result.outputs for result in results] == [{"o0": "waited"}] * 2
    assert len(claims(store, invocation)) == 1
    await until_no_pods(cluster, namespace)


async def test_the_end_is_seen_to_by_the_worker_that_has_the_activity_alone(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await start_backend(), await start_backend()
    invocation = program.invocation("wait", {"seconds": 2.0})
    assert await one.backend.start_early(invocation)
    asked: list[str] = []
    for request in ("log", "follow_log", "delete"):
        monkeypatch.setattr(one.backend._yard.pods, request, lambda *of, **others: asked.append(str(of)))
    assert (await other.run(invocation, resumed=True)).outputs == {"o0": "waited"}
    await until_no_pods(cluster, namespace)
    await until_idle(one, 10)
    assert asked == []


@pytest.mark.parametrize("expected", [True, False], ids=["expected", "started"])
async def test_a_pod_that_is_to_stay_stays_though_its_execution_is_over_at_once(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, expected: bool
) -> None:
    one, other = await start_backend(keep_pods="failed"), await start_backend(keep_pods="failed")
    invocation = program.invocation("fail", {})
    assert await one.backend.start_early(invocation, expected=expected)
    assert (await other.run(invocation, resumed=True)).status == "failed"
    await asyncio.sleep(1)  # both have seen its end
    await one.backend.kill(key_of(invocation))
    await asyncio.sleep(1)
    (pod,) = pods(cluster, namespace)
    assert "deletionTimestamp" not in pod["metadata"]


async def test_the_end_of_a_pod_that_no_worker_has_an_activity_for_is_seen_to_after_a_while(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    assert await bench.backend.start_early(invocation)
    await until_phase(cluster, namespace, "Succeeded")
    await asyncio.sleep(1)
    assert len(bench.backend.running()) == 1
    await until_idle(bench, pod_attempt.LEFT_SECONDS + 10)
    await until_no_pods(cluster, namespace)
    assert log_of(store, invocation) == "adding 1 2\n"
    assert (await bench.run(invocation, resumed=True)).outputs == {"o0": 3}


async def test_an_end_that_was_left_counts_though_its_pod_is_removed(
    start_backend: StartBackend, project: Project, cluster: KubernetesAccess, namespace: str, task_image: str
) -> None:
    bench, invocation = await start_backend(), container(project, task_image, "true")
    assert await bench.backend.start_early(invocation)
    await until_phase(cluster, namespace, "Succeeded")
    (pod,) = pods(cluster, namespace)
    cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", namespace, "--now")
    await until_idle(bench, 10)
    assert (await bench.run(invocation, resumed=True)).status == "succeeded"


async def test_the_end_of_an_expected_pod_is_left_to_whoever_comes(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    assert await bench.backend.start_early(invocation, expected=True)
    await until_phase(cluster, namespace, "Succeeded")
    await asyncio.sleep(1)
    assert (len(pods(cluster, namespace)), len(bench.backend.running())) == (1, 1)
    assert (await bench.run(invocation)).outputs == {"o0": 3}
    await until_no_pods(cluster, namespace)
    assert log_of(store, invocation) == "adding 1 2\n"


async def test_an_expected_pod_that_nobody_comes_for_is_removed(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    assert await bench.backend.start_early(invocation, expected=True)
    await until_phase(cluster, namespace, "Succeeded")
    await bench.backend.kill(key_of(invocation))
    assert not bench.backend.running()
    await until_no_pods(cluster, namespace)
    assert log_of(store, invocation) == "adding 1 2\n"


async def test_an_expected_pod_that_another_worker_saw_to_its_end_stays_if_pods_are_to_stay(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    one, other = await start_backend(keep_pods="always"), await start_backend(keep_pods="always")
    invocation = program.invocation("add", {"a": 1, "b": 2})
    assert await one.backend.start_early(invocation, expected=True)
    assert (await other.run(invocation, resumed=True)).outputs == {"o0": 3}
    await one.backend.kill(key_of(invocation))
    await asyncio.sleep(1)
    (pod,) = pods(cluster, namespace)
    assert "deletionTimestamp" not in pod["metadata"]


async def test_who_asks_for_an_expected_try_that_was_stopped_finds_no_verdict(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    bench = await start_backend()
    settings = TaskSettings(resources=ResourceSpec(requests=ResourceAmounts(gpu="9"), limits=ResourceAmounts(gpu="9")))
    invocation = program.invocation("add", {"a": 1, "b": 2}, settings=settings)  # it finds no node
    assert await bench.backend.start_early(invocation, expected=True)
    await bench.backend.kill(key_of(invocation))
    assert pods(cluster, namespace) == []
    running = bench.start(invocation, resumed=True)
    await until_phase(cluster, namespace, "Pending")
    await bench.backend.kill(key_of(invocation))
    with pytest.raises(TaskLost, match="on request"):
        await running


async def test_nobody_turns_in_circles_over_a_pod_that_has_ended(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await start_backend()
    settings = TaskSettings(timeout_seconds=8.0)  # the interpreter's start on a busy machine is part of it
    invocation = program.invocation("add", {"a": 1, "b": 2}, settings=settings)
    assert await bench.backend.start_early(invocation, expected=True)
    await until_phase(cluster, namespace, "Succeeded")
    await asyncio.sleep(8)
    looks: list[str] = []
    look = classify.look

    def counted(pod: dict[str, Any], primary: str) -> Any:
        looks.append(primary)
        return look(pod, primary)

    monkeypatch.setattr(classify, "look", counted)
    await asyncio.sleep(1)
    assert len(looks) < 10
    assert (await bench.run(invocation)).outputs == {"o0": 3}


async def test_an_expected_pod_is_taken_up_without_asking_for_it(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await start_backend(), await start_backend()
    invocation = program.invocation("wait", {"seconds": 2.0})
    assert await one.backend.start_early(invocation, expected=True)
    await until_phase(cluster, namespace, "Running")
    monkeypatch.setattr(other.backend._yard.pods, "get", None)  # the watch has told of it
    monkeypatch.setattr(other.backend._yard.pods, "create", None)
    joined = one.start(invocation)
    assert (await other.run(invocation, resumed=True)).outputs == {"o0": "waited"}
    assert (await joined).outputs == {"o0": "waited"}
    await until_no_pods(cluster, namespace)


@pytest.mark.parametrize("expected", [True, False], ids=["expected", "started"])
async def test_a_pod_that_was_let_go_is_taken_up_anew_by_who_comes_at_once(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, expected: bool
) -> None:
    bench, invocation = await start_backend(), program.invocation("wait", {"seconds": 2.0})
    assert await bench.backend.start_early(invocation, expected=expected)
    bench.backend.release(key_of(invocation))
    assert not bench.backend.running()
    assert (await bench.run(invocation, resumed=True)).outputs == {"o0": "waited"}
    await until_no_pods(cluster, namespace)


async def test_who_waits_for_an_expected_pod_keeps_it(start_backend: StartBackend, program: Project) -> None:
    bench, invocation = await start_backend(), program.invocation("wait", {"seconds": 2.0})
    assert await bench.backend.start_early(invocation, expected=True)
    running = bench.start(invocation)
    await bench.reported(phase="running")
    bench.backend.release(key_of(invocation))
    assert (await running).outputs == {"o0": "waited"}


async def test_what_cannot_be_started_at_once_is_not_started_ahead(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    cluster.kubectl("create", "quota", "none", "--hard=pods=0", "-n", namespace)
    await until_counted(cluster, namespace)
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    assert not await bench.backend.start_early(invocation)
    assert not bench.backend.running()
    cluster.kubectl("delete", "quota", "none", "-n", namespace)
    await asyncio.sleep(1)
    assert pods(cluster, namespace) == [], "nobody waits for room"
    assert (await bench.run(invocation)).outputs == {"o0": 3}
