"""Tries as pods of a real cluster: joined again, created once, deleted, and charged to the right payer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from flytemp.layout import RootLayout
from flytemp.pods.rules import PodLists
from flytemp.runtime.invocation import Claim, Invocation, TaskResult
from flytemp.spec.models import PodTemplateSpec, ResourceAmounts, ResourceSpec, SecretRequest, TaskSettings
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure, TaskLost, key_of
from flytemp_activities.kubernetes.names import pod_name
from infra.testcluster import Cluster, KubernetesAccess
from tests.activities.kubernetes.conftest import StartBackend
from tests.sdk.runtime.project import Project

pytestmark = pytest.mark.kubernetes

PROGRAM = """
    import os, sys, time
    from flytemp import current_context, task

    @task
    def add(a: int, b: int) -> int:
        print("adding", a, b)
        return a + b

    @task
    def fail() -> int:
        print("about to fail")
        raise ValueError("no good")

    @task
    def leave(code: int) -> int:
        os._exit(code)

    @task
    def hog() -> int:
        return len(bytearray(512 * 2**20))

    @task
    def wait(seconds: float) -> str:
        print("waiting", flush=True)
        try:
            time.sleep(seconds)
        finally:
            print("cleaning up", flush=True)
        return "waited"

    @task
    def secret() -> str:
        files = current_context().secrets.get("keys", "file")
        return current_context().secrets.get("db", "password") + os.environ["PGPASS"] + files
