"""A real S3 server for the session, and clients of it that no other test shares."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Callable, Iterator

import pytest

from flytemp import store
from flytemp.store import filesystems
from flytemp.store.remote import RemoteStore
from infra.testcluster.pytest_fixtures import local_s3_server
from infra.testcluster.s3 import S3Server
from tests.sdk.store.fault_proxy import FaultProxy

Connect = Callable[[str], str]


class StrictServer(S3Server):
    """A server that, as Amazon's, does not create a missing bucket when an object is written."""

    def _arguments(self, ports: dict[str, int]) -> list[str]:
        return [*super()._arguments(ports), "-s3.autoCreateBucket=false"]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with local_s3_server(tmp_path_factory.mktemp("s3"), StrictServer) as server:
        yield server


def forget_clients() -> None:
    """Remove the cached clients, which keep their address and credentials."""
    filesystems._client.cache_clear()
    store._open.cache_clear()
    if importlib.util.find_spec("s3fs") is not None:
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def connect(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Return a function that connects this process's S3 clients to an endpoint and returns a fresh prefix."""

    def to(endpoint: str) -> str:
        for name, value in {**s3_server.environment, "AWS_ENDPOINT_URL": endpoint}.items():
            monkeypatch.setenv(name, value)
        forget_clients()
        return f"{s3_server.url}/{uuid.uuid4().hex}"

    forget_clients()
    yield to
    forget_clients()


@pytest.fixture
def s3_prefix(s3_server: S3Server, connect: Connect) -> str:
    """An empty prefix of the real server."""
    return connect(s3_server.endpoint)


@pytest.fixture
def s3(s3_prefix: str) -> RemoteStore:
    """A store of the real server."""
    return RemoteStore(s3_prefix)


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    running = FaultProxy(s3_server.port)
    yield running
    running.stop()


@pytest.fixture
def pauses() -> list[float]:
    """The pauses of `faulty`, which does not wait."""
    return []


@pytest.fixture
def faulty(proxy: FaultProxy, connect: Connect, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> RemoteStore:
    """A store of the real server behind the proxy, whose client has only the repetitions of s3fs."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return RemoteStore(connect(proxy.endpoint), pause=pauses.append)
