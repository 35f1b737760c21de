"""Functions of a Kubernetes cluster for tests: the test cluster or a user's cluster."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from infra.testcluster import kwok
from infra.testcluster.api import Api, Refused, eventually
from infra.testcluster.errors import ClusterError

GPU = "nvidia.com/gpu"


class KubernetesAccess:
    """Functions that work on any cluster with administrator rights.

    `kubeconfig` is the administrator's file, `api` a client with the same rights, `server`, `token` and `ca_file` what
    another client needs.
    """

    def __init__(self, kubeconfig: Path, api: Api, *, kubectl: str, token: str, ca_file: Path | None) -> None:
        self.kubeconfig = kubeconfig
        self.api = api
        self.token = token
        self.ca_file = ca_file
        self._kubectl = kubectl

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self.api.server

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 -- named as subprocess names it
        """Run kubectl as the administrator and return its output. Raise ClusterError with its message if it fails."""
        command = [self._kubectl, f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.kubeconfig.parent / 'kubectl-cache'}"]
        done = subprocess.run(
            [*command, *arguments], input=input, env=_without_proxies(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def create_namespace(self, name: str) -> None:
        """Create a namespace and wait for its default service account, without which pods are refused."""
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        # After an outage of the API server, the controllers connect again with a back-off of up to 30 s.
        eventually(f"service account of namespace {name}", lambda: self.api.find(path), 120)

    def delete_namespace(self, name: str, *, wait: bool = False) -> None:
        """Delete a namespace and its content; `wait` for the end, including the grace period of pods."""
        self.api.delete(f"/api/v1/namespaces/{name}")
        if wait:
            eventually(f"namespace {name} gone", lambda: self.api.find(f"/api/v1/namespaces/{name}") is None, 120)

    def set_gpus(self, node: str, count: int) -> None:
        """Set the number of GPUs in a node's status. The kubelet resets it at its start."""
        path = f"/api/v1/nodes/{node}"
        resources = {GPU: str(count)}
        status = {"status": {"capacity": resources, "allocatable": resources}}
        if count == 0 or self.api.get(path)["metadata"]["labels"].get("type") == "kwok":
            self.api.patch(f"{path}/status", status)
            return
        # A kubelet that reads the status after the scheduler refuses the pod that was waiting for a GPU.
        self.api.patch(path, {"spec": {"unschedulable": True}})
        self.api.patch(f"{path}/status", status)
        time.sleep(0.5)
        self.api.patch(path, {"spec": {"unschedulable": None}})

    def add_kwok_nodes(
        self,
        count: int,
        *,
        gpus: int = 0,
        labels: Mapping[str, str] | None = None,
        pods: int = 5000,
        prefix: str = "kwok",
    ) -> list[str]:
        """Create simulated nodes `<prefix>-<random>-<number>`, wait until they are ready, and return their names."""
        # Names are unique, because kwok may miss the deletion of a node if another one gets its name at once.
        chosen = secrets.token_hex(3)
        names = [f"{prefix}-{chosen}-{number}" for number in range(count)]
        for name in names:
            self.api.create(
                "/api/v1/nodes", kwok.node(name, gpus=gpus, pods=pods, labels={**(labels or {}), "testcluster/prefix": prefix})
            )
        for name in names:
            self.wait_for_node(name)
        return names

    def remove_kwok_nodes(self, prefix: str = "kwok") -> None:
        """Delete the nodes with a prefix; their pods are deleted as for any lost node."""
        self.api.delete(f"/api/v1/nodes?labelSelector=testcluster%2Fprefix%3D{prefix}")

    def wait_for_node(self, name: str, seconds: float = 60) -> None:
        """Wait until a node is ready and schedulable."""
        eventually(f"node {name} ready", lambda: self._usable(name), seconds)

    def _usable(self, name: str) -> bool:
        node = self.api.find(f"/api/v1/nodes/{name}")
        if node is None:
            return False
        ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in node["status"].get("conditions", []))
        taints = {taint["key"] for taint in node["spec"].get("taints", [])}
        return ready and not any(key.startswith("node.kubernetes.io/") for key in taints)

    def grant(self, namespace: str, user: str, rules: list[dict[str, object]]) -> None:
        """Grant a user (for example `flytemp-worker`) the rights of `rules` in one namespace."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        role = {"kind": "Role", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        self.api.create(f"{path}/roles", {"metadata": {"name": user}, "rules": rules})
        self.api.create(f"{path}/rolebindings", {"metadata": {"name": user}, "subjects": [subject], "roleRef": role})

    def reachable(self) -> bool:
        """Return whether the API server is ready."""
        try:
            return bool(self.api.get("/readyz") == "ok")
        except (Refused, ClusterError):
            return False


def _without_proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
