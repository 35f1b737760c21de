"""Pods as the API server returns them, in the states that matter."""

from __future__ import annotations

from typing import Any

Pod = dict[str, Any]


def pod(phase: str = "Pending", *, node: str = "node-1", deleting: bool = False, **status: Any) -> Pod:
    metadata: Pod = {"name": "p", "namespace": "tasks", "uid": "u-1", "resourceVersion": "1"}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    spec = {"nodeName": node, "containers": [{"name": "primary", **limits}, {"name": "sidecar", **limits}]}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, **status}}


def container(name: str = "primary", **state: Any) -> Pod:
    return {"name": name, "state": state}


def terminated(code: int, reason: str = "Error", message: str = "", name: str = "primary") -> Pod:
    return container(name, terminated={"exitCode": code, "reason": reason, "message": message})


def waiting(reason: str, message: str = "", name: str = "primary") -> Pod:
    return container(name, waiting={"reason": reason, "message": message})


def running(name: str = "primary", at: str = "2026-01-01T00:00:10Z") -> Pod:
    return container(name, running={"startedAt": at})


def disrupted(reason: str) -> Pod:
    return {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "to make room"}
