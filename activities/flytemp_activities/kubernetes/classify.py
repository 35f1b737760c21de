"""What a pod's status means: how far it is, why it waits, how it ended and who is to blame. Pure functions of its JSON.

The order of the checks is the point: see `end_of`. It follows Flyte's and Argo's, with the reported mistakes of both mended:
a preempted pod costs the user nothing (flyte#8067), and one that ran out of memory always does, or it would be
started again for ever (marin#4339).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from flytemp.runtime.invocation import TaskError

Pod = dict[str, Any]
Status = dict[str, Any]

DISRUPTIONS = frozenset(
    {"Shutdown", "Terminated", "NodeShutdown", "NodeAffinity", "Evicted", "Preempting", "UnexpectedAdmissionError", "NodeLost"}
)
"""Reasons of a failed pod's status that are the platform's doing (Flyte's list, and what it lacks)."""

KILLED = frozenset({137, 247})
"""Exit codes of a container that was killed, and not for its memory."""

TERMINATED = 143
"""TERM, which a program may also send itself: the user's, unless the pod was disrupted or deleted."""

_IMAGE_WAITS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"})
_CREATE_WAITS = frozenset({"CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError"})
_NEVER = frozenset({"CreateContainerConfigError", "InvalidImageName", "ErrImageNeverPull"})
_ON_ITS_WAY = frozenset({"ContainerCreating", "PodInitializing", ""})

Wait = Literal["scheduling", "image", "creating", "never", "starting", "init", "other"]
"""Why a pod waits, as far as it matters for how long it may."""


@dataclass(frozen=True, slots=True)
class End:
    """How the primary container ended. ``error`` is None when it did what it should.

    ``told``: its runtime said itself why it failed, so ``error`` is that of the try and not of the attempt.
    """

    error: TaskError | None = None
    exit_code: int | None = None
    told: bool = False


@dataclass(frozen=True, slots=True)
class PodStatus:
    """A look at a pod. ``phase`` is "queued" until a node has it, "starting" until its primary container runs."""

    phase: Literal["queued", "starting", "running", "ended"]
    wait: Wait | None = None
    reason: str = ""
    message: str = ""
    node: str = ""
    started_at: float | None = None  # of the primary container, seconds since the epoch, by the node's clock
    deleting: bool = False
    end: End | None = field(default=None)


def look(pod: Pod, primary: str) -> PodStatus:
    """What there is to see of a pod. ``primary`` is the name of the container that is the task."""
    status = pod.get("status") or {}
    node = (pod.get("spec") or {}).get("nodeName") or ""
    deleting = bool(pod["metadata"].get("deletionTimestamp"))
    container = _of(status.get("containerStatuses"), primary)
    state = (container or {}).get("state") or {}
    if status.get("phase") == "Failed" or "terminated" in state or _failed_init(pod) is not None:
        return PodStatus("ended", node=node, deleting=deleting, end=end_of(pod, primary))
    if "running" in state:
        started = _seconds(state["running"].get("startedAt"))
        return PodStatus("running", node=node, started_at=started, deleting=deleting)
    return _waiting(status, node, deleting, _native_sidecars(pod))


# ------------------------------------------------------------------------------------------ waiting


def _native_sidecars(pod: Pod) -> set[str]:
    """The init containers that run beside the others. Kubernetes tells of them as of all init containers."""
    containers = (pod.get("spec") or {}).get("initContainers") or ()
    return {container["name"] for container in containers if container.get("restartPolicy") == "Always"}


def _waiting(status: Status, node: str, deleting: bool, sidecars: Collection[str]) -> PodStatus:
    if not node:
        scheduled = _condition(status, "PodScheduled")
        reason = scheduled.get("reason") or ("" if status.get("phase") == "Pending" else "Pending")
        return PodStatus("queued", "scheduling", reason, scheduled.get("message") or "", deleting=deleting)
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason", "") not in _ON_ITS_WAY:
            reason, message = waiting["reason"], f"container {container['name']}: {waiting.get('message') or ''}"
            return PodStatus("starting", _kind_of_wait(reason), reason, message, node, deleting=deleting)
    prepares = [c for c in status.get("initContainerStatuses") or () if c["name"] not in sidecars]
    running = next((c for c in prepares if "running" in (c.get("state") or {})), None)
    if running is not None:
        message = f"init container {running['name']} runs"
        return PodStatus("starting", "init", "Initializing", message, node, deleting=deleting)
    return PodStatus("starting", "starting", "ContainerCreating", "", node, deleting=deleting)


def _kind_of_wait(reason: str) -> Wait:
    if reason in _NEVER:
        return "never"
    if reason in _IMAGE_WAITS:
        return "image"
    return "creating" if reason in _CREATE_WAITS else "other"


def refused_start(sight: PodStatus) -> TaskError:
    """The error of a pod that will not start: its ``wait`` is "never", or took longer than it may."""
    text = f"the pod does not start: {sight.reason}: {sight.message}".rstrip(": ")
    if sight.wait == "image" and "429 Too Many Requests" in sight.message:
        return TaskError(kind="SYSTEM", code=sight.reason, message=text)
    if sight.wait in ("image", "creating"):
        return TaskError(kind="USER", code=sight.reason, message=text)
    if sight.wait == "never":
        return TaskError(kind="USER", code=sight.reason, message=text, retryable=False)
    return TaskError(kind="SYSTEM", code=sight.reason or "PodPending", message=text)


def missing_volume(message: str) -> str | None:
    """The code of an error when a volume cannot be mounted, as the kubelet's event says, because what it is of is not there."""
    for what, key, code in (("secret", "secret", "SecretNotFound"), ("configmap", "config", "ConfigMapNotFound")):
        if f"references non-existent {key} key" in message or (f'{what} "' in message and "not found" in message):
            return code
    return None


# --------------------------------------------------------------------------------------------- ends


def end_of(pod: Pod, primary: str) -> End:
    """Of a pod that failed, or whose primary container terminated. In this order:

    1. what the runtime itself left as the container's last word;
    2. out of memory, in any container: the user's, also when the exit code is 0;
    3. a disruption: preemption, eviction, a lost node;
    4. an init container that failed;
    5. the primary container's exit code.
    """
    status = pod.get("status") or {}
    statuses = status.get("containerStatuses") or []
    terminated = ((_of(statuses, primary) or {}).get("state") or {}).get("terminated")
    told = _told(terminated)
    if told is not None:
        return End(told, terminated.get("exitCode"), told=True) if terminated else End(told, told=True)
    killed = next((c for c in statuses if _out_of_memory(c)), None)
    if killed is not None and not (killed["name"] != primary and terminated and terminated["exitCode"] == 0):
        return End(user_error("OOMKilled", _memory_message(pod, killed["name"], primary)), (terminated or {}).get("exitCode"))
    disruption = _disruption(status)
    if disruption is not None and not (terminated and terminated["exitCode"] == 0):
        return End(disruption, (terminated or {}).get("exitCode"))
    failed = _failed_init(pod)
    if failed is not None:
        return End(_init_error(failed))
    if terminated is None:
        why = status.get("message") or status.get("reason") or "its containers left no status"
        return End(system_error(status.get("reason") or "PodFailed", f"the pod failed: {why}"))
    return _by_exit_code(terminated, deleting=bool(pod["metadata"].get("deletionTimestamp")))


def _by_exit_code(terminated: Status, deleting: bool) -> End:
    code = int(terminated["exitCode"])
    reason, said = terminated.get("reason") or "", (terminated.get("message") or "").strip()
    if code == 0:
        return End(None, 0)
    if code in KILLED:
        return End(system_error("Killed", f"the task's container was killed from outside (exit code {code})"), code)
    if code == TERMINATED and deleting:
        return End(system_error("PodDeleted", "the pod was deleted while the task ran"), code)
    if reason in ("StartError", "ContainerCannotRun") or code in (126, 127):
        text = f"the container could not run its command ({reason or 'Error'}, exit code {code}): {said[-800:]}"
        return End(user_error("CannotRun", text.rstrip(": "), retryable=False), code)
    text = f"the task's container ended with exit code {code}"
    return End(user_error("Crashed" if reason in ("", "Error") else reason, f"{text}: {said[-800:]}" if said else text), code)


def _told(terminated: Status | None) -> TaskError | None:
    """The runtime's own last word; see `flytemp.runtime.pod`."""
    message = (terminated or {}).get("message") or ""
    if not message.startswith('{"flytemp":'):
        return None
    try:
        return TaskError.model_validate(json.loads(message)["flytemp"])
    except (ValueError, KeyError):
        return None


def _disruption(status: Status) -> TaskError | None:
    condition = _condition(status, "DisruptionTarget")
    if condition.get("status") == "True":
        reason = condition.get("reason") or "DisruptionTarget"
        return system_error(reason, f"the pod was taken away ({reason}): {condition.get('message') or ''}".rstrip(": "))
    reason = status.get("reason") or ""
    if reason in DISRUPTIONS:
        return system_error(reason, f"the pod was taken away ({reason}): {status.get('message') or ''}".rstrip(": "))
    return None


def _failed_init(pod: Pod) -> Status | None:
    """An init container that failed for good. A native sidecar has no end that counts."""
    sidecars = _native_sidecars(pod)
    for container in (pod.get("status") or {}).get("initContainerStatuses") or ():
        terminated = (container.get("state") or {}).get("terminated")
        if terminated and terminated.get("exitCode") and container["name"] not in sidecars:
            return dict(container)
    return None


def _init_error(container: Status) -> TaskError:
    terminated = container["state"]["terminated"]
    told = _told(terminated)
    if told is not None:
        return told
    said = (terminated.get("message") or "").strip()
    text = f"the init container {container['name']} ended with exit code {terminated['exitCode']}"
    if _out_of_memory(container):
        return user_error("OOMKilled", f"{text}: it ran out of memory")
    return user_error("InitFailed", f"{text}: {said[-800:]}" if said else text)


def _out_of_memory(container: Status) -> bool:
    state = container.get("state") or {}
    return "OOMKilled" in ((state.get("terminated") or {}).get("reason") or "")


def _memory_message(pod: Pod, name: str, primary: str) -> str:
    spec: Pod = next((c for c in pod["spec"].get("containers", ()) if c["name"] == name), {})
    limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
    which = "the task" if name == primary else f"the container {name}"
    return f"{which} used more memory than its limit{f' of {limit}' if limit else ''}"


def _of(statuses: list[Status] | None, name: str) -> Status | None:
    return next((status for status in statuses or () if status["name"] == name), None)


def _condition(status: Status, kind: str) -> Status:
    return next((dict(c) for c in status.get("conditions") or () if c.get("type") == kind), {})


def _seconds(text: str | None) -> float | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else None


def was_disrupted(pod: Pod) -> bool:
    """Whether the cluster itself takes it away."""
    return _condition(pod.get("status") or {}, "DisruptionTarget").get("status") == "True"


def user_error(code: str, message: str, *, retryable: bool = True) -> TaskError:
    """An error that costs one of the user's retries."""
    return TaskError(kind="USER", code=code, message=message, retryable=retryable)


def system_error(code: str, message: str) -> TaskError:
    """An error of the platform's."""
    return TaskError(kind="SYSTEM", code=code, message=message)
