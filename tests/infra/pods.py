"""Pods of these tests: small specs and their status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from infra.testcluster import KubernetesAccess
from infra.testcluster.api import eventually
from infra.testcluster.archives import BUSYBOX_IMAGE
from infra.testcluster.kwok import LABELS, TOLERATION

Pod = dict[str, Any]


def shell(name: str, script: str, *, limits: Mapping[str, str] | None = None) -> Pod:
    """Return a pod whose container runs a shell script on the real node."""
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
    """Return a pod for kwok's nodes; its annotations determine its end."""
    container = {"name": "main", "image": "anything"}
    spec = {"restartPolicy": "Never", "nodeSelector": LABELS, "tolerations": [TOLERATION], "containers": [container]}
    metadata = {"name": name, "annotations": dict(annotations or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def create(cluster: KubernetesAccess, namespace: str, pod: Pod) -> None:
    """Create the pod."""
    cluster.api.create(f"/api/v1/namespaces/{namespace}/pods", pod)


def get(cluster: KubernetesAccess, namespace: str, name: str) -> Pod:
    """Return the pod from the API server."""
    found: Pod = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    return found


def when(cluster: KubernetesAccess, namespace: str, name: str, what: str, holds: Callable[[Pod], object]) -> Pod:
    """Wait for a condition of the pod; return the pod."""

    def look() -> Pod | None:
        pod = get(cluster, namespace, name)
        return pod if holds(pod) else None

    return eventually(f"{name}: {what}", look, 60)


def ended(cluster: KubernetesAccess, namespace: str, name: str) -> Pod:
    """Wait for the end of the pod; return the pod."""
    return when(cluster, namespace, name, "ended", lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"))


def terminated(pod: Pod) -> dict[str, Any]:
    """Return the end of the pod's container."""
    found: dict[str, Any] = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return found


def condition(pod: Pod, kind: str) -> dict[str, Any]:
    """Return a condition of the pod; empty if it does not exist."""
    return next((entry for entry in pod["status"].get("conditions", []) if entry["type"] == kind), {})
