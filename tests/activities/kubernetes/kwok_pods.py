"""Pods that kwok plays: no container runs, and annotations say what becomes of them.

Tasks are container tasks without inputs and outputs, which succeed by their exit code alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import ContainerSpec, Interface, PodTemplateSpec, TaskSettings, TaskSpec
from flytemp_activities.kubernetes import Policy
from infra.testcluster import Cluster
from infra.testcluster.archives import BUSYBOX_IMAGE
from infra.testcluster.kwok import LABELS, TOLERATION
from tests.sdk.runtime.project import Project

FOR_LONG = {"testcluster/run-seconds": "1000"}


@pytest.fixture(scope="session")
def task_image() -> str:
    """An image; kwok's nodes pull nothing, and the real node has this one."""
    return BUSYBOX_IMAGE


@pytest.fixture
def node(own_cluster: Cluster, namespace: str) -> Iterator[str]:
    """A node of kwok for the pods of the test."""
    (name,) = own_cluster.add_kwok_nodes(1, prefix=namespace, labels={"testcluster/of": namespace})
    yield name
    own_cluster.remove_kwok_nodes(namespace)


@pytest.fixture
def policy(policy: Policy, node: str, namespace: str) -> Policy:
    there = {**LABELS, "testcluster/of": namespace}
    return policy.model_copy(update={"node_selector": there, "tolerations": (dict(TOLERATION),)})


@pytest.fixture
def program(project: Project) -> Project:
    project.write("")
    return project


def of_kwok(
    program: Project, annotations: dict[str, str], *, node: str = "n0", template: dict[str, Any] | None = None, **settings: Any
) -> Invocation:
    """Return a try of a container task without inputs or outputs; ``template`` is the spec of its pod template."""
    pod_template = PodTemplateSpec(spec=template) if template is not None else None
    spec = TaskSpec(
        kind="container", name="command", interface=Interface(), loader="",
        settings=TaskSettings(annotations=annotations, pod_template=pod_template, **settings),
        container=ContainerSpec(image=BUSYBOX_IMAGE, command=("true",)),
    )  # fmt: skip
    return program.invocation("command", node=node).model_copy(update={"task": spec})
