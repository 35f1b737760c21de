"""A Kubernetes cluster as its tests use it, be it the test cluster or a user's own."""

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
    """What works on any cluster whose administrator we are.

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
        """The API server's URL."""
        return self.api.server

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 -- named as subprocess names it
        """Runs kubectl as the administrator; its output. Raises ClusterError with its words when it fails."""
        command = [self._kubectl, f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.kubeconfig.parent / 'kubectl-cache'}"]
        done = subprocess.run(
            [*command, *arguments], input=input, env=_without_proxies(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def create_namespace(self, name: str) -> None:
        """A new namespace, with its default service account: without that, pods are refused."""
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        path = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        eventually(f"service account of namespace {name}", lambda: self.api.find(path))

    def delete_namespace(self, name: str, *, wait: bool = False) -> None:
        """Deletes a namespace with all that is in it; `wait` for the end (pods get their grace period)."""
        self.api.delete(f"/api/v1/namespaces/{name}")
        if wait:
            eventually(f"namespace {name} gone", lambda: self.api.find(f"/api/v1/namespaces/{name}") is None, 120)

    def set_gpus(self, node: str, count: int) -> None:
        """Says that a node has GPUs; the scheduler believes it. After a kubelet's start say it again."""
        path = f"/api/v1/nodes/{node}"
        resources = {GPU: str(count)}
        status = {"status": {"capacity": resources, "allocatable": resources}}
        if count == 0 or self.api.get(path)["metadata"]["labels"].get("type") == "kwok":
            self.api.patch(f"{path}/status", status)
            return
        # A kubelet that hears of the GPUs later than the scheduler refuses the pod that was waiting for one.
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
        """Makes nodes `<prefix>-<random>-<number>` that kwok plays, and waits until they are ready; their names."""
        # Never the same name twice: kwok may overlook that a node went when another of its name comes at once.
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
        """Deletes the nodes that were added under a prefix; their pods go as from any node that is gone."""
        self.api.delete(f"/api/v1/nodes?labelSelector=testcluster%2Fprefix%3D{prefix}")

    def wait_for_node(self, name: str, seconds: float = 60) -> None:
        """Waits until a node is ready and the scheduler may use it."""
        eventually(f"node {name} ready", lambda: self._usable(name), seconds)

    def _usable(self, name: str) -> bool:
        node = self.api.find(f"/api/v1/nodes/{name}")
        if node is None:
            return False
        ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in node["status"].get("conditions", []))
        taints = {taint["key"] for taint in node["spec"].get("taints", [])}
        return ready and not any(key.startswith("node.kubernetes.io/") for key in taints)

    def grant(self, namespace: str, user: str, rules: list[dict[str, object]]) -> None:
        """Gives a user (for example `flytemp-worker`) the rights of `rules` in one namespace, and nothing else."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        role = {"kind": "Role", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
        self.api.create(f"{path}/roles", {"metadata": {"name": user}, "rules": rules})
        self.api.create(f"{path}/rolebindings", {"metadata": {"name": user}, "subjects": [subject], "roleRef": role})

    def reachable(self) -> bool:
        """Whether the API server answers that it is ready."""
        try:
            return bool(self.api.get("/readyz") == "ok")
        except (Refused, ClusterError):
            return False


def _without_proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
