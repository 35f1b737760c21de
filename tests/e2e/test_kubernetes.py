"""Executions whose tasks are pods, as users run them: the command line, a real worker, a real cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flytemp_activities.kubernetes import names
from infra.testcluster import Cluster, KubernetesAccess, S3Server
from infra.testcluster.pytest_fixtures import allow_first_build, cluster, namespace, own_cluster, s3_server, task_image
from tests.installation import Installation, eventually

__all__ = ["cluster", "namespace", "own_cluster", "s3_server", "task_image"]

pytestmark = [pytest.mark.kubernetes, pytest.mark.e2e]

PROGRAM = """
    import time
    from flytemp import ContainerTask, Resources, task, workflow

    @task
    def double(x: int) -> int:
        print("doubling", x)
        return 2 * x

    @task
    def slow(seconds: float) -> str:
        print("waiting", flush=True)
        time.sleep(seconds)
        return "waited"

    @task(resources=Resources(gpu="1"))
    def train(x: int) -> int:
        return x + 1

    @workflow
    def diamond(x: int) -> tuple[int, int]:
        first = double(x=x)
        return double(x=first), double(x=first)

    @workflow
    def waits(seconds: float) -> str:
        return slow(seconds=seconds)

    @task(retries=1)
    def hog() -> int:
        return len(bytearray(512 * 2**20))

    @workflow
    def hogs() -> int:
        return hog()

    @workflow
    def waits_with_retries(seconds: float) -> str:
        return slow(seconds=seconds).with_overrides(retries=1)

    @workflow
    def trains(x: int) -> int:
        return train(x=double(x=x))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pods")


@pytest.fixture(scope="module")
def tasks_namespace(cluster: KubernetesAccess) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:10]}"
    cluster.create_namespace(name)
    yield name
    cluster.delete_namespace(name)


@pytest.fixture(scope="module")
def pods_installation(
    folder: Path, cluster: KubernetesAccess, s3_server: S3Server, task_image: str, tasks_namespace: str
) -> Iterator[Installation]:
    policy = folder / "policy.toml"
    variables = "\n".join(f"{name} = {json.dumps(value)}" for name, value in s3_server.environment.items())
    policy.write_text(f'defaults = {{cpu = "500m", memory = "128Mi"}}\n\n[environment]\n{variables}\n')
    running = Installation.start(folder / "installation")
    running.variables = {
        **s3_server.environment,
        "FLYTEMP_STORE": f"s3://{s3_server.bucket}/{uuid.uuid4().hex[:10]}",
        "FLYTEMP_WORKER_BACKEND": "kubernetes",
        "FLYTEMP_KUBERNETES_KUBECONFIG": str(cluster.kubeconfig),
        "FLYTEMP_KUBERNETES_NAMESPACE": tasks_namespace,
        "FLYTEMP_KUBERNETES_IMAGE": task_image,
        "FLYTEMP_KUBERNETES_POLICY": str(policy),
    }
    try:
        running.start_with(PROGRAM)
        yield running
    finally:
        running.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_first_build(items)


