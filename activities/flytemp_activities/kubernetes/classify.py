"""Classification of a pod's status: its phase, the reason why it waits, and the outcome of its end. Pure functions of its JSON.

The order of the checks matters; see `termination_of`. It follows Flyte and Argo, without two of their reported mistakes:
a preempted pod costs the user nothing (flyte#8067), and a pod that ran out of memory always costs the user an attempt, or the
platform would start it again without end (marin#4339).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from flytemp.pods.rules import ROOT_HINT
from flytemp.runtime.invocation import TaskError

Pod = dict[str, Any]
Status = dict[str, Any]

DISRUPTIONS = frozenset(
    {"Shutdown", "Terminated", "NodeShutdown", "NodeAffinity", "Evicted", "Preempting", "UnexpectedAdmissionError", "NodeLost"}
)
"""Reasons of a failed pod's status that the platform causes (Flyte's list with additions)."""

KILLED = frozenset({137, 247})
"""Exit codes of a container that was killed. Evidence of memory is checked before."""

SIGNALS = 128
"""Exit codes above this one are 128 + the number of the signal that ended the process."""

TERMINATED = 143
"""Exit code after TERM. A program may send itself TERM: it pays, unless the pod was disrupted or deleted."""

_IMAGE_WAITS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"})
_CREATE_WAITS = frozenset({"CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError"})
_NEVER = frozenset({"CreateContainerConfigError", "InvalidImageName", "ErrImageNeverPull"})
_ON_ITS_WAY = frozenset({"ContainerCreating", "PodInitializing", ""})

MESSAGE_CHARACTERS = 200
"""Maximum length of a message in the details of a heartbeat."""

Wait = Literal["scheduling", "image", "creating", "never", "starting", "init", "other"]
"""Reason why a pod waits; each has a time limit in `flytemp_activities.kubernetes.policy.PendingLimits`."""


@dataclass(frozen=True, slots=True)
class End:
    """End of the primary container. ``error`` is None if it succeeded."""

    error: TaskError | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class PodStatus:
    """Status of a pod. ``phase`` is "queued" until the pod has a node, and "starting" until its primary container runs."""

    phase: Literal["queued", "starting", "running", "ended"]
    wait: Wait | None = None
    reason: str = ""
    message: str = ""
    node: str = ""
    started_at: float | None = None  # start of the primary container, seconds since the epoch, by the clock of the node
    deleting: bool = False
    end: End | None = field(default=None)


def classify(pod: Pod, primary: str) -> PodStatus:
    """Return the status of a pod. ``primary`` is the name of the task's container."""
    status = pod.get("status") or {}
    node = (pod.get("spec") or {}).get("nodeName") or ""
    deleting = bool(pod["metadata"].get("deletionTimestamp"))
    container = _of(status.get("containerStatuses"), primary)
    state = (container or {}).get("state") or {}
    if status.get("phase") == "Failed" or "terminated" in state or _failed_init(pod) is not None:
        return PodStatus("ended", node=node, deleting=deleting, end=termination_of(pod, primary))
    if "running" in state:
        started = _seconds(state["running"].get("startedAt"))
        return PodStatus("running", node=node, started_at=started, deleting=deleting)
    return _waiting(status, node, deleting, _native_sidecars(pod))


def heartbeat_details(pod: Pod, status: PodStatus, primary: str) -> dict[str, Any]:
    """Return the details of a heartbeat for a pod."""
    metadata = pod["metadata"]
    details: dict[str, Any] = {"phase": "running" if status.phase == "ended" else status.phase}
    details.update(namespace=metadata["namespace"], pod=metadata["name"], uid=metadata["uid"])
    if primary != "primary":
        details["container"] = primary
    details.update({key: value for key, value in (("reason", status.reason), ("node", status.node)) if value})
    if status.message:
        details["message"] = status.message[:MESSAGE_CHARACTERS]
    return details


# ------------------------------------------------------------------------------------------ waiting


def _native_sidecars(pod: Pod) -> set[str]:
    """Return the names of the native sidecars, which Kubernetes lists among the init containers."""
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
            return PodStatus("starting", _wait_for(reason), reason, message, node, deleting=deleting)
    prepares = [c for c in status.get("initContainerStatuses") or () if c["name"] not in sidecars]
    running = next((c for c in prepares if "running" in (c.get("state") or {})), None)
    if running is not None:
        message = f"init container {running['name']} runs"
        return PodStatus("starting", "init", "Initializing", message, node, deleting=deleting)
    return PodStatus("starting", "starting", "ContainerCreating", "", node, deleting=deleting)


def _wait_for(reason: str) -> Wait:
    if reason in _NEVER:
        return "never"
    if reason in _IMAGE_WAITS:
        return "image"
    return "creating" if reason in _CREATE_WAITS else "other"


