"""Pods of these tests: small specs, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from infra.testcluster import KubernetesAccess
from infra.testcluster.api import eventually
from infra.testcluster.archives import BUSYBOX_IMAGE
from infra.testcluster.kwok import LABELS, TOLERATION

Pod = dict[str, Any]


def shell(name: str, script: str, *, limits: Mapping[str, str] | None = None) -> Pod:
    """A pod whose one container runs a script of busybox's shell on the real node."""
    container = {
        "name": "main",
        "image": BUSYBOX_IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/bin/sh", "-c", script],
        "resources": {"limits": dict(limits or {}), "requests": {"cpu": "10m"}},
    }
    spec = {"restartPolicy": "Never", "containers": [container], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def on_kwok(name: str, annotations: Mapping[str, str] | None = None) -> Pod:
    """A pod for the nodes that kwok plays; its annotations say what becomes of it."""
    container = {"name": "main", "image": "anything"}
    spec = {"restartPolicy": "Never", "nodeSelector": LABELS, "tolerations": [TOLERATION], "containers": [container]}
    metadata = {"name": name, "annotations": dict(annotations or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def create(cluster: KubernetesAccess, namespace: str, pod: Pod) -> None:
    """Creates the pod."""
    cluster.api.create(f"/api/v1/namespaces/{namespace}/pods", pod)


def get(cluster: KubernetesAccess, namespace: str, name: str) -> Pod:
    """The pod as the API server has it."""
    found: Pod = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    return found


def when(cluster: KubernetesAccess, namespace: str, name: str, what: str, holds: Callable[[Pod], object]) -> Pod:
    """Waits until something holds of the pod; the pod."""

    def look() -> Pod | None:
        pod = get(cluster, namespace, name)
        return pod if holds(pod) else None

    return eventually(f"{name}: {what}", look, 60)


def ended(cluster: KubernetesAccess, namespace: str, name: str) -> Pod:
    """Waits for the pod's end; the pod."""
    return when(cluster, namespace, name, "ended", lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"))


def terminated(pod: Pod) -> dict[str, Any]:
    """How the pod's one container ended."""
    found: dict[str, Any] = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return found


def condition(pod: Pod, kind: str) -> dict[str, Any]:
    """One of the pod's conditions; empty when it has none of this type."""
    return next((entry for entry in pod["status"].get("conditions", []) if entry["type"] == kind), {})