def execution(running: Installation, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(running.flytemp("get", "execution", name, "-o", "json").stdout)
    return found


def node(running: Installation, name: str, path: str) -> dict[str, Any]:
    return next((node for node in execution(running, name)["nodes"] if node["id"] == path), {})


def pods(cluster: KubernetesAccess, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cluster.kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    return found


def test_every_node_is_a_pod(pods_installation: Installation, cluster: KubernetesAccess, tasks_namespace: str) -> None:
    done = pods_installation.flytemp("launch", "program.diamond", "--x", "3", "--name", "diamond-1", "--wait", "-o", "json")
    assert json.loads(done.stdout)["outputs"] == {"o0": 12, "o1": 12}
    eventually(lambda: not pods(cluster, tasks_namespace), "the pods are removed")
    assert "doubling 3" in pods_installation.flytemp("logs", "diamond-1", "n0").stdout


@pytest.mark.breaks_cluster
def test_why_a_node_waits_is_shown_while_it_waits(
    pods_installation: Installation, own_cluster: Cluster, tasks_namespace: str
) -> None:
    own_cluster.set_gpus(own_cluster.node_name, 0)
    pods_installation.flytemp("launch", "program.trains", "--x", "1", "--name", "gpu-1")
    eventually(lambda: "nvidia" in (node(pods_installation, "gpu-1", "n1").get("message") or ""), "it waits")
    waiting = node(pods_installation, "gpu-1", "n1")
    assert waiting["phase"] == "QUEUED"
    assert waiting["message"].startswith("Unschedulable: ")
    assert "Insufficient nvidia.com/gpu" in pods_installation.flytemp("get", "execution", "gpu-1").stdout
    own_cluster.set_gpus(own_cluster.node_name, 1)
    eventually(lambda: execution(pods_installation, "gpu-1")["phase"] == "SUCCEEDED", "it ran")


def test_a_worker_that_is_killed_while_the_pod_runs(
    pods_installation: Installation, cluster: KubernetesAccess, tasks_namespace: str
) -> None:
    pods_installation.flytemp("launch", "program.waits", "--seconds", "8", "--name", "killed-1")
    eventually(lambda: node(pods_installation, "killed-1", "n0").get("phase") == "RUNNING", "it runs")
    eventually(lambda: pods(cluster, tasks_namespace), "it has a pod")
    (pod,) = pods(cluster, tasks_namespace)
    os.killpg(pods_installation.workers[-1].pid, signal.SIGKILL)
    pods_installation.start_worker()
    eventually(lambda: execution(pods_installation, "killed-1")["phase"] == "SUCCEEDED", "it ends")
    found = execution(pods_installation, "killed-1")
    assert found["outputs"] == {"o0": "waited"}
    (one,) = found["nodes"]
    assert [(attempt["attempt"], attempt["tries"]) for attempt in one["attempt_history"]] == [(1, 1)]
    assert {p["metadata"]["uid"] for p in pods(cluster, tasks_namespace)} <= {pod["metadata"]["uid"]}


def test_a_pod_taken_by_the_platform_costs_no_user_retry(
    pods_installation: Installation, cluster: KubernetesAccess, tasks_namespace: str
) -> None:
    pods_installation.flytemp("launch", "program.waits_with_retries", "--seconds", "5", "--name", "evicted-1")
    eventually(lambda: node(pods_installation, "evicted-1", "n0").get("phase") == "RUNNING", "it runs")
    (name,) = [pod["metadata"]["name"] for pod in pods(cluster, tasks_namespace)]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": tasks_namespace}}
    path = f"/api/v1/namespaces/{tasks_namespace}/pods/{name}/eviction"
    cluster.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction))
    eventually(lambda: execution(pods_installation, "evicted-1")["phase"] == "SUCCEEDED", "it runs again")
    (attempt,) = node(pods_installation, "evicted-1", "n0")["attempt_history"]
    assert (attempt["attempt"], attempt["tries"]) == (1, 2)
    eventually(lambda: not pods(cluster, tasks_namespace), "the pods are removed")


def test_running_out_of_memory_costs_a_retry(
    pods_installation: Installation, cluster: KubernetesAccess, tasks_namespace: str
) -> None:
    pods_installation.flytemp("launch", "program.hogs", "--name", "hog-1", "--wait", check=3)
    history = node(pods_installation, "hog-1", "n0")["attempt_history"]
    assert [(attempt["attempt"], attempt["tries"]) for attempt in history] == [(1, 1), (2, 1)]
    assert {attempt["error"]["code"] for attempt in history} == {"OutOfMemory"}
    eventually(lambda: not pods(cluster, tasks_namespace), "the pods are removed")


