"""Classification of a pod's status, and the outcome of its end."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp_activities.kubernetes.classify import classify, start_error

from .statuses import container, disrupted, pod, running, terminated, waiting

UNSCHEDULABLE = {
    "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: Insufficient nvidia.com/gpu",
}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "phase", "wait", "reason", "message"),
    [
        pytest.param(pod(node="", conditions=[UNSCHEDULABLE]), "queued", "scheduling", "Unschedulable",
                     "0/3 nodes: Insufficient nvidia.com/gpu", id="unschedulable"),
        pytest.param(pod(node="", conditions=[{**UNSCHEDULABLE, "reason": "SchedulingGated", "message": "gated"}]), "queued",
                     "scheduling", "SchedulingGated", "gated", id="gated by a queue"),
        pytest.param(pod(node=""), "queued", "scheduling", "", "", id="not scheduled yet"),
        pytest.param(pod(), "starting", "starting", "ContainerCreating", "", id="no status yet"),
        pytest.param(pod(containerStatuses=[waiting("ContainerCreating")]), "starting", "starting", "ContainerCreating", "",
                     id="being created"),
        pytest.param(pod(containerStatuses=[waiting("ImagePullBackOff", "no such image")]), "starting", "image",
                     "ImagePullBackOff", "container primary: no such image", id="image pull back-off"),
        pytest.param(pod(containerStatuses=[waiting("CreateContainerConfigError", 'secret "db" not found')]), "starting",
                     "never", "CreateContainerConfigError", 'container primary: secret "db" not found', id="missing secret"),
        pytest.param(pod(containerStatuses=[waiting("CreateContainerError", "no device")]), "starting", "creating",
                     "CreateContainerError", "container primary: no device", id="cannot be created"),
        pytest.param(pod(containerStatuses=[waiting("Whatever", "?")]), "starting", "other", "Whatever",
                     "container primary: ?", id="unknown reason"),
        pytest.param(pod(initContainerStatuses=[running("fetch")], containerStatuses=[waiting("PodInitializing")]), "starting",
                     "init", "Initializing", "init container fetch runs", id="init container"),
        pytest.param(pod(initContainerStatuses=[waiting("ImagePullBackOff", "nope", "fetch")]), "starting", "image",
                     "ImagePullBackOff", "container fetch: nope", id="init container first"),
    ],
)  # fmt: skip
def test_reason_why_a_pod_waits(status: dict[str, Any], phase: str, wait: str, reason: str, message: str) -> None:
    sight = classify(status, "primary")
    assert (sight.phase, sight.wait, sight.reason, sight.message, sight.end) == (phase, wait, reason, message, None)


def test_start_time_is_that_of_the_primary_container() -> None:
    sight = classify(pod("Running", containerStatuses=[running("sidecar"), running()]), "primary")
    assert (sight.phase, sight.started_at, sight.node) == ("running", 1767225610.0, "node-1")


@pytest.mark.parametrize(
    ("reason", "message", "kind", "code", "retryable"),
    [
        ("ImagePullBackOff", "container primary: no such image", "USER", "ImagePullBackOff", True),
        ("ImagePullBackOff", "container primary: 429 Too Many Requests", "SYSTEM", "PodPending", True),
        ("CreateContainerError", "container primary: no device", "USER", "CreateContainerError", True),
        ("InvalidImageName", "container primary: a b", "USER", "InvalidImageName", False),
        ("Whatever", "container primary: ?", "SYSTEM", "PodPending", True),
    ],
)
def test_error_of_a_pod_that_does_not_start(reason: str, message: str, kind: str, code: str, retryable: bool) -> None:
    sight = classify(pod(containerStatuses=[waiting(reason, message.removeprefix("container primary: "))]), "primary")
    error = start_error(sight)
    assert (error.kind, error.code, error.retryable) == (kind, code, retryable)
    assert error.message.endswith(f"{reason}: {message}")


def failed(*statuses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return pod("Failed", containerStatuses=list(statuses), **more)


TOLD = '{"flytemp":{"kind":"SYSTEM","code":"StoreError","message":"cannot read s3://b/x"}}'


@pytest.mark.parametrize(
    ("status", "kind", "code", "detail"),
    [
        pytest.param(failed(terminated(1)), "USER", "Exited", " 1", id="exit 1"),
        pytest.param(failed(terminated(139, message="Segmentation fault")), "USER", "Crashed", "Segmentation fault", id="139"),
        pytest.param(failed(terminated(143)), "USER", "Crashed", "143", id="143 by itself"),
        pytest.param(failed(terminated(143), deleting=True), "SYSTEM", "Lost", "", id="143 while deleted"),
        pytest.param(failed(terminated(143), conditions=[disrupted("EvictionByEvictionAPI")]), "SYSTEM",
                     "Evicted", "EvictionByEvictionAPI", id="evicted"),
        pytest.param(failed(terminated(137), conditions=[disrupted("PreemptionByScheduler")]), "SYSTEM",
                     "Evicted", "to make room", id="preempted"),
        pytest.param(failed(terminated(137)), "SYSTEM", "Killed", "137", id="137"),
        pytest.param(failed(terminated(247)), "SYSTEM", "Killed", "247", id="247"),
        pytest.param(failed(terminated(137, "OOMKilled")), "USER", "OutOfMemory", "64Mi", id="out of memory"),
        pytest.param(failed(terminated(0, "OOMKilled")), "USER", "OutOfMemory", "64Mi", id="out of memory with exit code 0"),
        pytest.param(failed(terminated(137, "OOMKilled"), conditions=[disrupted("TerminationByKubelet")]), "USER", "OutOfMemory",
                     "64Mi", id="out of memory is the user's, also on a node in trouble"),
        pytest.param(failed(terminated(1), terminated(137, "OOMKilled", name="sidecar")), "USER", "OutOfMemory",
                     "sidecar", id="a sidecar out of memory"),
        pytest.param(failed(reason="Evicted", message="the node was low on memory"), "SYSTEM", "Evicted", "low on memory",
                     id="evicted by the kubelet"),
        pytest.param(failed(reason="UnexpectedAdmissionError", message="no gpu"), "SYSTEM", "Evicted",
                     "no gpu", id="not admitted"),
        pytest.param(failed(), "SYSTEM", "PodFailed", "", id="no status"),
        pytest.param(failed(terminated(128, "StartError", "exec: python3: not found")), "USER", "CannotRun", "not found",
                     id="no such command"),
        pytest.param(failed(terminated(70, message=TOLD)), "SYSTEM", "StoreError", "s3://b/x", id="termination message"),
        pytest.param(pod("Failed", initContainerStatuses=[terminated(3, message="no route", name="fetch")]), "USER",
                     "InitFailed", "no route", id="init container"),
        pytest.param(pod("Failed", initContainerStatuses=[terminated(70, message=TOLD, name="fetch")]), "SYSTEM", "StoreError",
                     "s3://b/x", id="init container with a termination message"),
    ],
)  # fmt: skip
def test_outcome_of_a_terminated_pod(status: dict[str, Any], kind: str, code: str, detail: str) -> None:
    end = classify(status, "primary").end
    assert end is not None
    assert end.error is not None
    assert (end.error.kind, end.error.code) == (kind, code)
    assert detail in end.error.message


def test_missing_command_is_not_retried() -> None:
    end = classify(failed(terminated(127, message="python3: not found")), "primary").end
    assert end is not None
    assert end.error is not None
    assert not end.error.retryable


def test_end_of_a_sidecar_does_not_change_success() -> None:
    for sidecar in (running("sidecar"), terminated(1, name="sidecar"), terminated(137, "OOMKilled", name="sidecar")):
        end = classify(pod("Running", containerStatuses=[terminated(0, "Completed"), sidecar]), "primary").end
        assert end is not None
        assert (end.error, end.exit_code) == (None, 0)


def test_pod_runs_on_when_a_sidecar_ends() -> None:
    sight = classify(pod("Running", containerStatuses=[running(), terminated(1, name="sidecar")]), "primary")
    assert (sight.phase, sight.end) == ("running", None)


def test_killed_native_sidecar_is_not_a_failure() -> None:
    status = pod("Running", initContainerStatuses=[terminated(137, name="proxy")], containerStatuses=[terminated(0, "Completed")])
    status["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
    end = classify(status, "primary").end
    assert end is not None
    assert end.error is None


def test_running_native_sidecar_is_not_an_init_container() -> None:
    sidecar = {**running("proxy"), "started": True}
    primary = container(waiting={"reason": "PodInitializing"})
    status = pod(initContainerStatuses=[sidecar], containerStatuses=[primary])
    for spec, reason in (({"restartPolicy": "Always"}, "ContainerCreating"), ({}, "Initializing")):
        status["spec"]["initContainers"] = [{"name": "proxy", **spec}]
        assert classify(status, "primary").reason == reason
