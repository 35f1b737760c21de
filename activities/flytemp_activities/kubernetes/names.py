"""Name, labels and annotations of a pod. They depend on the try alone, so every worker finds the same pod."""

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

_LABEL_CHARACTERS = 63  # maximum length of a DNS label, and of the value of a label


def pod_name(invocation: Invocation) -> str:
    """Return ``<execution>-<node>-<attempt>-<try>-<hash>``, which is unique in every namespace."""
    key = f"{invocation.execution_root}/{invocation.node}/{invocation.attempt_key}/{invocation.try_}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    numbers = f"{invocation.attempt}-{invocation.try_}-{digest}"
    left = _LABEL_CHARACTERS - len(numbers) - 2
    node = slug(invocation.node, min(20, left // 2))
    return f"{slug(invocation.execution, left - len(node))}-{node}-{numbers}"


def pod_labels(invocation: Invocation, task_queue: str) -> dict[str, str]:
    """Return the labels by which workers, the janitor and people find the pod."""
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
    """Return the values that are too long for labels, such as the root of the execution and the hash of the invocation."""
    return {
        ROOT: invocation.execution_root,
        PATH: invocation.node,
        PRIMARY: primary,
        INVOCATION: invocation_hash(invocation),
        "flytemp.dev/protocol": str(PROTOCOL_VERSION),
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    }


def selector(task_queue: str) -> str:
    """Return the label selector of all pods of a deployment, which is the workers of one task queue."""
    return f"{MANAGED_BY}=flytemp,{QUEUE}={label_value(task_queue)}"


def run_label(root: str) -> str:
    """Return the label value that all pods of one execution have."""
    return hashlib.sha256(root.encode()).hexdigest()[:32]


def invocation_hash(invocation: Invocation) -> str:
    """Return the hash of the task and its inputs.

    The hash leaves out the operator's settings, which may change while the pod runs, and defaults, so that a newer worker, whose
    specs have more fields, computes the same hash.
    """
    fields = {"execution_root", "node", "attempt", "epoch", "try_", "task", "bundle", "inputs", "items"}
    key = invocation.model_dump_json(include=fields, exclude_defaults=True)
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def is_of(pod: dict[str, Any], invocation: Invocation) -> bool:
    """Return whether the pod was made for this very try."""
    metadata = pod["metadata"]
    annotations = metadata.get("annotations") or {}
    return annotations.get(INVOCATION) == invocation_hash(invocation) and annotations.get(ROOT) == invocation.execution_root


def label_value(text: str) -> str:
    """Return ``text`` as the value of a label: the text if it is valid, else a slug with a hash."""
    if len(text) <= _LABEL_CHARACTERS and re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", text):
        return text
    return f"{slug(text, 46)}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
