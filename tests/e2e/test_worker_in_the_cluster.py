"""A worker that runs in a pod of the project's image, with exactly the rights of infra/rbac."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import textwrap
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.testcluster import Cluster, S3Server
from infra.testcluster.pytest_fixtures import (
    allow_first_build,
    cluster,
    namespace,
    own_cluster,
    s3_server,
    task_image,
    worker_image,
)
from tests.installation import Installation, eventually

__all__ = ["cluster", "namespace", "own_cluster", "s3_server", "task_image", "worker_image"]

pytestmark = [pytest.mark.kubernetes, pytest.mark.e2e]

RBAC = Path(__file__).resolve().parents[2] / "infra" / "rbac" / "worker.yaml"
PROGRAM = """
    from flytemp import task, workflow

    @task
    def double(x: int) -> int:
        print("doubling", x)
        return 2 * x

    @workflow
    def twice(x: int) -> int:
        return double(x=double(x=x))
"""
POLICY = 'environment_secrets = ["store"]\ndefaults = {cpu = "500m", memory = "128Mi"}\n'


class Relay(socketserver.BaseRequestHandler):
    """Forwards a connection to Temporal, whose development server listens on loopback only."""

    target: tuple[str, int]

    def handle(self) -> None:
        with socket.create_connection(self.target) as onward:
            back = threading.Thread(target=self._pass_on, args=(onward, self.request), daemon=True)
            back.start()
            self._pass_on(self.request, onward)
            back.join()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relayed(address: str, ip: str) -> Iterator[str]:
    """Yield an address on ``ip`` whose connections are forwarded to ``address``."""
    host, _, port = address.rpartition(":")
    handler = type("ToTemporal", (Relay,), {"target": (host, int(port))})
    with socketserver.ThreadingTCPServer((ip, 0), handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{ip}:{server.server_address[1]}"
        server.shutdown()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_first_build(items)


@pytest.fixture
def outside(tmp_path: Path, s3_server: S3Server) -> Iterator[Installation]:
    installation = Installation.start(tmp_path)
    uri = f"s3://{s3_server.bucket}/{uuid.uuid4().hex[:10]}"
    installation.variables = {**s3_server.environment, "FLYTEMP_STORE": uri}
    yield installation
    installation.stop()


@pytest.fixture
def worker_namespace(own_cluster: Cluster, namespace: str) -> Iterator[str]:
    """Yield a namespace for the worker. The namespace of its tasks enforces the restricted Pod Security Standard."""
    own_cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    name = f"{namespace}-worker"
    own_cluster.create_namespace(name)
    yield name
    own_cluster.delete_namespace(name)


@pytest.fixture
def temporal(outside: Installation, own_cluster: Cluster) -> Iterator[str]:
    """Yield the address at which pods reach the Temporal server."""
    with relayed(outside.server.address, own_cluster.bridge_ip) as address:
        yield address


def worker(image: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the manifest of a worker pod, as an operator would write it."""
    container = {
        "name": "worker",
        "image": image,
        "imagePullPolicy": "Never",
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "envFrom": [{"secretRef": {"name": "store"}}],
        "volumeMounts": [{"name": "policy", "mountPath": "/etc/flytemp"}],
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False},
    }
    spec = {
        "serviceAccountName": "flytemp-worker",
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "policy", "configMap": {"name": "policy"}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker"}, "spec": spec}


def test_a_worker_in_a_pod_runs_tasks_in_pods_of_another_namespace(
    outside: Installation, temporal: str, own_cluster: Cluster, namespace: str, worker_namespace: str, s3_server: S3Server,
    task_image: str, worker_image: str,
) -> None:  # fmt: skip
    manifests = RBAC.read_text().replace("namespace: flytemp-tasks\n", f"namespace: {namespace}\n")
    for one in yaml.safe_load_all(manifests.replace("namespace: flytemp\n", f"namespace: {worker_namespace}\n")):
        own_cluster.kubectl("apply", "-f", "-", input=json.dumps(one))
    literals = [f"--from-literal={name}={value}" for name, value in s3_server.environment.items()]
    for place in (namespace, worker_namespace):
        own_cluster.kubectl("create", "secret", "generic", "store", "-n", place, *literals)
    own_cluster.kubectl("create", "configmap", "policy", "-n", worker_namespace, f"--from-literal=policy.toml={POLICY}")
    variables = {
        "TEMPORAL_ADDRESS": temporal,
        "FLYTEMP_STORE": outside.variables["FLYTEMP_STORE"],
        "FLYTEMP_TASK_QUEUE": "flytemp",
        "FLYTEMP_WORKER_BACKEND": "kubernetes",
        "FLYTEMP_KUBERNETES_NAMESPACE": namespace,
        "FLYTEMP_KUBERNETES_IMAGE": task_image,
        "FLYTEMP_KUBERNETES_POLICY": "/etc/flytemp/policy.toml",
    }
    outside.flytemp("setup")
    own_cluster.kubectl("apply", "-n", worker_namespace, "-f", "-", input=json.dumps(worker(worker_image, variables)))
    program = outside.folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    outside.flytemp("register", str(program), "--version", "v1")

    done = outside.flytemp("launch", "program.twice", "--x", "3", "--name", "inside-1", "--wait", "-o", "json", check=None)
    assert done.returncode == 0, own_cluster.kubectl("logs", "worker", "-n", worker_namespace)
    assert json.loads(done.stdout)["outputs"] == {"o0": 12}

    def pods() -> list[str]:
        return own_cluster.kubectl("get", "pods", "-n", namespace, "-o", "name").split()

    eventually(lambda: not pods(), "the worker removes the tasks' pods")
    assert outside.flytemp("logs", "inside-1", "n0").stdout == "doubling 3\n"
