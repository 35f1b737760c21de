"""A store in a bucket whose server is overloaded or whose answers are lost."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from flytemp.errors import StoreError
from flytemp.request_retries import retry
from flytemp.store import raw, remote
from flytemp.store.remote import RemoteStore
from tests.sdk.store.conftest import Connect
from tests.sdk.store.fault_proxy import Fault, FaultProxy, Request

pytestmark = pytest.mark.e2e


def put(request: Request) -> bool:
    return request.method == "PUT" and "uploadId" not in request.query


def completion(request: Request) -> bool:
    return request.method == "POST" and "uploadId" in request.query


def anything(request: Request) -> bool:
    return True


def test_creation_with_a_lost_answer_succeeds(proxy: FaultProxy, faulty: RemoteStore) -> None:
    proxy.add(Fault(put))
    assert faulty.create("a", b"mine") is True
    assert proxy.left() == 0
    assert proxy.count("PUT") == 2, "the client made the request again, and was refused because of itself"
    assert faulty.read("a") == b"mine"
    assert faulty.create("a", b"other") is False


def test_creation_with_a_lost_answer_after_another_writer(proxy: FaultProxy, faulty: RemoteStore) -> None:
    faulty.create("a", b"theirs")
    proxy.add(Fault(put))
    assert faulty.create("a", b"mine") is False
    assert proxy.left() == 0
    assert faulty.read("a") == b"theirs"


def test_creation_without_any_answer_is_an_error(proxy: FaultProxy, faulty: RemoteStore) -> None:
    proxy.add(Fault(put, times=1_000))
    assert faulty.create("a", b"mine") is True
    assert faulty.read("a") == b"mine"


def test_refusal_of_amazon_is_recognised(proxy: FaultProxy, faulty: RemoteStore) -> None:
    faulty.write("a", b"theirs")
    proxy.add(Fault(put, 412, "PreconditionFailed", more="<Condition>If-None-Match</Condition>"))
    assert faulty.create("a", b"mine") is False


def test_multipart_completion_with_a_lost_answer(proxy: FaultProxy, faulty: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulty._fs, "pipe_file", functools.partial(faulty._fs.pipe_file, chunksize=5 * 2**20))
    data = b"mine" * (3 * 2**20)
    proxy.add(Fault(completion))
    faulty.write("a", data)
    assert proxy.left() == 0
    assert faulty.read("a") == data


def test_unknown_multipart_upload_is_retried(proxy: FaultProxy, faulty: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulty._fs, "pipe_file", functools.partial(faulty._fs.pipe_file, chunksize=5 * 2**20))
    data = b"mine" * (3 * 2**20)
    proxy.add(Fault(completion, 404, "NoSuchUpload", served=True))
    faulty.write("a", data)
    assert proxy.left() == 0
    assert faulty.read("a") == data


def test_conflict_is_retried(proxy: FaultProxy, faulty: RemoteStore, pauses: list[float]) -> None:
    proxy.add(Fault(put, 409, "ConditionalRequestConflict", times=3))
    assert faulty.create("a", b"mine") is True
    assert proxy.count("PUT") == 4
    assert len(pauses) == 3
    assert faulty.read("a") == b"mine"


def test_endless_conflict(proxy: FaultProxy, faulty: RemoteStore) -> None:
    proxy.add(Fault(put, 409, "ConditionalRequestConflict", times=1_000))
    with pytest.raises(StoreError, match="conflicting write 8 times"):
        faulty.create("a", b"mine")
    assert proxy.count("PUT") == 8


_CALLS: dict[str, Callable[[RemoteStore], object]] = {
    "read": lambda store: store.read("there"),
    "write": lambda store: store.write("there", b"new"),
    "create": lambda store: store.create("new", b"new"),
    "exists": lambda store: store.exists("there"),
    "delete": lambda store: store.delete("there"),
    "list": lambda store: store.list("folder"),
}
_GOOD = {"read": b"old", "write": None, "create": True, "exists": True, "delete": None, "list": ["x"]}


@pytest.mark.parametrize("call", _CALLS)
@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (503, "ServiceUnavailable"), (503, "SlowDown"), (502, "")])
def test_transient_error_is_retried(
    proxy: FaultProxy, faulty: RemoteStore, pauses: list[float], call: str, status: int, code: str
) -> None:
    faulty.write("there", b"old")
    faulty.write("folder/x", b"")
    # s3fs repeats SlowDown five times within one request.
    times = 6 if code == "SlowDown" and call != "exists" else 2
    proxy.add(Fault(anything, status, code, times=times))
    assert _CALLS[call](faulty) == _GOOD[call]
    assert proxy.left() == 0
    assert pauses, "the store waited before it asked again"
    assert pauses == sorted(pauses), "and longer each time"


@pytest.mark.parametrize("call", _CALLS)
def test_lasting_transient_error_is_an_error(proxy: FaultProxy, faulty: RemoteStore, pauses: list[float], call: str) -> None:
    proxy.add(Fault(anything, 500, "InternalError", times=1_000))
    with pytest.raises(StoreError) as caught:
        _CALLS[call](faulty)
    assert faulty.uri in caught.value.message
    assert len(pauses) >= remote.TRIES - 1


def test_creation_with_an_error_after_success(proxy: FaultProxy, faulty: RemoteStore) -> None:
    proxy.add(Fault(put, 500, "InternalError", served=True))
    assert faulty.create("a", b"mine") is True
    assert proxy.count("PUT") == 2


def test_permanent_error_is_not_retried(proxy: FaultProxy, faulty: RemoteStore, pauses: list[float]) -> None:
    proxy.add(Fault(anything, 400, "EntityTooLarge", times=1_000))
    with pytest.raises(StoreError, match="injected"):
        faulty.write("a", b"")
    assert proxy.count("PUT") == 1
    assert pauses == []


def test_unknown_answer_has_no_hint_about_the_disk(proxy: FaultProxy, faulty: RemoteStore) -> None:
    proxy.add(Fault(anything, 400, "QuotaOfSomething", times=1_000))
    with pytest.raises(StoreError) as caught:
        faulty.write("a", b"")
    assert "hardware" not in (caught.value.hint or "")


def test_transfers_retry_transient_errors(
    proxy: FaultProxy, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    waits: list[float] = []
    monkeypatch.setattr(raw, "retry", functools.partial(retry, pause=waits.append))
    uri = connect(proxy.endpoint)
    (tmp_path / "a").write_bytes(b"data")
    for act in (
        lambda: raw.upload_file(tmp_path / "a", f"{uri}/d/a"),
        lambda: raw.list_directory(f"{uri}/d"),
        lambda: raw.exists(f"{uri}/d/a"),
        lambda: raw.download_file(f"{uri}/d/a", tmp_path / "b"),
    ):
        proxy.add(Fault(anything, 503, "ServiceUnavailable", times=2))
        act()
        assert proxy.left() == 0
    assert len(waits) == 8
    assert (tmp_path / "b").read_bytes() == b"data"
