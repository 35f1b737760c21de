"""Fixtures for tests with a real Kubernetes cluster. A conftest imports them:

    from infra.testcluster.pytest_fixtures import cluster, own_cluster, s3_server, namespace, task_image

Where a part cannot be had, tests skip and say why; where it is required (FLYTEMP_REQUIRE names it, or CI is set) they fail.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from infra.testcluster import images
from infra.testcluster.access import KubernetesAccess
from infra.testcluster.cluster import Cluster, state_folder
from infra.testcluster.errors import Unavailable
from infra.testcluster.s3 import S3Server
from infra.testcluster.user_cluster import VARIABLE, UserBucket, user_bucket, user_cluster

T = TypeVar("T")

# The first test that needs the cluster builds its programs.
FIRST_TEST_SECONDS = 1800


def required(part: str) -> bool:
    """Return whether a part is required: FLYTEMP_REQUIRE is a comma-separated list; CI requires all parts."""
    wanted = {name.strip() for name in os.environ.get("FLYTEMP_REQUIRE", "").split(",")}
    return part in wanted or os.environ.get("CI", "").lower() in ("1", "true")


def absent(part: str, reason: str) -> NoReturn:
    """Skip the test, or fail it if the part is required."""
    if required(part):
        pytest.fail(f"{part} is required here: {reason}", pytrace=False)
    pytest.skip(f"no {part}: {reason}")


def provided(part: str, make: Callable[[], T]) -> T:
    """Return the result of `make`; if it raises Unavailable, skip the test or fail it if the part is required."""
    try:
        return make()
    except Unavailable as error:
        absent(part, str(error))


@contextlib.contextmanager
def local_s3_server(folder: Path, kind: type[S3Server] = S3Server) -> Iterator[S3Server]:
    """Run an S3 server that only this machine can access; if it cannot run, skip the test or fail it if S3 is required."""

    def start() -> S3Server:
        if importlib.util.find_spec("s3fs") is None:
            raise Unavailable("no s3fs: install flytemp[s3]")
        return kind.start(folder)

    server = provided("s3", start)
    try:
        yield server
    finally:
        server.stop()


def allow_first_build(items: list[pytest.Item]) -> None:
    """Extend the time limit of tests marked `kubernetes` for a first build; called in `pytest_collection_modifyitems`."""
    for item in items:
        if item.get_closest_marker("kubernetes") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(FIRST_TEST_SECONDS))


@pytest.fixture(scope="session")
def cluster() -> Iterator[KubernetesAccess]:
    """Yield the cluster of FLYTEMP_TEST_KUBECONFIG or the test cluster.

    Sessions that run at the same time share the test cluster, and the last one takes it down, unless it was up before.
    """
    theirs = provided("kubernetes", user_cluster)
    if theirs is not None:
        yield theirs
        return
    folder = state_folder(None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        ours = provided("kubernetes", Cluster.start)
        yield ours
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another session still uses it
        if not ours.kept:
            ours.stop()


@pytest.fixture(scope="session")
def own_cluster(cluster: KubernetesAccess) -> Cluster:
    """Yield the test cluster for tests that break parts of it; skip with a user's cluster."""
    if not isinstance(cluster, Cluster):
        pytest.skip(f"needs the test cluster, and {VARIABLE} names another")
    return cluster


@pytest.fixture
def namespace(cluster: KubernetesAccess) -> Iterator[str]:
    """Yield a new namespace and delete it afterwards."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    cluster.create_namespace(name)
    yield name
    cluster.delete_namespace(name)


@pytest.fixture(scope="session")
def s3_server(cluster: KubernetesAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server | UserBucket]:
    """Yield an S3 server that this process and the pods can access; with a user's cluster, the user's bucket."""
    if not isinstance(cluster, Cluster):
        yield provided("s3", user_bucket)
        return
    address = cluster.bridge_ip
    server = provided("s3", lambda: S3Server.start(tmp_path_factory.mktemp("s3"), address=address))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def task_image(cluster: KubernetesAccess) -> str:
    """Return the name of the task image of this checkout."""
    return provided("kubernetes", lambda: images.task_image(cluster))


@pytest.fixture(scope="session")
def worker_image(cluster: KubernetesAccess) -> str:
    """Return the name of the worker image of this checkout."""
    return provided("kubernetes", lambda: images.worker_image(cluster))
