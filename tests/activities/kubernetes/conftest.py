"""Kubernetes backends on the test cluster, and programs whose tasks they run as pods."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp_activities.kubernetes import KubernetesBackend, KubernetesOptions, Policy
from flytemp_activities.result_lookup import ResultLookup
from infra.testcluster import KubernetesAccess, S3Server
from infra.testcluster.pytest_fixtures import allow_first_build, cluster, namespace, own_cluster, s3_server, task_image
from tests.sdk.runtime.project import Project

__all__ = ["cluster", "namespace", "own_cluster", "s3_server", "task_image"]

StartBackend = Callable[..., Awaitable["Bench"]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_first_build(items)


class Bench:
    """A started backend and the reports of its tries."""

    def __init__(self, backend: KubernetesBackend) -> None:
        self.backend = backend
        self.reports: list[dict[str, Any]] = []

    async def run(self, invocation: Invocation, *, resumed: bool = False, before: dict[str, Any] | None = None) -> TaskResult:
        return await self.backend.run(invocation, resumed=resumed, report=self.reports.append, before=before)

    def start(self, invocation: Invocation, *, resumed: bool = False) -> asyncio.Task[TaskResult]:
        return asyncio.create_task(self.run(invocation, resumed=resumed))

    async def reported(self, **wanted: Any) -> dict[str, Any]:
        """Wait for the first report with all of ``wanted``; a value may be a predicate."""
        while True:
            for report in self.reports:
                if all(_fits(report.get(name), value) for name, value in wanted.items()):
                    return report
            await asyncio.sleep(0.02)


def _fits(value: Any, wanted: Any) -> bool:
    return bool(wanted(value)) if callable(wanted) else value == wanted


@pytest.fixture
def store(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A store of the test on the S3 server, which pods can reach."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return open_store(f"s3://{s3_server.bucket}/{uuid.uuid4().hex[:10]}")


@pytest.fixture
def project(tmp_path: Path, store: ObjectStore) -> Project:
    return Project(tmp_path / "projects", store)


@pytest.fixture
def policy(s3_server: S3Server, task_image: str, namespace: str) -> Policy:
    return Policy(
        namespace=namespace, image=task_image, environment=dict(s3_server.environment),
        defaults={"cpu": "1", "memory": "128Mi"},  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture
async def start_backend(cluster: KubernetesAccess, store: ObjectStore, policy: Policy) -> AsyncIterator[StartBackend]:
    """Start backends, each like the backend of another worker, and close them at the end."""
    started: list[Bench] = []

    async def start(lookup: ResultLookup | None = None, **changes: Any) -> Bench:
        options = KubernetesOptions("queue", kubeconfig=str(cluster.kubeconfig), policy=policy.model_copy(update=changes))
        backend = KubernetesBackend(store, options, lookup)
        await backend.start()
        started.append(Bench(backend))
        return started[-1]

    yield start
    for bench in started:
        await bench.backend.close()
