"""Pod of a try: its fields and their precedence."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp.errors import ConfigError, InputError
from flytemp.pods.rules import PodLists
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import (
    AcceleratorSpec,
    Interface,
    PodTemplateSpec,
    ResourceAmounts,
    ResourceSpec,
    Retries,
    SecretRequest,
    TaskSettings,
    TaskSpec,
)
from flytemp_activities.kubernetes import names
from flytemp_activities.kubernetes.manifest import (
    ManifestInputs,
    build_manifest,
    encode_invocation,
    is_interruptible,
    resolve_image,
)
from flytemp_activities.kubernetes.merge import strategic_merge, with_defaults
from flytemp_activities.kubernetes.policy import Interruptible, Policy, PolicyOverride

POLICY = Policy(image="tasks:1")


def invocation(settings: TaskSettings | None = None, **changes: Any) -> Invocation:
    fields: dict[str, Any] = {
        "store": "s3://bucket/x", "execution_root": "executions/default/run-1/r1", "node": "n0.n12", "attempt": 1, "try_": 1,
        "task": TaskSpec(name="m.train", interface=Interface(), loader="m:train", settings=settings or TaskSettings()),
        "bundle": None, "inputs": {}, "raw_data_prefix": "s3://bucket/data", "project": "p", "domain": "d",
        "execution": "nightly-1", "workflow": "m.wf", "version": "v1", "started_at": "", "environment": {},
    }  # fmt: skip
    return Invocation(**{**fields, **changes})


def made(settings: TaskSettings | None = None, policy: Policy = POLICY, template: Any = None, **changes: Any) -> dict[str, Any]:
    one = invocation(settings, **changes)
    if settings is not None:
        one = one.model_copy(update={"environment": settings.environment})
    return build_manifest(one, ManifestInputs(policy, "tasks", "flytemp", template, encoded=encode_invocation(one))).pod


def primary(pod: dict[str, Any], name: str = "primary") -> dict[str, Any]:
    return next(container for container in pod["spec"]["containers"] if container["name"] == name)


def variables(pod: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in primary(pod)["env"]}


def test_excessive_request_is_refused_by_policy() -> None:
    policy = POLICY.model_copy(update={"over_limits": "refuse", "limits": ResourceAmounts(memory="2Gi")})
    with pytest.raises(InputError, match=r"memory 3Gi\b.*\b2Gi"):
        made(TaskSettings(resources=ResourceSpec(limits=ResourceAmounts(memory="3Gi"))), policy)
    more = made(TaskSettings(resources=ResourceSpec(limits=ResourceAmounts(memory="2Gi"))), policy)
    assert primary(more)["resources"]["limits"]["memory"] == "2Gi"


def test_pod_of_a_plain_task() -> None:
    pod = made()
    spec = pod["spec"]
    assert pod["metadata"]["name"].startswith("nightly-1-n0-n12-1-1-")
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == ("Never", False, False)
    container = primary(pod)
    assert (container["image"], container["command"]) == ("tasks:1", ["python3", "-P", "-m", "flytemp.runtime.pod"])
    assert container["securityContext"] == {
        "runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert "serviceAccountName" not in spec


def test_pod_name_is_a_label_and_unique_per_try() -> None:
    long = {"execution": "x" * 60, "node": "n1." * 30 + "n2"}
    names = {
        made(**{**long, **change})["metadata"]["name"]
        for change in ({}, {"attempt": 2}, {"try_": 2}, {"node": "n3"}, {"execution_root": "executions/default/run-2/r1"})
    }
    assert len(names) == 5
    assert all(len(name) <= 63 for name in names)
    labels = made(**long)["metadata"]["labels"]
    assert all(len(value) <= 63 for value in labels.values())


def test_precedence_of_variables() -> None:
    template = {"spec": {"containers": [{"name": "primary", "env": [{"name": "A", "value": "t"}, {"name": "B", "value": "t"}]}]}}
    own = {"containers": [{"name": "primary", "env": [{"name": "B", "value": "own"}, {"name": "C", "value": "own"}]}]}
    settings = TaskSettings(pod_template=PodTemplateSpec(spec=own), environment={"C": "task"})
    policy = POLICY.model_copy(update={"environment": {"A": "policy", "Z": "policy"}})
    found = variables(made(settings, policy, template))
    assert {name: found[name] for name in "ABCZ"} == {"A": "t", "B": "own", "C": "task", "Z": "policy"}


def test_template_does_not_remove_required_fields() -> None:
    container = {"name": "primary", "image": "other", "command": ["sh"], "env": [{"name": "FLYTEMP_STORE", "value": "x"}]}
    own = {"restartPolicy": "Always", "containers": [container]}
    pod = made(TaskSettings(pod_template=PodTemplateSpec(spec=own)))
    assert pod["spec"]["restartPolicy"] == "Never"
    assert primary(pod)["command"][0] == "python3"
    assert variables(pod)["FLYTEMP_STORE"] == "s3://bucket/x"


def test_task_template_is_merged_into_the_named_template() -> None:
    template = {
        "metadata": {"labels": {"team": "namespace", "zone": "a"}},
        "spec": {"priorityClassName": "batch", "tolerations": [{"key": "a"}], "volumes": [{"name": "v", "emptyDir": {}}]},
    }
    own = PodTemplateSpec(
        spec={
            "tolerations": [{"key": "b"}], "automountServiceAccountToken": True, "securityContext": {"fsGroup": 5},
            "containers": [{"name": "main", "securityContext": {"runAsUser": 7}}, {"name": "proxy", "image": "p:1"}],
        },
        primary_container_name="main", labels={"team": "own"}, annotations={"note": "x"},
    )  # fmt: skip
    policy = POLICY.model_copy(update={"allow": PodLists(priority_classes=("batch",))})
    pod = made(TaskSettings(pod_template=own, labels={"mine": "yes"}), policy, template)
    spec = pod["spec"]
    assert [container["name"] for container in spec["containers"]] == ["main", "proxy"]
    assert primary(pod, "main")["securityContext"]["runAsUser"] == 7
    assert primary(pod, "main")["securityContext"]["runAsNonRoot"] is True
    assert (spec["priorityClassName"], spec["tolerations"]) == ("batch", [{"key": "a"}, {"key": "b"}])
    assert (spec["automountServiceAccountToken"], spec["securityContext"]) == (True, {"fsGroup": 5})
    labels = pod["metadata"]["labels"]
    assert (labels["team"], labels["zone"], labels["mine"]) == ("own", "a", "yes")
    assert pod["metadata"]["annotations"]["note"] == "x"


def test_default_and_primary_containers_are_merged_into_the_others() -> None:
    every = {"name": "default", "env": [{"name": "A", "value": "1"}]}
    spec = {"containers": [every, {"name": "primary", "image": "own"}, {"name": "side", "image": "s"}]}
    merged = with_defaults(spec, "main")["containers"]
    assert {container["name"]: container.get("image") for container in merged} == {"main": "own", "side": "s"}
    assert all(container["env"] == [{"name": "A", "value": "1"}] for container in merged)


@pytest.mark.parametrize(
    ("below", "above", "name", "expected"),
    [
        ([1, 2], [2, 3], "tolerations", [1, 2, 3]),
        ({"a": 1, "b": {"c": 1}}, {"b": {"d": 2}}, "", {"a": 1, "b": {"c": 1, "d": 2}}),
        ([{"name": "A", "valueFrom": {"x": 1}}], [{"name": "A", "value": "1"}], "env", [{"name": "A", "value": "1"}]),
        ([{"mountPath": "/a", "name": "v"}], [{"mountPath": "/a"}], "volumeMounts", [{"mountPath": "/a", "name": "v"}]),
        ([{"name": "c", "image": "i"}], [{"name": "c", "tty": True}], "containers", [{"name": "c", "image": "i", "tty": True}]),
        (["sh", "-c"], ["python3"], "command", ["python3"]),
    ],
)
def test_strategic_merge(below: Any, above: Any, name: str, expected: Any) -> None:
    before = repr((below, above))
    assert strategic_merge(below, above, name) == expected
    assert repr((below, above)) == before


def test_accelerator_becomes_affinity_and_tolerations() -> None:
    pod = made(TaskSettings(accelerator=AcceleratorSpec(device="nvidia-l4")))
    (term,) = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["nvidia-l4"]
    assert primary(pod)["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {toleration["key"] for toleration in pod["spec"]["tolerations"]} == {"nvidia.com/gpu", "k8s.amazonaws.com/accelerator"}


def test_size_of_shared_memory() -> None:
    stated = ResourceSpec(requests=ResourceAmounts(memory="3Gi"))
    for given, size in ((True, "3Gi"), ("64Mi", "64Mi")):
        pod = made(TaskSettings(shared_memory=given, resources=stated))
        assert pod["spec"]["volumes"][0]["emptyDir"] == {"medium": "Memory", "sizeLimit": size}
        assert primary(pod)["volumeMounts"][0]["mountPath"] == "/dev/shm"


def test_pod_has_names_of_secrets_only() -> None:
    pod = made(TaskSettings(secrets=(SecretRequest(group="db", key="password", env_var="PGPASS"),)))
    source = {"secretKeyRef": {"name": "db", "key": "password", "optional": False}}
    assert variables(pod)["_FSEC_DB_PASSWORD"] == variables(pod)["PGPASS"] == source


def test_requested_keys_of_a_secret_are_files() -> None:
    keys = (SecretRequest(group="db", key="a", mount="file"), SecretRequest(group="db", key="b", mount="file"))
    two, whole = [{"key": "a", "path": "a"}, {"key": "b", "path": "b"}], (*keys, SecretRequest(group="db"))
    for wanted, items in ((keys, two), (whole, None)):
        pod = made(TaskSettings(secrets=wanted))
        (volume,) = pod["spec"]["volumes"]
        assert (volume["secret"]["secretName"], volume["secret"].get("items")) == ("db", items)
        assert [mount["mountPath"] for mount in primary(pod)["volumeMounts"]] == ["/etc/secrets/db"]


def test_newer_worker_recognises_the_pods_of_an_older_one() -> None:
    # Pinned: pods run for days, and a worker whose specs have more fields must find the same.
    assert names.invocation_hash(invocation(TaskSettings(timeout_seconds=5.0))) == "84c93b2331579171ea8879debca27e48"


def test_invalid_name_of_a_secret_is_refused() -> None:
    with pytest.raises(InputError, match="My DB"):
        made(TaskSettings(secrets=(SecretRequest(group="My DB", key="x"),)))


@pytest.mark.parametrize(
    ("wanted", "image"),
    [
        (None, "registry:5000/base:7"),
        ("mine:2", "mine:2"),
        ("{{.image.default.fqn}}:{{.image.default.version}}", "registry:5000/base:7"),
        ("{{ .image.gpu.fqn }}-cuda:{{.image.gpu.version}}", "gpu-cuda:latest"),
        ("{{.image.gpu}}", "gpu"),
    ],
)
def test_image_templates_are_filled_in(wanted: str | None, image: str) -> None:
    assert resolve_image(wanted, Policy(image="registry:5000/base:7", images={"gpu": "gpu"})) == image


def test_unknown_image_is_refused() -> None:
    with pytest.raises(ConfigError):
        resolve_image(None, Policy())
    with pytest.raises(InputError, match="'other'"):
        resolve_image("{{.image.other.fqn}}", POLICY)


@pytest.mark.parametrize(
    ("settings", "changes", "expected"),
    [
        (TaskSettings(), {}, False),
        (TaskSettings(interruptible=True), {}, True),
        (TaskSettings(), {"interruptible": True}, True),
        (TaskSettings(interruptible=False), {"interruptible": True}, False),
        (TaskSettings(interruptible=True, retries=Retries(count=2)), {"attempt": 2}, True),
        (TaskSettings(interruptible=True, retries=Retries(count=2)), {"attempt": 3}, False),
        (TaskSettings(interruptible=True), {"try_": 3}, False),
    ],
)
def test_last_attempt_is_not_interruptible(settings: TaskSettings, changes: dict[str, Any], expected: bool) -> None:
    spot = Policy(image="i", interruptible=Interruptible(tries=2, node_selector={"spot": "yes"}))
    assert is_interruptible(invocation(settings, **changes), spot) is expected
    assert ("spot" in made(settings, spot, **changes)["spec"].get("nodeSelector", {})) is expected


def test_overrides_of_projects_and_domains() -> None:
    policy = Policy(
        image="i", namespace="{project}-{domain}", service_account="all", defaults=ResourceAmounts(cpu="1", memory="1Gi"),
        overrides={
            "p": PolicyOverride(service_account="of-p", defaults=ResourceAmounts(cpu="2")),
            "p-d": PolicyOverride(namespace="special"),
        },
    )  # fmt: skip
    built = build_manifest(invocation(), ManifestInputs(policy, "context", "q"))
    assert built.namespace == "special"
    assert built.pod["spec"]["serviceAccountName"] == "of-p"
    assert primary(built.pod)["resources"]["requests"] == {"cpu": "2", "memory": "1Gi"}
    assert build_manifest(invocation(domain="e"), ManifestInputs(policy, "context", "q")).namespace == "p-e"
    assert build_manifest(invocation(), ManifestInputs(Policy(image="i"), "context", "q")).namespace == "context"


def test_service_account_of_the_execution_has_precedence() -> None:
    policy = Policy(image="i", service_account="default", allow=PodLists(service_accounts=("mine",)))
    pod = made(policy=policy, service_account="mine")
    assert pod["spec"]["serviceAccountName"] == "mine"
