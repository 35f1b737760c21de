"""What a pod is called, and what it says about itself: the same for every worker that ever looks for the same try."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from flytemp.names import slug
from flytemp.runtime.invocation import PROTOCOL_VERSION, Invocation

MANAGED_BY = "app.kubernetes.io/managed-by"
QUEUE = "flytemp.dev/queue"
RUN = "flytemp.dev/run"
NODE = "flytemp.dev/node"
ATTEMPT = "flytemp.dev/attempt"
TRY = "flytemp.dev/try"
ROOT = "flytemp.dev/root"
PATH = "flytemp.dev/path"
INVOCATION = "flytemp.dev/invocation"

PRIMARY = "flytemp.dev/primary-container"

_MOST = 63  # of a DNS label, and of a label's value


def pod_name(invocation: Invocation) -> str:
    """``<execution>-<node>-<attempt>-<try>-<hash>``: readable, and of nothing else in any namespace."""
    key = f"{invocation.execution_root}/{invocation.node}/{invocation.attempt_key}/{invocation.try_}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    numbers = f"{invocation.attempt}-{invocation.try_}-{digest}"
    left = _MOST - len(numbers) - 2
    node = slug(invocation.node, min(20, left // 2))
    return f"{slug(invocation.execution, left - len(node))}-{node}-{numbers}"


def pod_labels(invocation: Invocation, task_queue: str) -> dict[str, str]:
    """By these a pod is found: by workers, by the janitor, by people."""
    return {
        MANAGED_BY: "flytemp",
        QUEUE: label_value(task_queue),
        RUN: run_label(invocation.execution_root),
        "flytemp.dev/project": label_value(invocation.project),
        "flytemp.dev/domain": label_value(invocation.domain),
        "flytemp.dev/execution": label_value(invocation.execution),
        "flytemp.dev/workflow": label_value(invocation.workflow),
        "flytemp.dev/task": label_value(invocation.task.name),
        NODE: label_value(invocation.node),
        ATTEMPT: invocation.attempt_key,
        TRY: str(invocation.try_),
    }


def pod_annotations(invocation: Invocation, primary: str) -> dict[str, str]:
    """What does not fit into labels: where the execution lies, and which invocation this is."""
    return {
        ROOT: invocation.execution_root,
        PATH: invocation.node,
        PRIMARY: primary,
        INVOCATION: invocation_hash(invocation),
        "flytemp.dev/protocol": str(PROTOCOL_VERSION),
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    }


def selector(task_queue: str) -> str:
    """All pods of a deployment: of the workers of one task queue."""
    return f"{MANAGED_BY}=flytemp,{QUEUE}={label_value(task_queue)}"


def run_label(root: str) -> str:
    """Of an execution's root: equal for all pods of one execution."""
    return hashlib.sha256(root.encode()).hexdigest()[:32]


def invocation_hash(invocation: Invocation) -> str:
    """Of what the pod was made for. How it is made may change with the operator's settings while it runs; and a newer worker,
    whose specs have more fields, finds the same."""
    fields = {"execution_root", "node", "attempt", "epoch", "try_", "task", "bundle", "inputs", "items"}
    key = invocation.model_dump_json(include=fields, exclude_defaults=True)
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def is_of(pod: dict[str, Any], invocation: Invocation) -> bool:
    """Whether the pod was made for this very try."""
    metadata = pod["metadata"]
    told = metadata.get("annotations") or {}
    return told.get(INVOCATION) == invocation_hash(invocation) and told.get(ROOT) == invocation.execution_root


def label_value(text: str) -> str:
    """``text`` as a label's value: itself where it may be one, else a slug with a hash."""
    if len(text) <= _MOST and re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", text):
        return text
    return f"{slug(text, 46)}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
