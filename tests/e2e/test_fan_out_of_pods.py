"""Fan-outs whose pods start before Temporal dispatches their activities: each pod is created once."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.testcluster import Cluster
from infra.testcluster.kwok import LABELS, TOLERATION
from infra.testcluster.pytest_fixtures import allow_first_build, cluster, own_cluster
from tests.installation import Installation, eventually

__all__ = ["cluster", "own_cluster"]

pytestmark = [pytest.mark.kubernetes, pytest.mark.e2e]

MANY = 150
CHAIN = 6

PROGRAM = f"""
    from flytemp import ContainerTask, PodTemplate, task, workflow

    def step(seconds):
        template = PodTemplate(annotations={{"testcluster/run-seconds": str(seconds)}})
        return ContainerTask(name=f"step{{seconds}}", image="nothing:1", command=["true"], pod_template=template)

    short, while_, long = step(2), step(15), step(1000)

    @workflow
    def shorts() -> None:
        for _ in range({MANY}):
            short()

    @workflow
    def chain() -> None:
        before = short()
        for _ in range({CHAIN - 1}):
            after = short()
            before >> after
            before = after

    @workflow
    def whiles() -> None:
        for _ in range({MANY}):
            while_()

    @workflow
    def once() -> None:
        while_()

    @workflow
    def longs() -> None:
        for _ in range({MANY}):
            long()
"""


class Seen:
    """Uids of all pods that were in a namespace, by name. The namespace is listed several times a second."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.uids: dict[str, set[str]] = defaultdict(set)
        self.there = 0
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._cluster = cluster
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            pods = self._cluster.api.get(self._path)["items"]
            for pod in pods:
                self.uids[pod["metadata"]["name"]].add(pod["metadata"]["uid"])
            self.there = len(pods)

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)


@pytest.fixture(scope="module")
def namespace(own_cluster: Cluster) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:10]}"
    own_cluster.create_namespace(name)
    own_cluster.add_kwok_nodes(1, prefix=name, labels={"testcluster/of": name})
    yield name
    own_cluster.delete_namespace(name)
    own_cluster.remove_kwok_nodes(name)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, own_cluster: Cluster, namespace: str) -> Iterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("fan-out")
    selector = json.dumps({**LABELS, "testcluster/of": namespace}).replace('":', '" =')
    toleration = json.dumps(dict(TOLERATION)).replace('":', '" =')
    policy = folder / "policy.toml"
    policy.write_text(f'node_selector = {selector}\ntolerations = [{toleration}]\ndefaults = {{cpu = "1m", memory = "1Mi"}}\n')
    running = Installation.start(folder / "installation")
    running.variables = {
        "FLYTEMP_WORKER_BACKEND": "kubernetes",
        "FLYTEMP_WORKER_MAX_PARALLELISM": "0",
        "FLYTEMP_WORKER_HEARTBEAT_SECONDS": "5",
        "FLYTEMP_KUBERNETES_KUBECONFIG": str(own_cluster.kubeconfig),
        "FLYTEMP_KUBERNETES_NAMESPACE": namespace,
        "FLYTEMP_KUBERNETES_POLICY": str(policy),
    }
    try:
        running.start_with(PROGRAM)
        yield running
    finally:
        running.stop()


@pytest.fixture
def seen(own_cluster: Cluster, namespace: str) -> Iterator[Seen]:
    looking = Seen(own_cluster, namespace)
    yield looking
    looking.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_first_build(items)


def phase(installation: Installation, name: str) -> str:
    return str(json.loads(installation.flytemp("get", "execution", name, "-o", "json").stdout)["phase"])


def assert_each_once(seen: Seen, many: int = MANY) -> None:
    assert len(seen.uids) == many
    assert {len(uids) for uids in seen.uids.values()} == {1}


def test_each_pod_is_created_once(installation: Installation, seen: Seen) -> None:
    installation.flytemp("launch", "program.shorts", "--name", "shorts-1", "--wait")
    assert phase(installation, "shorts-1") == "SUCCEEDED"
    eventually(lambda: seen.there == 0, "the pods are removed")
    assert_each_once(seen)


def test_pods_are_created_once_if_the_worker_is_killed_meanwhile(installation: Installation, seen: Seen) -> None:
    installation.flytemp("launch", "program.whiles", "--name", "whiles-1")
    eventually(lambda: seen.there >= 60, "many pods exist")
    os.killpg(installation.workers[-1].pid, signal.SIGKILL)
    installation.start_worker()
    eventually(lambda: phase(installation, "whiles-1") == "SUCCEEDED", "it succeeds", 120)
    eventually(lambda: seen.there == 0, "the pods are removed", 60)
    assert_each_once(seen)


def test_cancellation_during_the_start_leaves_no_pods(installation: Installation, seen: Seen) -> None:
    installation.flytemp("launch", "program.longs", "--name", "longs-1")
    eventually(lambda: seen.there >= 60, "many pods exist")
    installation.flytemp("cancel", "longs-1")
    eventually(lambda: phase(installation, "longs-1") == "ABORTED", "it stops", 120)
    time.sleep(0.5)
    assert seen.there == 0, "an execution ends after its pods"
    assert {len(uids) for uids in seen.uids.values()} == {1}


def test_termination_during_the_start_leaves_no_pods(installation: Installation, seen: Seen) -> None:
    installation.flytemp("launch", "program.longs", "--name", "longs-2")
    eventually(lambda: seen.there >= 60, "many pods exist")
    installation.flytemp("terminate", "longs-2")
    eventually(lambda: seen.there == 0, "its pods are removed", 120)


def test_two_workers_create_each_pod_of_a_chain_once(installation: Installation, seen: Seen) -> None:
    installation.start_worker()
    for number in range(4):
        installation.flytemp("launch", "program.chain", "--name", f"chain-{number}")
    for number in range(4):
        eventually(lambda name=f"chain-{number}": phase(installation, name) == "SUCCEEDED", "it succeeds", 120)
    eventually(lambda: seen.there == 0, "the pods are removed")
    assert_each_once(seen, 4 * CHAIN)
