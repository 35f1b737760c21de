"""Form of pod specs: wrong types and missing names are found when a program is compiled and when a document is read."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import pytest
from kubernetes.client import models

from flytemp import PodTemplate
from flytemp.authoring.errors import SettingsError
from flytemp.pods.shape import pod_spec_problems
from flytemp.spec.field_checks import settings_problems
from flytemp.spec.models import PodTemplateSpec, ResourceAmounts, ResourceSpec, Retries, SecretRequest, TaskSettings

MALFORMED: dict[str, Any] = {
    "containers[0] has no name": {"containers": [{}]},
    "volumes[0]": {"volumes": ["cache"]},
    "volumes": {"volumes": "cache"},
    "volumes[1] has no name": {"volumes": [{"name": "a"}, {"emptyDir": {}}]},
    "containers": {"containers": {"name": "primary"}},
    "containers[0]": {"containers": ["primary"]},
    "containers[0].env": {"containers": [{"name": "a", "env": {"A": "b"}}]},
    "containers[0].env[0].value": {"containers": [{"name": "a", "env": [{"name": "A", "value": 3}]}]},
    "containers[0].command": {"containers": [{"name": "a", "command": "sleep 5"}]},
    "containers[0].args[0]": {"containers": [{"name": "a", "args": [5]}]},
    "containers[0].securityContext": {"containers": [{"name": "a", "securityContext": True}]},
    "containers[0].securityContext.capabilities": {"containers": [{"name": "a", "securityContext": {"capabilities": ["ALL"]}}]},
    "containers[0].volumeMounts": {"containers": [{"name": "a", "volumeMounts": {"name": "v"}}]},
    "containers[0].ports[0].containerPort": {"containers": [{"name": "a", "ports": [{"containerPort": "80"}]}]},
    "containers[0].resources.limits": {"containers": [{"name": "a", "resources": {"limits": "2Gi"}}]},
    "containers[0].name": {"containers": [{"name": 3}]},
    "initContainers[0] has no name": {"initContainers": [{"image": "i"}]},
    "tolerations": {"tolerations": {"key": "a"}},
    "nodeSelector": {"nodeSelector": ["a"]},
    "nodeSelector.gpu": {"nodeSelector": {"gpu": True}},
    "affinity": {"affinity": "none"},
    "securityContext": {"securityContext": []},
    "hostNetwork": {"hostNetwork": "false"},
    "terminationGracePeriodSeconds": {"terminationGracePeriodSeconds": "30"},
    "serviceAccountName": {"serviceAccountName": ["a"]},
    "imagePullSecrets[0]": {"imagePullSecrets": ["registry"]},
    "hostname": {"hostname": "a\0b"},
    "subdomain": {"subdomain": "\udce9"},
}


@pytest.mark.parametrize("place", MALFORMED)
def test_malformed_pod_template_is_refused_by_the_compiler_and_in_a_document(place: str) -> None:
    spec = MALFORMED[place]
    assert [text for text in pod_spec_problems(spec) if text.startswith(place)]
    with pytest.raises(SettingsError, match=re.escape(place) if "\0" not in place else ""):
        PodTemplate(pod_spec=spec).spec()
    settings = TaskSettings(pod_template=PodTemplateSpec(spec=spec))
    assert any(place in problem.message for problem in settings_problems(settings))


def test_pod_template_that_contains_itself_is_refused() -> None:
    spec: dict[str, Any] = {}
    spec["affinity"] = spec
    with pytest.raises(SettingsError):
        PodTemplate(pod_spec=spec).spec()
    deep = TaskSettings(pod_template=PodTemplateSpec(spec={"fieldOfANewerKubernetes": json.loads("[" * 60 + "]" * 60)}))
    assert len(list(settings_problems(deep))) == 1


def test_complete_pod_template_is_accepted() -> None:
    probe = {"httpGet": {"port": "http"}, "periodSeconds": 3}
    resources = {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": 0.5}}
    main = {"name": "main", "env": [{"name": "A", "value": "b"}], "resources": resources, "readinessProbe": probe}
    spec = {
        "containers": [main], "tolerations": [{"key": "gpu", "operator": "Exists"}], "nodeSelector": {"a": "b"},
        "volumes": [{"name": "c", "emptyDir": {"sizeLimit": "1Gi"}}], "fieldOfANewerKubernetes": [{"any": 1}],
        "terminationGracePeriodSeconds": 5, "overhead": None,
    }  # fmt: skip
    assert list(pod_spec_problems(spec)) == []


def test_table_of_fields_agrees_with_the_models_of_the_kubernetes_client() -> None:
    table: dict[str, dict[str, str]] = json.loads(files("flytemp.pods").joinpath("pod_fields.json").read_text())
    assert set(table["PodSpec"]) >= {"containers", "volumes", "securityContext"}
    for kind in ("PodSpec", "Container", "Volume", "SecurityContext", "EnvVar"):
        known = set(getattr(models, f"V1{kind}").attribute_map.values())
        assert not known - set(table[kind]), kind


@pytest.mark.parametrize(
    "settings",
    [
        TaskSettings(environment={"A=B": "x"}), TaskSettings(environment={"": "x"}), TaskSettings(environment={"A": "a\0b"}),
        TaskSettings(environment={"A\0": "b"}), TaskSettings(environment={"A": "\udce9"}), TaskSettings(environment={"1A": "x"}),
        TaskSettings(environment={"A": "x" * 140_000}), TaskSettings(environment={f"A{n}": "x" * 120_000 for n in range(10)}),
        TaskSettings(environment={"FLYTEMP_INVOCATION_KEY": "x"}), TaskSettings(environment={"FLYTEMP_STORE": "x"}),
        TaskSettings(secrets=(SecretRequest(group="g", key="k", env_var="A=B"),)),
        TaskSettings(queued_timeout_seconds=8.64e13), TaskSettings(timeout_seconds=1e300), TaskSettings(deadline_seconds=4e9),
        TaskSettings(retries=Retries(count=2**40)), TaskSettings(shared_memory="lots"),
        TaskSettings(resources=ResourceSpec(requests=ResourceAmounts(cpu="many"))),
    ],
)  # fmt: skip
def test_settings_with_which_no_task_can_run_are_found_in_documents(settings: TaskSettings) -> None:
    assert len(list(settings_problems(settings))) == 1