"""


@pytest.fixture
def program(project: Project) -> Project:
    project.write(PROGRAM)
    return project


def pods(cluster: KubernetesAccess, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cluster.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    return found


async def until_no_pods(cluster: KubernetesAccess, namespace: str) -> None:
    async with asyncio.timeout(90):
        while await asyncio.to_thread(pods, cluster, namespace):
            await asyncio.sleep(0.2)


async def until_phase(cluster: KubernetesAccess, namespace: str, phase: str) -> dict[str, Any]:
    async with asyncio.timeout(90):
        while True:
            found = await asyncio.to_thread(pods, cluster, namespace)
            if found and found[0]["status"].get("phase") == phase:
                return found[0]
            await asyncio.sleep(0.1)


def claims(store: ObjectStore, invocation: Invocation) -> list[Claim]:
    layout, found = RootLayout(invocation.execution_root), []
    folder = layout.attempt(invocation.node, invocation.attempt_key)
    for name in store.list(folder):
        data = store.read_or_none(f"{folder}/{name}/claim.json") if name.isdigit() else None
        found += [Claim.model_validate_json(data)] if data else []
    return found


def log_of(store: ObjectStore, invocation: Invocation) -> str:
    layout = RootLayout(invocation.execution_root)
    folder = layout.log_folder(invocation.node, invocation.attempt_key, invocation.try_)
    return b"".join(store.read(f"{folder}/{name}") for name in store.list(folder)).decode()


async def test_task_runs_in_a_pod(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("add", {"a": 1, "b": 2})
    result = await bench.run(invocation)
    assert (result.status, result.outputs) == ("succeeded", {"o0": 3})
    running = await bench.reported(phase="running")
    assert running["pod"] == pod_name(invocation)
    (claim,) = claims(store, invocation)
    assert claim.owner == running["uid"]
    await until_no_pods(cluster, namespace)
    assert log_of(store, invocation) == "adding 1 2\n"


async def test_exception_of_user_code_is_charged_to_the_user(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("fail")
    result = await bench.run(invocation)
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.message) == ("USER", "ValueError", "no good")
    log = log_of(store, invocation)  # kept before the failure was told
    assert log.startswith("about to fail\n")
    assert "ValueError: no good" in log
    await until_no_pods(cluster, namespace)


@pytest.mark.parametrize(("exit_code", "code"), [(1, "Exited"), (143, "Crashed"), (139, "Crashed")])
async def test_exit_code_is_charged_to_the_user(start_backend: StartBackend, program: Project, exit_code: int, code: str) -> None:
    result = await (await start_backend()).run(program.invocation("leave", {"code": exit_code}))
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", code, True)
    assert f"exit code {exit_code}" in result.error.message


async def test_killed_container_is_charged_to_the_platform(start_backend: StartBackend, program: Project) -> None:
    with pytest.raises(SystemFailure) as caught:
        await (await start_backend()).run(program.invocation("leave", {"code": 137}))
    assert caught.value.error.code == "Killed"


async def test_out_of_memory_is_charged_to_the_user(start_backend: StartBackend, program: Project) -> None:
    bench = await start_backend(defaults=ResourceAmounts(cpu="1", memory="100Mi"))
    result = await bench.run(program.invocation("hog"))
    assert result.error is not None
    assert (result.error.kind, result.error.code) == ("USER", "OutOfMemory")
    assert "its limit of 100Mi" in result.error.message


async def test_pod_of_a_dead_worker_is_joined_by_the_next_worker(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    first, second = await start_backend(), await start_backend()
    invocation = program.invocation("wait", {"seconds": 4.0})
    detached = first.start(invocation)
    created = await first.reported(uid=bool)
    await first.backend.close()
    assert (await asyncio.gather(detached, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    result = await second.run(invocation, resumed=True)
    assert (result.outputs, [claim.owner for claim in claims(store, invocation)]) == ({"o0": "waited"}, [created["uid"]])
    assert all(report.get("uid") in (None, created["uid"]) for report in second.reports)
    await until_no_pods(cluster, namespace)


async def test_pod_that_ended_without_a_worker_is_settled_by_the_next_worker(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    first = await start_backend()
    invocation = program.invocation("leave", {"code": 3})
    detached = first.start(invocation)
    await first.reported(uid=bool)
    await first.backend.close()
    await asyncio.gather(detached, return_exceptions=True)
    await until_phase(cluster, namespace, "Failed")
    result = await (await start_backend()).run(invocation, resumed=True)
    assert result.error is not None
    assert "exit code 3" in result.error.message
    await until_no_pods(cluster, namespace)


async def test_two_workers_share_one_pod(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    first, second = await start_backend(), await start_backend()
    invocation = program.invocation("wait", {"seconds": 1.0})
    results = await asyncio.gather(first.run(invocation), second.run(invocation))
    assert [result.outputs for result in results] == [{"o0": "waited"}] * 2
    assert len(claims(store, invocation)) == 1
    await until_no_pods(cluster, namespace)


async def test_deleted_pod_is_lost_and_not_created_again(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("wait", {"seconds": 60.0})
    running = bench.start(invocation)
    await bench.reported(phase="running")
    await _until_log(cluster, namespace, "waiting")
    cluster.kubectl("delete", "pod", "-n", namespace, pod_name(invocation), "--wait=false")
    with pytest.raises(TaskLost, match="deleted"):
        await running
    with pytest.raises(TaskLost, match="deleted"):
        await bench.run(invocation, resumed=True)
    assert len(claims(store, invocation)) == 1


async def _until_log(cluster: KubernetesAccess, namespace: str, text: str) -> None:
    async with asyncio.timeout(60):
        while text not in await asyncio.to_thread(_logs, cluster, namespace):
            await asyncio.sleep(0.1)


def _logs(cluster: KubernetesAccess, namespace: str) -> str:
    (pod,) = pods(cluster, namespace)
    return cluster.kubectl("logs", "-n", namespace, pod["metadata"]["name"])


async def test_evicted_pod_is_charged_to_the_platform(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("wait", {"seconds": 60.0})
    running = bench.start(invocation)
    await bench.reported(phase="running")
    await _until_log(cluster, namespace, "waiting")
    name = pod_name(invocation)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction))
    with pytest.raises(SystemFailure, match="EvictionByEvictionAPI") as caught:
        await running
    assert caught.value.error.code == "Evicted"


async def test_container_killed_on_its_node_is_charged_to_the_platform(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str
) -> None:
    bench = await start_backend()
    running = bench.start(program.invocation("wait", {"seconds": 60.0}))
    await bench.reported(phase="running")
    await _until_log(own_cluster, namespace, "waiting")
    pod = await until_phase(own_cluster, namespace, "Running")
    own_cluster.kill_container(pod["status"]["containerStatuses"][0]["containerID"])
    with pytest.raises(SystemFailure) as caught:
        await running
    assert caught.value.error.code == "Killed"
    await until_no_pods(own_cluster, namespace)


async def test_stopped_task_runs_its_cleanup_and_its_pod_is_deleted(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench = await start_backend(keep_pods="never")
    invocation = program.invocation("wait", {"seconds": 60.0})
    running = bench.start(invocation)
    await bench.reported(phase="running")
    await _until_log(cluster, namespace, "waiting")
    await bench.backend.kill(key_of(invocation))
    with pytest.raises(TaskLost, match="on request"):
        await running
    assert pods(cluster, namespace) == []
    assert not bench.backend.running()
    assert log_of(store, invocation).startswith("waiting\ncleaning up\n"), "also what it said when it was told to end"


async def test_pod_is_gone_before_a_timeout_is_reported(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    settings = TaskSettings(timeout_seconds=10.0)  # the interpreter's start on a busy machine is part of it
    invocation = program.invocation("wait", {"seconds": 60.0}, settings=settings)
    result = await (await start_backend()).run(invocation)
    assert pods(cluster, namespace) == [], "the next attempt may begin now"
    assert result.error is not None
    assert (result.error.kind, result.error.code) == ("USER", "Timeout")
    assert log_of(store, invocation).startswith("waiting\ncleaning up\n")


async def test_missing_image_fails_after_its_limit(start_backend: StartBackend, program: Project, policy: Any) -> None:
    bench = await start_backend(pending_timeouts=policy.pending_timeouts.model_copy(update={"image": 2.0}))
    settings = TaskSettings(container_image="127.0.0.1:1/no/such:image")
    result = await bench.run(program.invocation("add", {"a": 1, "b": 2}, settings=settings))
    assert result.error is not None
    assert result.error.kind == "USER"
    assert result.error.code in ("ErrImagePull", "ImagePullBackOff")
    assert "no/such" in (await bench.reported(phase="starting", message=bool))["message"]


@pytest.mark.breaks_cluster
async def test_pod_that_waits_for_a_gpu_reports_the_reason(
    start_backend: StartBackend, program: Project, own_cluster: Cluster
) -> None:
    own_cluster.set_gpus(own_cluster.node_name, 0)
    bench = await start_backend()
    settings = TaskSettings(resources=ResourceSpec(requests=ResourceAmounts(gpu="1"), limits=ResourceAmounts(gpu="1")))
    running = bench.start(program.invocation("add", {"a": 1, "b": 2}, settings=settings))
    waiting = await bench.reported(phase="queued", reason="Unschedulable")
    assert "Insufficient nvidia.com/gpu" in waiting["message"]
    own_cluster.set_gpus(own_cluster.node_name, 1)
    assert (await running).outputs == {"o0": 3}


async def test_creation_waits_for_quota(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    cluster.kubectl("create", "quota", "none", "--hard=pods=0", "-n", namespace)
    await until_counted(cluster, namespace)
    bench = await start_backend()
    running = bench.start(program.invocation("add", {"a": 1, "b": 2}))
    waiting = await bench.reported(phase="queued", reason="QuotaExceeded")
    assert "exceeded quota: none" in waiting["message"]
    cluster.kubectl("delete", "quota", "none", "-n", namespace)
    assert (await running).outputs == {"o0": 3}


async def until_counted(cluster: KubernetesAccess, namespace: str) -> None:
    async with asyncio.timeout(30):
        look = ("get", "quota", "-n", namespace, "-o", "jsonpath={.items[*].status}")
        while "hard" not in await asyncio.to_thread(cluster.kubectl, *look):
            await asyncio.sleep(0.1)


async def test_exhausted_quota_does_not_hide_an_existing_pod(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    first, invocation = await start_backend(), program.invocation("wait", {"seconds": 5.0})
    detached = first.start(invocation)
    await first.reported(phase="running")
    await first.backend.close()
    await asyncio.gather(detached, return_exceptions=True)
    cluster.kubectl("create", "quota", "full", "--hard=pods=1", "-n", namespace)
    result = await (await start_backend()).run(invocation, resumed=True)
    assert result.outputs == {"o0": "waited"}


async def test_failed_init_container_fails_the_attempt(start_backend: StartBackend, program: Project, task_image: str) -> None:
    init = {"name": "prepare", "image": task_image, "command": ["sh", "-c", "echo no route; exit 3"]}
    settings = TaskSettings(pod_template=PodTemplateSpec(spec={"initContainers": [init]}))
    result = await (await start_backend()).run(program.invocation("add", {"a": 1, "b": 2}, settings=settings))
    assert result.error is not None
    assert (result.error.kind, result.error.code) == ("USER", "InitFailed")
    assert "prepare ended with exit code 3" in result.error.message


async def test_finished_pod_with_a_running_sidecar_is_deleted(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, task_image: str
) -> None:
    sidecar = {"name": "logs", "image": task_image, "command": ["sleep", "600"], "terminationMessagePolicy": "File"}
    template = PodTemplateSpec(spec={"containers": [sidecar], "terminationGracePeriodSeconds": 1})
    bench = await start_backend(keep_pods="always")
    result = await bench.run(program.invocation("add", {"a": 1, "b": 2}, settings=TaskSettings(pod_template=template)))
    assert result.outputs == {"o0": 3}
    await until_no_pods(cluster, namespace)


async def test_secrets_reach_the_container_by_reference(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    cluster.kubectl("create", "secret", "generic", "db", "-n", namespace, "--from-literal=password=hunter2")
    cluster.kubectl("create", "secret", "generic", "keys", "-n", namespace, "--from-literal=file=fromfile")
    wanted = (SecretRequest(group="db", key="password", env_var="PGPASS"), SecretRequest(group="keys", key="file", mount="file"))
    bench = await start_backend(keep_pods="always")
    result = await bench.run(program.invocation("secret", settings=TaskSettings(secrets=wanted)))
    assert result.outputs == {"o0": "hunter2hunter2fromfile"}
    assert "hunter2" not in json.dumps(pods(cluster, namespace))


@pytest.mark.parametrize(("mount", "code"), [("env", "CreateContainerConfigError"), ("file", "SecretNotFound")])
async def test_missing_secret_is_named(start_backend: StartBackend, program: Project, mount: Any, code: str) -> None:
    settings = TaskSettings(secrets=(SecretRequest(group="nothere", key="password", mount=mount),))
    result = await (await start_backend()).run(program.invocation("add", {"a": 1, "b": 2}, settings=settings))
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", code, False)
    assert 'secret "nothere" not found' in result.error.message


@pytest.mark.parametrize(("mount", "code"), [("env", "CreateContainerConfigError"), ("file", "SecretNotFound")])
async def test_missing_key_of_a_secret_is_named(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, mount: Any, code: str
) -> None:
    cluster.kubectl("create", "secret", "generic", "db", "-n", namespace, "--from-literal=user=me")
    settings = TaskSettings(secrets=(SecretRequest(group="db", key="password", mount=mount),))
    result = await (await start_backend()).run(program.invocation("add", {"a": 1, "b": 2}, settings=settings))
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", code, False)
    assert "password" in result.error.message


async def test_missing_config_map_is_named(start_backend: StartBackend, program: Project) -> None:
    volume = {"name": "settings", "configMap": {"name": "nothere"}}
    container = {"name": "primary", "volumeMounts": [{"name": "settings", "mountPath": "/settings"}]}
    template = PodTemplateSpec(spec={"volumes": [volume], "containers": [container]})
    bench = await start_backend()
    result = await bench.run(program.invocation("add", {"a": 1, "b": 2}, settings=TaskSettings(pod_template=template)))
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "ConfigMapNotFound", False)


async def test_pod_that_waits_for_a_volume_reports_the_reason(
    start_backend: StartBackend, program: Project, policy: Any, cluster: KubernetesAccess, namespace: str
) -> None:
    volume = {"name": "share", "nfs": {"server": "127.0.0.1", "path": "/none"}}
    container = {"name": "primary", "volumeMounts": [{"name": "share", "mountPath": "/share"}]}
    template = PodTemplateSpec(spec={"volumes": [volume], "containers": [container], "terminationGracePeriodSeconds": 0})
    limits = policy.pending_timeouts.model_copy(update={"starting": 20.0})
    bench = await start_backend(pending_timeouts=limits, allow=PodLists(volumes=("nfs",)))
    with pytest.raises(SystemFailure, match="MountVolume") as caught:
        await bench.run(program.invocation("add", {"a": 1, "b": 2}, settings=TaskSettings(pod_template=template)))
    assert caught.value.error.kind == "SYSTEM"
    assert "share" in (await bench.reported(phase="starting", message=lambda text: text and "FailedMount" in text))["message"]
    await until_no_pods(cluster, namespace)


@pytest.mark.parametrize(
    ("wait", "settings", "policy_changes", "told"),
    [
        pytest.param("scheduling", {}, {"node_selector": {"no": "where"}}, "node affinity", id="scheduling"),
        pytest.param("init", {"initContainers": [{"name": "fetch", "command": ["sleep", "60"]}]}, {}, "fetch runs", id="init"),
    ],
)
async def test_pending_pod_fails_after_its_limit(
    start_backend: StartBackend, program: Project, policy: Any, cluster: KubernetesAccess, namespace: str, task_image: str,
    wait: str, settings: dict[str, Any], policy_changes: dict[str, Any], told: str,
) -> None:  # fmt: skip
    for container in settings.get("initContainers", ()):
        container["image"] = task_image
    template = PodTemplateSpec(spec={**settings, "terminationGracePeriodSeconds": 1})
    bench = await start_backend(pending_timeouts=policy.pending_timeouts.model_copy(update={wait: 3.0}), **policy_changes)
    with pytest.raises(SystemFailure, match=told) as caught:
        await bench.run(program.invocation("add", {"a": 1, "b": 2}, settings=TaskSettings(pod_template=template)))
    assert caught.value.error.kind == "SYSTEM"
    assert pods(cluster, namespace) == []


async def test_exhausted_quota_fails_after_its_limit(
    start_backend: StartBackend, program: Project, policy: Any, cluster: KubernetesAccess, namespace: str
) -> None:
    cluster.kubectl("create", "quota", "none", "--hard=pods=0", "-n", namespace)
    await until_counted(cluster, namespace)
    bench = await start_backend(pending_timeouts=policy.pending_timeouts.model_copy(update={"quota": 2.0}))
    with pytest.raises(SystemFailure, match="waited for 2 s, the limit of the policy: QuotaExceeded"):
        await bench.run(program.invocation("add", {"a": 1, "b": 2}))


async def test_pod_of_another_origin_is_not_joined(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str, task_image: str
) -> None:
    invocation = program.invocation("add", {"a": 1, "b": 2})
    cluster.kubectl("run", pod_name(invocation), "-n", namespace, f"--image={task_image}", "--restart=Never", "--", "sleep", "60")
    with pytest.raises(SystemFailure, match="was not made for this task") as raised:
        await (await start_backend()).run(invocation)
    assert raised.value.error.code == "NameTaken"


async def test_refused_pod_is_charged_to_the_user(start_backend: StartBackend, program: Project) -> None:
    container = {"name": "primary", "ports": [{"containerPort": -1}]}
    settings = TaskSettings(pod_template=PodTemplateSpec(spec={"containers": [container]}))
    result = await (await start_backend()).run(program.invocation("add", {"a": 1, "b": 2}, settings=settings))
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "InvalidPod", False)
    assert "containerPort" in result.error.message


async def test_pod_refused_by_the_namespace_is_charged_to_the_user(
    start_backend: StartBackend, program: Project, cluster: KubernetesAccess, namespace: str
) -> None:
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    container = {"name": "primary", "securityContext": {"allowPrivilegeEscalation": True}}
    settings = TaskSettings(pod_template=PodTemplateSpec(spec={"containers": [container]}))
    bench = await start_backend(pod_security="baseline")
    result = await bench.run(program.invocation("add", {"a": 1, "b": 2}, settings=settings))
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "InvalidPod", False)
    assert "PodSecurity" in result.error.message


async def test_output_of_a_kept_pod_is_stored(
    start_backend: StartBackend, program: Project, store: ObjectStore, cluster: KubernetesAccess, namespace: str
) -> None:
    bench, invocation = await start_backend(keep_pods="always"), program.invocation("add", {"a": 1, "b": 2})
    await bench.run(invocation)
    async with asyncio.timeout(60):
        while log_of(store, invocation) != "adding 1 2\n":
            await asyncio.sleep(0.1)
    await until_phase(cluster, namespace, "Succeeded")


async def test_protocol_mismatch_names_both_versions(start_backend: StartBackend, program: Project) -> None:
    with pytest.raises(SystemFailure, match="version 7"):
        await (await start_backend()).run(program.invocation("add", {"a": 1, "b": 2}, protocol=7))


async def test_missing_namespace_is_named(start_backend: StartBackend, program: Project) -> None:
    bench = await start_backend(namespace="never-made")
    with pytest.raises(SystemFailure, match="never-made"):
        await bench.run(program.invocation("add", {"a": 1, "b": 2}))


@pytest.mark.breaks_cluster
async def test_tasks_survive_an_outage_of_the_api_server(
    start_backend: StartBackend, program: Project, own_cluster: Cluster, namespace: str
) -> None:
    bench, invocation = await start_backend(), program.invocation("wait", {"seconds": 6.0})
    running = bench.start(invocation)
    await bench.reported(phase="running")
    await asyncio.to_thread(own_cluster.kill_apiserver)
    await asyncio.sleep(1)  # what comes meanwhile is refused
    late = bench.start(program.invocation("add", {"a": 1, "b": 2}, node="n1"))
    await bench.reported(phase="queued", reason="ApiServer")
    await asyncio.to_thread(own_cluster.start_apiserver)
    results: list[TaskResult] = await asyncio.gather(running, late)
    assert [result.outputs for result in results] == [{"o0": "waited"}, {"o0": 3}]
    await until_no_pods(own_cluster, namespace)

