"""Rules of the policy apply to the complete pod, whatever source a part of the pod has."""

from __future__ import annotations

import json
import random
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from flytemp.errors import ConfigError, InputError
from flytemp.pods.rules import PodLists
from flytemp.registry.platform_limits import PlatformLimits
from flytemp.spec.field_checks import settings_problems
from flytemp.spec.models import ContainerSpec, Interface, PodTemplateSpec, SecretRequest, TaskSettings, TaskSpec
from flytemp_activities.kubernetes.manifest import ManifestInputs, build_manifest, encode_invocation
from flytemp_activities.kubernetes.policy import Policy, PolicyOverride, read_policy
from tests.activities.kubernetes.test_manifest import POLICY, invocation, made, variables

PRIVILEGED = {"securityContext": {"privileged": True}}


def own(**spec: Any) -> TaskSettings:
    return TaskSettings(pod_template=PodTemplateSpec(spec=spec))


def named(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {}}, "spec": spec}


@pytest.mark.parametrize(
    ("settings", "template"),
    [
        (own(containers=[{"name": "primary", **PRIVILEGED}]), None), (own(containers=[{"name": "sidecar", **PRIVILEGED}]), None),
        (own(initContainers=[{"name": "init", **PRIVILEGED}]), None), (own(hostPID=True), None), (own(nodeName="node-1"), None),
        (own(priorityClassName="system-node-critical"), None), (own(serviceAccountName="flytemp-worker"), None),
        (own(serviceAccount="flytemp-worker"), None), (own(volumes=[{"name": "root", "hostPath": {"path": "/"}}]), None),
        (None, named(containers=[{"name": "default", **PRIVILEGED}])),
        (None, named(initContainers=[{"name": "i", **PRIVILEGED}])),
        (None, named(hostNetwork=True)), (None, named(serviceAccountName="flytemp-worker")),
    ],
)  # fmt: skip
def test_pod_beyond_the_policy_is_refused(settings: TaskSettings | None, template: dict[str, Any] | None) -> None:
    with pytest.raises(InputError) as caught:
        made(settings, template=template)
    assert "allow" in caught.value.message
    assert "pod_security" in (caught.value.hint or "")


def test_null_in_a_template_does_not_remove_a_safe_default() -> None:
    spec = made(own(automountServiceAccountToken=None, terminationGracePeriodSeconds=None))["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["terminationGracePeriodSeconds"] > 0


def test_level_and_lists_allow_more() -> None:
    as_root = own(containers=[{"name": "primary", "securityContext": {"runAsNonRoot": False}}])
    pod = made(as_root, Policy(image="i", pod_security="baseline"))
    assert pod["spec"]["containers"][0]["securityContext"]["runAsNonRoot"] is False
    made(own(hostPID=True), Policy(image="i", allow=PodLists(host_access=("hostPID",))))
    made(own(containers=[{"name": "primary", **PRIVILEGED}]), Policy(image="i", pod_security="privileged"))


def test_secrets_and_accounts_of_one_project() -> None:
    overrides = {"p-d": PolicyOverride(allow=PodLists(secrets=("team-*",), service_accounts=("trainer",)))}
    policy = Policy(image="i", overrides=overrides)
    wanted = TaskSettings(secrets=(SecretRequest(group="team-db", key="k"),))
    assert made(wanted, policy, service_account="trainer")["spec"]["serviceAccountName"] == "trainer"
    with pytest.raises(InputError):
        made(TaskSettings(secrets=(SecretRequest(group="other", key="k"),)), policy)
    with pytest.raises(InputError):
        made(wanted, policy, service_account="trainer", project="q")


def test_launch_cannot_name_a_service_account_that_is_not_listed() -> None:
    with pytest.raises(InputError):
        made(service_account="flytemp-worker")


def test_container_task_with_its_sidecars_satisfies_the_policy() -> None:
    task = TaskSpec(kind="container", name="m.t", interface=Interface(), container=ContainerSpec(image="debian"))
    one = invocation(task=task)
    pod = build_manifest(one, ManifestInputs(POLICY, "tasks", "flytemp", encoded=encode_invocation(one))).pod
    assert pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] is False


def test_no_source_of_variables_overrides_the_invocation() -> None:
    variable = {"name": "FLYTEMP_INVOCATION_KEY", "value": "other"}
    settings = own(containers=[{"name": "primary", "env": [variable], "envFrom": [{"secretRef": {"name": "variables"}}]}])
    policy = POLICY.model_copy(update={"environment": {"FLYTEMP_INVOCATION_KEY": "other"}})
    found = variables(made(settings, policy, named(containers=[{"name": "default", "env": [variable]}])))
    assert found["FLYTEMP_INVOCATION_KEY"] == ""
    assert found["FLYTEMP_INVOCATION"]


def test_rules_are_published() -> None:
    overrides = {"p": PolicyOverride(service_account="own", deny=PodLists(secrets=("x",)))}
    policy = Policy(pod_security="baseline", image_pull_secrets=("registry",), overrides=overrides)
    read = PlatformLimits.model_validate_json(policy.platform_limits().model_dump_json(exclude_none=True))
    assert read.pods is not None
    place = read.pods.of("p", "d")
    assert (read.pods.pod_security, place.service_account, place.permits("secrets", "x")) == ("baseline", "own", False)


@pytest.mark.parametrize(
    "text",
    [
        'pod_security = "loose"', 'security_context = {}', '[allow]\nhost_access = ["hostPath"]', '[allow]\nvolume = ["nfs"]',
        '[deny]\nsecrets = "x"', 'security_context = {capabilities = ["ALL"]}', 'tolerations = ["gpu"]',
        '[[tolerations]]\nkey = 3', '[interruptible.affinity]\nnodeAffinity = "x"',
    ],
)  # fmt: skip
def test_policy_with_wrong_rules_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        read_policy(file)


FIELDS: dict[str, dict[str, str]] = json.loads(files("flytemp.pods").joinpath("pod_fields.json").read_text())
SCALARS = {"text": "primary", "bool": True, "int": 3, "number": 1, "quantity": "1Gi", "port": 80, "any": None}
JUNK = (None, True, 0, 3.5, "", "x", [], {}, ["x"], [None], [[]], {"name": None}, {"a": {}}, [{"name": "a"}], [{}])


def random_value(kind: str, source: random.Random, depth: int = 0) -> Any:
    """Return a value of a type of the table of fields, with some values of wrong types in it."""
    if source.random() < 0.1 or depth > 6:
        return source.choice(JUNK)
    if kind.endswith("[]"):
        return [random_value(kind[:-2], source, depth + 1) for _ in range(source.randint(0, 2))]
    if kind.endswith("{}"):
        return {source.choice("abc"): random_value(kind[:-2], source, depth + 1) for _ in range(source.randint(0, 2))}
    if kind in FIELDS:
        chosen = [(name, inner) for name, inner in FIELDS[kind].items() if source.random() < 0.25]
        return {name: random_value(inner, source, depth + 1) for name, inner in chosen}
    return SCALARS[kind]


def test_no_pod_template_that_passes_the_checks_raises_another_error() -> None:
    source = random.Random(14)
    made_pods = 0
    for _ in range(1_500):
        spec = random_value("PodSpec", source)
        settings = own(**spec) if isinstance(spec, dict) else TaskSettings()
        if list(settings_problems(settings)):
            continue
        try:
            made(settings, Policy(image="i", pod_security=source.choice(("restricted", "privileged"))))
            made_pods += 1
        except InputError:
            pass
    assert made_pods > 20