def test_logs_are_read_from_a_finished_pod_until_the_store_has_them(
    pods_installation: Installation, cluster: KubernetesAccess, tasks_namespace: str
) -> None:
    pods_installation.flytemp("launch", "program.waits", "--seconds", "0", "--name", "logs-2", "--wait")
    root = execution(pods_installation, "logs-2")["metadata_uri"].removeprefix(pods_installation.variables["FLYTEMP_STORE"] + "/")
    eventually(lambda: not pods(cluster, tasks_namespace), "the pod is removed")
    assert pods_installation.flytemp("logs", "logs-2", "n0").stdout == "waiting\n"
    # Another try of the node, as it is between the end of its pod and the moment its worker has kept what it printed.
    labels = {names.MANAGED_BY: "flytemp", names.RUN: names.run_label(root), names.ATTEMPT: "2", names.TRY: "1"}
    container = {"name": "primary", "image": pods_installation.variables["FLYTEMP_KUBERNETES_IMAGE"]}
    over = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "over", "labels": labels, "annotations": {names.PATH: "n0", names.PRIMARY: "primary"}},
        "spec": {"restartPolicy": "Never", "containers": [{**container, "command": ["echo", "a word"]}]},
    }
    cluster.kubectl("apply", "-n", tasks_namespace, "-f", "-", input=json.dumps(over))
    eventually(lambda: pods(cluster, tasks_namespace)[0]["status"]["phase"] == "Succeeded", "the pod is over")
    for arguments, expected in (
        (["n0"], "waiting\na word\n"),
        (["n0", "--follow"], "waiting\na word\n"),
        (["n0", "--attempt", "2"], "a word\n"),
        (["n0", "--attempt", "1"], "waiting\n"),
    ):
        assert pods_installation.flytemp("logs", "logs-2", *arguments).stdout == expected
    cluster.kubectl("delete", "pod", "over", "-n", tasks_namespace)


def test_logs_are_read_from_a_running_pod(
    pods_installation: Installation, cluster: KubernetesAccess, tasks_namespace: str
) -> None:
    pods_installation.flytemp("launch", "program.waits", "--seconds", "20", "--name", "logs-1")
    eventually(lambda: "waiting" in pods_installation.flytemp("logs", "logs-1").stdout, "its output is shown")
    command = [sys.executable, "-m", "flytemp_cli", "logs", "logs-1", "n0", "--follow"]
    with subprocess.Popen(command, env=pods_installation.environment(), stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "waiting\n"
        assert execution(pods_installation, "logs-1")["phase"] == "RUNNING"
        pods_installation.flytemp("cancel", "logs-1")
        rest = following.stdout.read()
    assert following.returncode == 0
    assert "received TERM" in rest, "the last output, and nothing twice"
    assert "waiting" not in rest
    eventually(lambda: execution(pods_installation, "logs-1")["phase"] == "ABORTED", "it is stopped")
    assert pods(cluster, tasks_namespace) == []
    assert pods_installation.flytemp("logs", "logs-1", "n0").stdout == f"waiting\n{rest}"


def test_the_janitor_removes_the_pods_of_a_terminated_execution(
    pods_installation: Installation, cluster: KubernetesAccess, tasks_namespace: str
) -> None:
    pods_installation.flytemp("launch", "program.waits", "--seconds", "600", "--name", "left-1")
    eventually(lambda: pods(cluster, tasks_namespace), "it has a pod")
    for worker in pods_installation.workers:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
    pods_installation.flytemp("terminate", "left-1")
    rehearsed = eventually(
        lambda: json.loads(pods_installation.flytemp("janitor", "--dry-run", "-o", "json").stdout), "it is old enough", 120
    )
    assert [(one["execution"], one["reason"]) for one in rehearsed] == [("left-1", "its execution has finished")]
    assert len(pods(cluster, tasks_namespace)) == 1
    pods_installation.flytemp("janitor")
    eventually(lambda: not pods(cluster, tasks_namespace), "the pod is removed")
    assert "no pods to delete" in pods_installation.flytemp("janitor").stderr
    pods_installation.start_worker()
