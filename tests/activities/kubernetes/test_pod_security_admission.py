"""The rules for pods agree with the Pod Security admission of the API server."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from flytemp.pods.containers import add_security_context, all_containers
from flytemp.pods.rules import DEFAULT_SECURITY_CONTEXT, PodRules
from flytemp.pods.security_standards import Level
from infra.testcluster import KubernetesAccess
from infra.testcluster.api import Refused
from tests.sdk.pods.test_rules import BEYOND_BASELINE, BEYOND_RESTRICTED, ORDINARY

pytestmark = pytest.mark.kubernetes

LEVELS: tuple[Level, ...] = ("restricted", "baseline")
NOT_IN_THE_STANDARDS = ("nodeName", "ephemeralContainers")  # the API server refuses ephemeral containers in a new pod


@pytest.fixture(scope="module")
def namespaces(cluster: KubernetesAccess) -> Iterator[dict[Level, str]]:
    names: dict[Level, str] = {level: f"test-{uuid.uuid4().hex[:10]}" for level in LEVELS}
    for level, name in names.items():
        cluster.create_namespace(name)
        labels = {"pod-security.kubernetes.io/enforce": level}
        cluster.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": labels}})
    yield names
    for name in names.values():
        cluster.delete_namespace(name)


@pytest.mark.parametrize("level", LEVELS)
def test_rules_agree_with_the_api_server(cluster: KubernetesAccess, namespaces: dict[Level, str], level: Level) -> None:
    compared, differences = 0, []
    for spec in (*ORDINARY, *BEYOND_RESTRICTED, *BEYOND_BASELINE):
        if any(field in spec for field in NOT_IN_THE_STANDARDS):
            continue
        pod = complete(spec)
        ours = list(PodRules(pod_security=level).of("p", "d").violations({}, pod))
        is_admitted = admission(cluster, namespaces[level], pod)
        compared += is_admitted is not None
        if is_admitted is bool(ours):
            differences.append((spec, ours))
    assert differences == []
    assert compared >= 30


def complete(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a spec that the API server accepts but for Pod Security."""
    pod = copy.deepcopy({"containers": [{"name": "primary"}], "restartPolicy": "Never", **spec})
    add_security_context(pod, DEFAULT_SECURITY_CONTEXT)
    for one in all_containers(pod):
        one.setdefault("image", "example.com/none:1")
    return pod


def admission(cluster: KubernetesAccess, namespace: str, spec: dict[str, Any]) -> bool | None:
    """Return whether Pod Security admits a pod; None if the pod is invalid for another reason."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried"}, "spec": spec}
    try:
        cluster.api.create(f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
    except Refused as refused:
        return False if "violates PodSecurity" in str(refused) else None
    return True
