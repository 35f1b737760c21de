"""Test cluster: the behaviour on which the tests of the Kubernetes backend rely."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from infra.testcluster import Cluster, KubernetesAccess, S3Server
from infra.testcluster.api import Api, Refused, eventually
from tests.infra import pods

pytestmark = pytest.mark.kubernetes


@pytest.mark.parametrize(("script", "phase", "code"), [("echo hello", "Succeeded", 0), ("echo no >&2; exit 3", "Failed", 3)])
def test_pod_runs_on_the_real_node(own_cluster: Cluster, namespace: str, script: str, phase: str, code: int) -> None:
    pods.create(own_cluster, namespace, pods.shell("one", script))
    pod = pods.ended(own_cluster, namespace, "one")
    assert pod["status"]["phase"] == phase
    assert pod["spec"]["nodeName"] == own_cluster.node_name
    assert pods.terminated(pod)["exitCode"] == code
    assert own_cluster.kubectl("logs", "one", "-n", namespace).strip() == ("no" if code else "hello")


def test_container_above_its_memory_limit_is_killed(own_cluster: Cluster, namespace: str) -> None:
    script = "x=0123456789abcdef; while true; do x=$x$x; done"
    pods.create(own_cluster, namespace, pods.shell("greedy", script, limits={"memory": "32Mi"}))
    end = pods.terminated(pods.ended(own_cluster, namespace, "greedy"))
    assert (end["reason"], end["exitCode"]) == ("OOMKilled", 137)


@pytest.mark.breaks_cluster
def test_pod_waits_for_a_gpu(own_cluster: Cluster, namespace: str) -> None:
    own_cluster.set_gpus(own_cluster.node_name, 0)
    pods.create(own_cluster, namespace, pods.shell("trainer", "true", limits={"nvidia.com/gpu": "1"}))
    waiting = pods.when(own_cluster, namespace, "trainer", "unschedulable", lambda pod: pods.condition(pod, "PodScheduled"))
    assert pods.condition(waiting, "PodScheduled")["reason"] == "Unschedulable"
    assert "Insufficient nvidia.com/gpu" in pods.condition(waiting, "PodScheduled")["message"]
    own_cluster.set_gpus(own_cluster.node_name, 1)
    try:
        trained = pods.ended(own_cluster, namespace, "trainer")
        assert trained["status"]["phase"] == "Succeeded", trained["status"]
    finally:
        own_cluster.set_gpus(own_cluster.node_name, 0)


@pytest.fixture(scope="module")
def kwok_node(cluster: KubernetesAccess) -> Iterator[str]:
    if not isinstance(cluster, Cluster):
        pytest.skip("kwok plays nodes of the test cluster only")
    (name,) = cluster.add_kwok_nodes(1, prefix="kwok-test", gpus=8)
    yield name
    cluster.remove_kwok_nodes("kwok-test")


@pytest.mark.usefixtures("kwok_node")
def test_kwok_pod_runs_for_its_seconds(own_cluster: Cluster, namespace: str) -> None:
    pods.create(own_cluster, namespace, pods.on_kwok("short", {"testcluster/run-seconds": "2"}))
    end = pods.terminated(pods.ended(own_cluster, namespace, "short"))
    lived = datetime.fromisoformat(end["finishedAt"]) - datetime.fromisoformat(end["startedAt"])
    assert lived.total_seconds() >= 1  # both are whole seconds
    assert (end["reason"], end["exitCode"]) == ("Completed", 0)


@pytest.mark.usefixtures("kwok_node")
@pytest.mark.parametrize(
    ("annotations", "reason", "code", "pod_reason"),
    [
        ({"testcluster/exit-code": "3"}, "Error", 3, None),
        ({"testcluster/fail-reason": "OOMKilled"}, "OOMKilled", 137, None),
        ({"testcluster/fail-reason": "Error", "testcluster/fail-message": "bad"}, "Error", 1, None),
        ({"testcluster/pod-reason": "Evicted", "testcluster/fail-message": "low on memory"}, "Error", 137, "Evicted"),
    ],
)
def test_kwok_pod_fails_as_configured(
    own_cluster: Cluster, namespace: str, annotations: dict[str, str], reason: str, code: int, pod_reason: str | None
) -> None:
    pods.create(own_cluster, namespace, pods.on_kwok("failing", {"testcluster/run-seconds": "0", **annotations}))
    pod = pods.ended(own_cluster, namespace, "failing")
    assert pod["status"]["phase"] == "Failed"
    assert pod["status"].get("reason") == pod_reason
    assert (pods.terminated(pod)["reason"], pods.terminated(pod)["exitCode"]) == (reason, code)
    assert pods.condition(pod, "DisruptionTarget").get("status") == ("True" if pod_reason else None)


@pytest.mark.usefixtures("kwok_node")
def test_kwok_pod_waits_for_its_image(own_cluster: Cluster, namespace: str) -> None:
    pods.create(own_cluster, namespace, pods.on_kwok("waiting", {"testcluster/waiting-reason": "ImagePullBackOff"}))
    pod = pods.when(own_cluster, namespace, "waiting", "waits", lambda pod: pod["status"].get("containerStatuses"))
    assert pod["status"]["phase"] == "Pending"
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    own_cluster.kubectl("annotate", "pod", "waiting", "-n", namespace, "testcluster/waiting-reason-", "testcluster/run-seconds=0")
    assert pods.ended(own_cluster, namespace, "waiting")["status"]["phase"] == "Succeeded"


@pytest.mark.usefixtures("kwok_node")
def test_deleted_kwok_pod_disappears(own_cluster: Cluster, namespace: str) -> None:
    pods.create(own_cluster, namespace, pods.on_kwok("long", {"testcluster/run-seconds": "1000"}))
    pods.when(own_cluster, namespace, "long", "runs", lambda pod: pod["status"]["phase"] == "Running")
    path = f"/api/v1/namespaces/{namespace}/pods/long"
    own_cluster.api.delete(path)
    eventually("pod gone", lambda: own_cluster.api.find(path) is None)


@pytest.mark.breaks_cluster
def test_killed_api_server_keeps_its_state(own_cluster: Cluster, namespace: str) -> None:
    pods.create(own_cluster, namespace, pods.shell("before", "true"))
    own_cluster.kill_apiserver()
    try:
        assert not own_cluster.reachable()
    finally:
        own_cluster.start_apiserver()
    assert pods.ended(own_cluster, namespace, "before")["status"]["phase"] == "Succeeded"


@pytest.mark.breaks_cluster
def test_node_without_its_kubelet_is_lost_and_recovers(own_cluster: Cluster, namespace: str) -> None:
    pods.create(own_cluster, namespace, pods.shell("stranded", "sleep 1000"))
    pods.when(own_cluster, namespace, "stranded", "runs", lambda pod: pod["status"]["phase"] == "Running")
    own_cluster.kill_kubelet()
    try:
        lost = pods.when(own_cluster, namespace, "stranded", "deleted", lambda pod: pod["metadata"].get("deletionTimestamp"))
        assert pods.condition(lost, "DisruptionTarget")["reason"] == "DeletionByTaintManager"
    finally:
        own_cluster.start_kubelet()


def test_kwok_node_is_lost_and_recovers(own_cluster: Cluster, namespace: str) -> None:
    (node,) = own_cluster.add_kwok_nodes(1, prefix="kwok-lost")
    try:
        pod = pods.on_kwok("stranded", {"testcluster/run-seconds": "1000"})
        pod["spec"]["nodeName"] = node
        pods.create(own_cluster, namespace, pod)
        pods.when(own_cluster, namespace, "stranded", "runs", lambda pod: pod["status"]["phase"] == "Running")
        own_cluster.lose_kwok_node(node)
        lost = pods.when(own_cluster, namespace, "stranded", "deleted", lambda pod: pod["metadata"].get("deletionTimestamp"))
        assert pods.condition(lost, "DisruptionTarget")["reason"] == "DeletionByTaintManager"
        own_cluster.restore_kwok_node(node)
        path = f"/api/v1/namespaces/{namespace}/pods/stranded"
        eventually("pod gone", lambda: own_cluster.api.find(path) is None)
        pod = pods.on_kwok("next", {"testcluster/run-seconds": "0"})
        pod["spec"]["nodeName"] = node
        pods.create(own_cluster, namespace, pod)
        assert pods.ended(own_cluster, namespace, "next")["status"]["phase"] == "Succeeded"
    finally:
        own_cluster.remove_kwok_nodes("kwok-lost")


def test_pod_waits_for_a_missing_image(own_cluster: Cluster, namespace: str) -> None:
    pod = pods.shell("waiting", "true")
    pod["spec"]["containers"][0].update(image="localhost/nobody/nothing:1", imagePullPolicy="IfNotPresent")
    pods.create(own_cluster, namespace, pod)

    def reason(pod: pods.Pod) -> str:
        states = [status["state"] for status in pod["status"].get("containerStatuses", [])]
        return "".join(state.get("waiting", {}).get("reason", "") for state in states)

    pods.when(own_cluster, namespace, "waiting", "backs off", lambda pod: reason(pod) == "ImagePullBackOff")


def test_command_runs_in_a_running_pod(own_cluster: Cluster, namespace: str) -> None:
    pods.create(own_cluster, namespace, pods.shell("server", "sleep 1000"))
    pods.when(own_cluster, namespace, "server", "runs", lambda pod: pod["status"]["phase"] == "Running")
    assert own_cluster.kubectl("exec", "server", "-n", namespace, "--", "echo", "inside").strip() == "inside"


def test_worker_has_the_given_rights(own_cluster: Cluster, namespace: str) -> None:
    worker = Api(own_cluster.server, own_cluster.worker_token, own_cluster.ca_file)
    path = f"/api/v1/namespaces/{namespace}/pods"
    with pytest.raises(Refused, match="403"):
        worker.get(path)
    own_cluster.grant(namespace, "flytemp-worker", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}])
    assert eventually("rights given", lambda: worker.get(path))["items"] == []
    with pytest.raises(Refused, match="403"):
        worker.create(path, pods.shell("forbidden", "true"))


def test_requests_are_counted_by_client(own_cluster: Cluster, namespace: str) -> None:
    since = datetime.now(UTC)
    client = Api(own_cluster.server, own_cluster.token, own_cluster.ca_file, agent="counted/1.0")
    for _ in range(3):
        client.get(f"/api/v1/namespaces/{namespace}/pods")
    client.get(f"/api/v1/namespaces/{namespace}")
    assert own_cluster.requests(since, "counted/") == {"list pods": 3, "get namespaces": 1}
    assert not own_cluster.requests(datetime.now(UTC), "counted/")


_USE_S3 = """\
import os, s3fs
files = s3fs.S3FileSystem()
files.pipe_file(os.environ["PLACE"] + "/answer", files.cat_file(os.environ["PLACE"] + "/question").upper())
print("user", os.getuid())
"""


def test_task_pod_without_rights_reaches_the_store(
    own_cluster: Cluster, namespace: str, s3_server: S3Server, task_image: str
) -> None:
    place = f"{s3_server.bucket}/{namespace}"
    files = store(s3_server)
    files.pipe_file(f"{place}/question", b"why")
    pod = pods.shell("task", "")
    container = pod["spec"]["containers"][0]
    container["image"] = task_image
    container["command"] = ["python", "-c", _USE_S3]
    container["env"] = [{"name": name, "value": value} for name, value in {**s3_server.environment, "PLACE": place}.items()]
    container["securityContext"] = {"runAsNonRoot": True, "allowPrivilegeEscalation": False}
    pods.create(own_cluster, namespace, pod)
    end = pods.ended(own_cluster, namespace, "task")
    logs = own_cluster.kubectl("logs", "task", "-n", namespace)
    assert end["status"]["phase"] == "Succeeded", logs
    assert logs.strip() == "user 10001"
    assert files.cat_file(f"{place}/answer") == b"WHY"


def store(server: S3Server):  # type: ignore[no-untyped-def]
    """Return the files of the server as this process sees them."""
    s3fs = pytest.importorskip("s3fs")
    return s3fs.S3FileSystem(
        key=server.access_key, secret=server.secret_key, endpoint_url=server.endpoint, skip_instance_cache=True
    )


def test_images_have_their_commands(own_cluster: Cluster, namespace: str, task_image: str, worker_image: str) -> None:
    for name, image, arguments in (
        ("task", task_image, {"command": ["python", "-c", "import flytemp.runtime"]}),
        ("worker", worker_image, {"args": ["--help"]}),
    ):
        pod = pods.shell(name, "")
        container = pod["spec"]["containers"][0]
        del container["command"]
        container.update(image=image, **arguments)
        pods.create(own_cluster, namespace, pod)
    for name in ("task", "worker"):
        end = pods.ended(own_cluster, namespace, name)
        assert end["status"]["phase"] == "Succeeded", own_cluster.kubectl("logs", name, "-n", namespace)
    assert "flytemp worker" in own_cluster.kubectl("logs", "worker", "-n", namespace)


_CALL_API = """\
from kubernetes import client, config
config.load_incluster_config()
print(client.VersionApi().get_code().git_version)
"""


def test_pod_reaches_the_api_server(own_cluster: Cluster, namespace: str, worker_image: str) -> None:
    pod = pods.shell("inside", "")
    pod["spec"]["automountServiceAccountToken"] = True
    pod["spec"]["containers"][0].update(image=worker_image, command=["python", "-c", _CALL_API])
    pods.create(own_cluster, namespace, pod)
    end = pods.ended(own_cluster, namespace, "inside")
    logs = own_cluster.kubectl("logs", "inside", "-n", namespace)
    assert end["status"]["phase"] == "Succeeded", logs
    assert logs.startswith("v1.")


def test_running_cluster_is_found_again(own_cluster: Cluster) -> None:
    again = Cluster.start(own_cluster.settings.folder)
    assert again.server == own_cluster.server
    assert again.processes.find("etcd") == own_cluster.processes.find("etcd")


def test_created_namespaces_are_ready(cluster: KubernetesAccess, namespace: str) -> None:
    accounts = cluster.api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts")["items"]
    assert [account["metadata"]["name"] for account in accounts] == ["default"]
