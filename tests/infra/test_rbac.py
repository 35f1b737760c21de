"""Manifests of infra/rbac: a worker needs exactly these rights."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from flytemp.layout import RootLayout
from flytemp.runtime.invocation import Invocation
from flytemp.spec.models import PodTemplateSpec, SecretRequest, TaskSettings
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure
from flytemp_activities.kubernetes import KubernetesBackend, KubernetesOptions, Policy
from infra.testcluster import Cluster, S3Server
from tests.sdk.runtime.project import Project

RBAC = Path(__file__).resolve().parents[2] / "infra" / "rbac"
USER = "flytemp-worker"
PROGRAM = """
    from flytemp import task

    @task
    def add(a: int, b: int) -> int:
        print("adding", a, b)
        return a + b
"""

StartWorker = Callable[..., Awaitable[KubernetesBackend]]


def objects(name: str) -> dict[str, dict[str, Any]]:
    """Return the objects of a manifest by kind."""
    return {found["kind"]: found for found in yaml.safe_load_all((RBAC / name).read_text())}


@pytest.mark.parametrize(("name", "role"), [("worker.yaml", "Role"), ("worker-many-namespaces.yaml", "ClusterRole")])
def test_both_manifests_have_the_same_rules_and_bind_them(name: str, role: str) -> None:
    found = objects(name)
    account, binding = found["ServiceAccount"]["metadata"], found[f"{role}Binding"]

    assert found[role]["rules"] == objects("worker.yaml")["Role"]["rules"]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": found[role]["metadata"]["name"]}
    assert binding["subjects"] == [{"kind": "ServiceAccount", **account}]
    assert set(found) == {"ServiceAccount", role, f"{role}Binding"}


def test_account_of_the_worker_is_not_in_the_namespace_of_tasks() -> None:
    found = objects("worker.yaml")
    assert found["Role"]["metadata"]["namespace"] == found["RoleBinding"]["metadata"]["namespace"] == "flytemp-tasks"
    assert found["ServiceAccount"]["metadata"]["namespace"] == "flytemp"


def apply(cluster: Cluster, name: str, namespace: str) -> list[str]:
    """Apply a manifest as its README describes, for the restricted user of the test cluster instead of the service account.

    Returns what is to be deleted that no namespace takes along.
    """
    text = (RBAC / name).read_text().replace("namespace: flytemp-tasks\n", f"namespace: {namespace}\n")
    cluster_wide = []
    for one in yaml.safe_load_all(text):
        if one["kind"] == "ServiceAccount":
            continue
        if one["kind"].endswith("Binding"):
            one["subjects"] = [{"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}]
        if one["kind"].startswith("Cluster"):  # others' tests share the cluster
            one["metadata"]["name"] += f"-{namespace}"
            if "roleRef" in one:
                one["roleRef"]["name"] += f"-{namespace}"
            cluster_wide.append(f"{one['kind'].lower()}/{one['metadata']['name']}")
        cluster.kubectl("apply", "-f", "-", input=json.dumps(one))
    return cluster_wide


@pytest.fixture
def store(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return open_store(f"s3://{s3_server.bucket}/{uuid.uuid4().hex[:10]}")


@pytest.fixture
def project(tmp_path: Path, store: ObjectStore) -> Project:
    found = Project(tmp_path, store)
    found.write(PROGRAM)
    return found


@pytest.fixture
async def start_worker(
    own_cluster: Cluster, store: ObjectStore, s3_server: S3Server, task_image: str, namespace: str
) -> AsyncIterator[StartWorker]:
    """Start backends as the restricted user."""
    started: list[KubernetesBackend] = []

    async def start(**changes: Any) -> KubernetesBackend:
        policy = Policy(
            namespace=namespace, image=task_image, environment=s3_server.environment,
            defaults={"cpu": "500m", "memory": "128Mi"},  # type: ignore[arg-type]
        ).model_copy(update=changes)  # fmt: skip
        kubeconfig = str(own_cluster.worker_kubeconfig)
        backend = KubernetesBackend(store, KubernetesOptions(f"rbac-{namespace}", kubeconfig=kubeconfig, policy=policy))
        await backend.start()
        started.append(backend)
        return backend

    yield start
    for backend in started:
        await backend.close()


async def run(backend: KubernetesBackend, invocation: Invocation) -> Any:
    return await backend.run(invocation, resumed=False, report=lambda _: None)


async def until_no_pods(cluster: Cluster, namespace: str) -> None:
    async with asyncio.timeout(90):
        while json.loads(await asyncio.to_thread(cluster.kubectl, "get", "pods", "-n", namespace, "-o", "json"))["items"]:
            await asyncio.sleep(0.2)


@pytest.mark.kubernetes
@pytest.mark.parametrize("name", ["worker.yaml", "worker-many-namespaces.yaml"])
async def test_worker_with_the_role_runs_tasks(
    own_cluster: Cluster, namespace: str, start_worker: StartWorker, project: Project, store: ObjectStore, name: str
) -> None:
    cluster_wide = apply(own_cluster, name, namespace)
    try:
        template = {"metadata": {"name": "labelled"}, "template": {"metadata": {"labels": {"team": "ml"}}}}
        template["template"]["spec"] = {"containers": [{"name": "default", "image": "unused", "imagePullPolicy": "IfNotPresent"}]}  # type: ignore[index]
        own_cluster.api.create(f"/api/v1/namespaces/{namespace}/podtemplates", template)
        overrides = {"p": {"namespace": namespace}} if cluster_wide else {}
        changes = Policy(namespace=None if cluster_wide else namespace, overrides=overrides)  # type: ignore[arg-type]
        backend = await start_worker(namespace=changes.namespace, overrides=changes.overrides)
        assert changes.is_one_namespace is not bool(cluster_wide)
        began = datetime.now(UTC)
        settings = TaskSettings(pod_template_name="labelled")
        invocation = project.invocation("add", {"a": 1, "b": 2}, settings=settings)

        result = await run(backend, invocation)

        assert (result.status, result.outputs) == ("succeeded", {"o0": 3})
        await until_no_pods(own_cluster, namespace)
        layout = RootLayout(invocation.execution_root)
        folder = layout.log_folder(invocation.node, "1", 1)
        assert store.read(f"{folder}/{store.list(folder)[0]}") == b"adding 1 2\n"
        assert refused(own_cluster, namespace, began) == []
    finally:
        for one in cluster_wide:
            own_cluster.kubectl("delete", one)


def refused(cluster: Cluster, namespace: str, since: datetime) -> list[str]:
    """Return the requests of the worker that the API server refused for a missing right, from its audit log."""
    found = []
    for line in cluster.audit_log.read_text().splitlines():
        if USER in line and namespace in line and '"code":403' in line:
            event = json.loads(line)
            if datetime.fromisoformat(event["requestReceivedTimestamp"].replace("Z", "+00:00")) >= since:
                found.append(f"{event['verb']} {event['requestURI']}")
    return found


@pytest.mark.kubernetes
async def test_missing_secret_is_reported_with_the_role(
    own_cluster: Cluster, namespace: str, start_worker: StartWorker, project: Project
) -> None:
    apply(own_cluster, "worker.yaml", namespace)
    settings = TaskSettings(secrets=(SecretRequest(group="keys", key="file", mount="file"),))

    result = await run(await start_worker(), project.invocation("add", {"a": 1, "b": 2}, settings=settings))

    assert result.error is not None
    assert (result.error.kind, result.error.code) == ("USER", "SecretNotFound")
    assert '"keys" not found' in result.error.message


@pytest.mark.kubernetes
async def test_error_names_the_missing_right(
    own_cluster: Cluster, namespace: str, start_worker: StartWorker, project: Project
) -> None:
    backend = await start_worker()

    with pytest.raises(SystemFailure) as caught:
        await run(backend, project.invocation("add", {"a": 1, "b": 2}))

    message = str(caught.value)
    assert f'"{USER}" cannot create resource "pods"' in message
    assert namespace in message
    assert "compare its Role with infra/rbac" in message


@pytest.mark.kubernetes
@pytest.mark.parametrize(
    ("verb", "resource"),
    [("get", "secrets"), ("list", "secrets"), ("get", "nodes"), ("create", "pods/exec"), ("update", "pods"),
     ("deletecollection", "pods"), ("create", "serviceaccounts/token"), ("get", "configmaps")],
)  # fmt: skip
def test_role_allows_nothing_else(own_cluster: Cluster, namespace: str, verb: str, resource: str) -> None:
    apply(own_cluster, "worker.yaml", namespace)
    kind, _, part = resource.partition("/")
    attributes = {"namespace": namespace, "verb": verb, "resource": kind, "subresource": part}
    review = {"spec": {"user": USER, "resourceAttributes": attributes}}

    told = own_cluster.api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)

    assert told["status"]["allowed"] is False


@pytest.mark.kubernetes
async def test_pods_fit_the_restricted_standard(
    own_cluster: Cluster, namespace: str, start_worker: StartWorker, project: Project
) -> None:
    own_cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    apply(own_cluster, "worker.yaml", namespace)
    backend = await start_worker(pod_security="baseline")  # the API server refuses what the policy allows

    assert (await run(backend, project.invocation("add", {"a": 1, "b": 2}))).outputs == {"o0": 3}
    as_root = PodTemplateSpec(spec={"containers": [{"name": "primary", "securityContext": {"runAsNonRoot": False}}]})
    settings = TaskSettings(pod_template=as_root)
    refused = await run(backend, project.invocation("add", {"a": 1, "b": 2}, settings=settings, node="n1"))
    assert refused.error is not None
    assert (refused.error.kind, refused.error.code) == ("USER", "InvalidPod")
    assert "violates PodSecurity" in refused.error.message