def start_error(status: PodStatus) -> TaskError:
    """Return the error of a pod that does not start: its ``wait`` is "never", or exceeded its limit."""
    text = f"the pod does not start: {status.reason}: {status.message}".rstrip(": ")
    if "runAsNonRoot" in status.message:
        text += f"\n  hint: {ROOT_HINT}"
    is_throttled = status.wait == "image" and "429 Too Many Requests" in status.message
    is_users = status.wait in ("image", "creating", "never") and not is_throttled
    return TaskError.of(status.reason if is_users else "PodPending", text)


# --------------------------------------------------------------------------------------------- ends


def termination_of(pod: Pod, primary: str) -> End:
    """Return the end of a pod that failed or whose primary container terminated.

    The first of these that applies decides:

    1. the error that the runtime wrote into the container's termination message;
    2. out of memory in any container, also with exit code 0;
    3. a disruption: preemption, eviction, a lost node;
    4. an init container that failed;
    5. the exit code of the primary container.
    """
    status = pod.get("status") or {}
    statuses = status.get("containerStatuses") or []
    terminated = ((_of(statuses, primary) or {}).get("state") or {}).get("terminated")
    exit_code = (terminated or {}).get("exitCode")
    written = _termination_message(terminated)
    if written is not None:
        return End(written, exit_code)
    killed = next((c for c in statuses if _out_of_memory(c)), None)
    if killed is not None and not (killed["name"] != primary and terminated and terminated["exitCode"] == 0):
        return End(TaskError.of("OutOfMemory", _memory_message(pod, killed["name"], primary)), exit_code)
    disruption = _disruption(status)
    if disruption is not None and not (terminated and terminated["exitCode"] == 0):
        return End(disruption, exit_code)
    failed = _failed_init(pod)
    if failed is not None:
        return End(_init_error(failed))
    if terminated is None:
        why = [text for text in (status.get("reason"), status.get("message")) if text]
        return End(TaskError.of("PodFailed", f"the pod failed: {': '.join(why) or 'its containers left no status'}"))
    return _by_exit_code(terminated, deleting=bool(pod["metadata"].get("deletionTimestamp")))


def _by_exit_code(terminated: Status, deleting: bool) -> End:
    code = int(terminated["exitCode"])
    reason = terminated.get("reason") or "Error"
    if code == 0:
        return End(None, 0)
    if code in KILLED:
        return End(TaskError.of("Killed", f"the task's container was killed from outside (exit code {code})"), code)
    if code == TERMINATED and deleting:
        return End(TaskError.of("Lost", "the pod was deleted while the task ran"), code)
    if reason in ("StartError", "ContainerCannotRun") or code in (126, 127):
        text = f"the container could not run its command ({reason}, exit code {code})"
        return End(TaskError.of("CannotRun", _with_output(text, terminated)), code)
    outcome = "Crashed" if code > SIGNALS else "Exited"
    text = f"the task's container ended with exit code {code}{'' if reason == 'Error' else f' ({reason})'}"
    return End(TaskError.of(outcome, _with_output(text, terminated)), code)


def _with_output(text: str, terminated: Status) -> str:
    """Append the end of the container's output, which Kubernetes keeps as its termination message."""
    output = (terminated.get("message") or "").strip()[-800:]
    return f"{text}: {output}" if output else text


def _termination_message(terminated: Status | None) -> TaskError | None:
    """Return the error that the runtime wrote; see `flytemp.runtime.pod`."""
    message = (terminated or {}).get("message") or ""
    if not message.startswith('{"flytemp":'):
        return None
    try:
        return TaskError.read(json.loads(message)["flytemp"])
    except (ValueError, KeyError):
        return None


def _disruption(status: Status) -> TaskError | None:
    condition = _condition(status, "DisruptionTarget")
    if condition.get("status") == "True":
        reason = condition.get("reason") or "DisruptionTarget"
        return _evicted(reason, condition.get("message"))
    reason = status.get("reason") or ""
    if reason in DISRUPTIONS:
        return _evicted(reason, status.get("message"))
    return None


def _evicted(reason: str, message: str | None) -> TaskError:
    return TaskError.of("Evicted", f"the pod was taken away ({reason}): {message or ''}".rstrip(": "))


def _failed_init(pod: Pod) -> Status | None:
    """Return the status of an init container that failed. The end of a native sidecar does not count."""
    sidecars = _native_sidecars(pod)
    for container in (pod.get("status") or {}).get("initContainerStatuses") or ():
        terminated = (container.get("state") or {}).get("terminated")
        if terminated and terminated.get("exitCode") and container["name"] not in sidecars:
            return dict(container)
    return None


def _init_error(container: Status) -> TaskError:
    terminated = container["state"]["terminated"]
    written = _termination_message(terminated)
    if written is not None:
        return written
    text = f"the init container {container['name']} ended with exit code {terminated['exitCode']}"
    if _out_of_memory(container):
        return TaskError.of("OutOfMemory", f"{text}: it ran out of memory")
    return TaskError.of("InitFailed", _with_output(text, terminated))


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


def disruption_of(pod: Pod) -> TaskError | None:
    """Return the error for a pod that the cluster takes away; None if the cluster does not."""
    return _disruption(pod.get("status") or {})
