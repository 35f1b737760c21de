"""Rules for pods: levels of the Pod Security Standards, and the lists of what is allowed and denied."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from flytemp.pods.containers import add_security_context
from flytemp.pods.rules import DEFAULT_SECURITY_CONTEXT, PlaceRules, PodLists, PodRules, plain_pod_violations

Json = dict[str, Any]

APPARMOR = {"container.apparmor.security.beta.kubernetes.io/primary": "unconfined"}


def violations(spec: Json, rules: PodRules | None = None, annotations: dict[str, str] | None = None) -> list[str]:
    chosen = rules or PodRules()
    pod = copy.deepcopy({"containers": [{"name": "primary"}], **spec})
    add_security_context(pod, chosen.security_context)
    return list(chosen.of("p", "d").violations(annotations or {}, pod))


def container(**fields: Any) -> Json:
    return {"containers": [{"name": "primary", **fields}]}


def secured(**fields: Any) -> Json:
    return container(securityContext=fields)


def volume(**source: Any) -> Json:
    return {"volumes": [{"name": "v", **source}]}


ORDINARY: list[Json] = [
    {}, {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "c", "restartPolicy": "Always"}]},
    volume(emptyDir={"medium": "Memory"}), volume(configMap={"name": "x"}), volume(persistentVolumeClaim={"claimName": "x"}),
    volume(secret={"secretName": "x"}), volume(csi={"driver": "x"}), secured(runAsUser=1000),
    secured(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    {"securityContext": {"fsGroup": 5, "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}},
    container(livenessProbe={"httpGet": {"port": 80}}), {"serviceAccountName": "default"},
    container(resources={"limits": {"nvidia.com/gpu": "1"}}, ports=[{"containerPort": 80}]),
]  # fmt: skip


@pytest.mark.parametrize("spec", ORDINARY)
def test_ordinary_pods_satisfy_the_default(spec: Json) -> None:
    assert violations(spec) == []


BEYOND_BASELINE: list[Json] = [
    secured(privileged=True), secured(procMount="Unmasked"), secured(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    secured(seccompProfile={"type": "Unconfined"}), secured(appArmorProfile={"type": "Unconfined"}),
    secured(seLinuxOptions={"type": "spc_t"}), secured(seLinuxOptions={"user": "root"}),
    secured(windowsOptions={"hostProcess": True}), {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, container(ports=[{"containerPort": 1, "hostPort": 1}]),
    container(livenessProbe={"httpGet": {"port": 80, "host": "169.254.169.254"}}),
    container(lifecycle={"postStart": {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}}),
    {"hostNetwork": True}, {"hostPID": True}, {"hostIPC": True}, {"nodeName": "n1"}, volume(hostPath={"path": "/"}),
    {"initContainers": [{"name": "i", "securityContext": {"privileged": True}}]},
    {"ephemeralContainers": [{"name": "e", "securityContext": {"privileged": True}}]},
]  # fmt: skip
BEYOND_RESTRICTED: list[Json] = [
    secured(runAsNonRoot=False), secured(runAsUser=0), {"securityContext": {"runAsUser": 0}},
    secured(allowPrivilegeEscalation=True), secured(capabilities={}), secured(capabilities={"drop": ["ALL"], "add": ["CHOWN"]}),
    secured(seccompProfile={}), volume(nfs={"server": "x", "path": "/"}),
]  # fmt: skip


@pytest.mark.parametrize("spec", BEYOND_BASELINE)
def test_access_to_the_node_needs_the_privileged_level(spec: Json) -> None:
    assert len(violations(spec)) >= 1
    assert len(violations(spec, PodRules(pod_security="baseline"))) == 1
    assert violations(spec, PodRules(pod_security="privileged")) == []


@pytest.mark.parametrize("spec", BEYOND_RESTRICTED)
def test_root_and_capabilities_need_the_baseline_level(spec: Json) -> None:
    assert len(violations(spec)) == 1
    assert violations(spec, PodRules(pod_security="baseline")) == []


def test_annotations_cannot_disable_apparmor() -> None:
    assert len(violations({}, annotations=APPARMOR)) == 1
    assert violations({}, PodRules(pod_security="privileged"), APPARMOR) == []


SECRETS: list[Json] = [
    volume(secret={"secretName": "x"}), volume(projected={"sources": [{"secret": {"name": "x"}}]}),
    volume(csi={"driver": "d", "nodePublishSecretRef": {"name": "x"}}),
    container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]),
    container(envFrom=[{"secretRef": {"name": "x"}}]), {"imagePullSecrets": [{"name": "x"}]},
    {"initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "x"}}]}]},
]  # fmt: skip


@pytest.mark.parametrize("spec", SECRETS)
def test_secrets_in_all_places_of_a_pod_are_listed(spec: Json) -> None:
    assert violations(spec) == []
    assert violations(spec, PodRules(allow=PodLists(secrets=("x",)))) == []
    assert len(violations(spec, PodRules(allow=PodLists(secrets=("team-*",))))) == 1
    assert len(violations(spec, PodRules(deny=PodLists(secrets=("?",))))) == 1


def test_secrets_of_the_policy_have_their_own_uses() -> None:
    rules = PodRules(allow=PodLists(secrets=()), environment_secrets=("store",), pull_secrets=("registry",))
    assert violations(container(envFrom=[{"secretRef": {"name": "store"}}]), rules) == []
    assert violations({"imagePullSecrets": [{"name": "registry"}]}, rules) == []
    everything = rules.model_copy(update={"allow": PodLists()})
    assert len(violations(volume(secret={"secretName": "registry"}), everything)) == 1


@pytest.mark.parametrize("field", ["serviceAccountName", "serviceAccount"])
def test_service_accounts_must_be_listed(field: str) -> None:
    assert len(violations({field: "worker"})) == 1
    assert violations({field: "worker"}, PodRules(service_account="worker")) == []
    assert violations({field: "worker"}, PodRules(allow=PodLists(service_accounts=("work*",)))) == []
    denied = PodRules(service_account="worker", deny=PodLists(service_accounts=("worker",)))
    assert len(violations({field: "worker"}, denied)) == 1


@pytest.mark.parametrize("spec", [{"priorityClassName": "system-node-critical"}, {"priority": 2_000_000_000}])
def test_priority_classes_must_be_listed_at_every_level(spec: Json) -> None:
    assert len(violations(spec, PodRules(pod_security="privileged"))) == 1
    assert violations({"priorityClassName": "batch"}, PodRules(allow=PodLists(priority_classes=("batch",)))) == []


def test_volumes_and_host_access_can_be_allowed_and_denied_one_by_one() -> None:
    data = volume(hostPath={"path": "/data"})
    assert violations(data, PodRules(allow=PodLists(volumes=("hostPath",)))) == []
    assert violations({"hostNetwork": True}, PodRules(allow=PodLists(host_access=("hostNetwork",)))) == []
    denied = PodRules(pod_security="privileged", deny=PodLists(volumes=("hostPath", "emptyDir"), host_access=("hostPID",)))
    assert len(violations({**data, "hostPID": True}, denied)) == 2
    assert len(violations(volume(emptyDir={}), denied)) == 1


def test_lists_of_a_place_replace_what_is_allowed_and_add_to_what_is_denied() -> None:
    rules = PodRules(
        allow=PodLists(service_accounts=("general",), secrets=("a", "b")), deny=PodLists(secrets=("b",)),
        overrides={
            "p": PlaceRules(allow=PodLists(secrets=("a", "b", "c"))),
            "p-d": PlaceRules(service_account="own", deny=PodLists(secrets=("c",))),
        },
    )  # fmt: skip
    near, project, far = rules.of("p", "d"), rules.of("p", "e"), rules.of("q", "d")
    assert [near.permits("secrets", name) for name in "abc"] == [True, False, False]
    assert [project.permits("secrets", name) for name in "abc"] == [True, False, True]
    assert [far.permits("secrets", name) for name in "abc"] == [True, False, False]
    assert (near.permits_account("own"), near.permits_account("general"), far.permits_account("own")) == (True, True, False)


def test_default_security_context_must_satisfy_the_level() -> None:
    assert plain_pod_violations(PodRules()) == []
    assert plain_pod_violations(PodRules(security_context={}, pod_security="baseline")) == []
    assert len(plain_pod_violations(PodRules(security_context={}))) == 4
    root = {**DEFAULT_SECURITY_CONTEXT, "runAsNonRoot": False}
    assert len(plain_pod_violations(PodRules(security_context=root))) == 1
