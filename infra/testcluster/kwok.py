"""Simulated nodes with kwok as their kubelet, for thousands of pods and for failures that are hard to cause."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.testcluster.controlplane import NODE_GRACE_SECONDS
from infra.testcluster.settings import Settings

STAGES = Path(__file__).parent / "kwok-stages.yaml"
LABELS = {"type": "kwok"}
# Only pods that tolerate this taint run here.
TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
TOLERATION = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}

# A node without pods. As long as it is ready, the loss of the real node does not count as a loss of the whole zone, after
# which the node controller would not evict pods.
KEEPER = "zone-keeper"


def kwok(settings: Settings) -> list[str]:
    """Return the command of kwok."""
    return [
        str(settings.programs / "kwok"),
        f"--kubeconfig={settings.kubeconfig('kwok')}",
        f"--config={STAGES}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-label-selector=type=kwok",
        f"--server-address=127.0.0.1:{settings.ports['kwok']}",
        f"--node-lease-duration-seconds={NODE_GRACE_SECONDS}",
        "--cidr=10.245.0.1/16",
    ]


def node(name: str, *, gpus: int = 0, pods: int = 5000, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a node object for kwok with capacity for `pods` pods and `gpus` GPUs."""
    resources = {"cpu": "10k", "memory": "100Ti", "ephemeral-storage": "100Ti", "pods": str(pods)}
    if gpus:
        resources["nvidia.com/gpu"] = str(gpus)
    information = {
        "architecture": "amd64",
        "operatingSystem": "linux",
        "kubeletVersion": "kwok",
        **dict.fromkeys(
            ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "machineID", "osImage", "systemUUID"), ""
        ),
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**LABELS, "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})},
        },
        "spec": {"taints": [TAINT]},
        "status": {"capacity": resources, "allocatable": resources, "nodeInfo": information},
    }
