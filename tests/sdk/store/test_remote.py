"""Exclusive creation in a bucket under faults of servers and clients."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from flytemp.errors import StoreError
from flytemp.store import remote
from flytemp.store.remote import RemoteStore


class ClientError(Exception):
    """An error like botocore's: not an OSError, with its codes in ``response``."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


def refusal_of_seaweedfs() -> OSError:
    error = OSError(errno.EINVAL, "At least one of the pre-conditions you specified did not hold")
    error.__cause__ = ClientError("PreconditionFailed", 412)
    return error


def conflict() -> OSError:
    error = OSError(errno.EBUSY, "The conditional request cannot succeed")
    error.__cause__ = ClientError("ConditionalRequestConflict", 409)
    return error


class Bucket:
    """A bucket that stores an object, then returns the answers of the test."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.answers: list[Callable[[], Exception] | None] = []
        self.keeps: list[bool] = []
        self.calls = 0

    def pipe_file(self, path: str, value: bytes, /, mode: str = "overwrite", **options: Any) -> None:
        assert mode == "create"
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else None
        keep = self.keeps.pop(0) if self.keeps else answer is None
        if keep and path not in self.objects:
            self.objects[path] = (value, options.get("Metadata") or options.get("metadata") or {})
        elif keep:
            raise FileExistsError(path)
        if answer is not None:
            raise answer()

    def metadata(self, path: str, /, **_: Any) -> dict[str, str]:
        if path not in self.objects:
            raise FileNotFoundError(path)
        return self.objects[path][1]

    def info(self, path: str, /, **_: Any) -> dict[str, Any]:
        return {"type": "file", "metadata": self.metadata(path)}


def _store(monkeypatch: pytest.MonkeyPatch, bucket: Bucket, protocol: str = "s3") -> tuple[RemoteStore, list[float]]:
    pauses: list[float] = []
    monkeypatch.setattr(remote, "file_system", lambda uri: (bucket, uri.partition("://")[2]))
    return RemoteStore(f"{protocol}://bucket/prefix", pause=pauses.append), pauses


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.mark.parametrize("protocol", ["s3", "gs"])
@pytest.mark.parametrize("refusal", [lambda: FileExistsError("there"), refusal_of_seaweedfs], ids=["aws", "seaweedfs"])
def test_object_of_another_writer_is_kept(
    monkeypatch: pytest.MonkeyPatch, bucket: Bucket, protocol: str, refusal: Callable[[], Exception]
) -> None:
    store, _ = _store(monkeypatch, bucket, protocol)
    assert store.create("a", b"theirs") is True
    bucket.answers = [refusal]
    assert store.create("a", b"theirs") is False


@pytest.mark.parametrize("protocol", ["s3", "gs"])
@pytest.mark.parametrize("refusal", [lambda: FileExistsError("there"), refusal_of_seaweedfs], ids=["aws", "seaweedfs"])
def test_repeated_request_counts_as_created(
    monkeypatch: pytest.MonkeyPatch, bucket: Bucket, protocol: str, refusal: Callable[[], Exception]
) -> None:
    store, _ = _store(monkeypatch, bucket, protocol)
    bucket.answers, bucket.keeps = [refusal], [True]
    assert store.create("a", b"mine") is True


def test_lost_answer_is_resolved_by_the_mark(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    store, _ = _store(monkeypatch, bucket)
    bucket.answers, bucket.keeps = [lambda: TimeoutError("no answer")], [True]
    assert store.create("a", b"mine") is True


def test_lost_request_is_an_error(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    store, _ = _store(monkeypatch, bucket)
    bucket.answers = [lambda: TimeoutError("no answer")]
    with pytest.raises(StoreError, match=r"s3://bucket/prefix/a.*no answer"):
        store.create("a", b"mine")


def test_lost_answer_after_another_writer_created(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    store, _ = _store(monkeypatch, bucket)
    store.create("a", b"theirs")
    bucket.answers = [lambda: TimeoutError("no answer")]
    assert store.create("a", b"mine") is False


def test_object_without_a_mark_is_of_another_writer(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    store, _ = _store(monkeypatch, bucket)
    bucket.objects["bucket/prefix/a"] = (b"theirs", {})
    bucket.answers = [lambda: FileExistsError("there")]
    assert store.create("a", b"mine") is False


def test_object_deleted_after_the_refusal(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    store, _ = _store(monkeypatch, bucket)
    bucket.answers = [lambda: FileExistsError("there")]
    assert store.create("a", b"mine") is False


def test_conflict_is_retried(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    store, pauses = _store(monkeypatch, bucket)
    bucket.answers = [conflict, conflict, conflict]
    assert store.create("a", b"mine") is True
    assert bucket.calls == 4
    assert len(pauses) == 3
    assert all(0 < pause <= 2 for pause in pauses)


def test_endless_conflict_is_an_error(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    store, pauses = _store(monkeypatch, bucket)
    bucket.answers = [conflict] * 50
    with pytest.raises(StoreError, match="s3://bucket/prefix/a"):
        store.create("a", b"mine")
    assert bucket.calls == 8
    assert len(pauses) == 7


def test_protocol_without_marks_uses_the_answer(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    store, _ = _store(monkeypatch, bucket, "abfs")
    bucket.answers = [lambda: FileExistsError("there"), lambda: TimeoutError("no answer")]
    assert store.create("a", b"mine") is False
    with pytest.raises(StoreError):
        store.create("a", b"mine")


def test_refusal_without_a_readable_mark_is_an_error(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    store, _ = _store(monkeypatch, bucket)
    bucket.answers = [lambda: FileExistsError("there")]

    def forbidden(path: str, **_: Any) -> dict[str, str]:
        raise PermissionError(errno.EACCES, "Access Denied")

    monkeypatch.setattr(bucket, "metadata", forbidden)
    with pytest.raises(StoreError, match=r"s3://bucket/prefix/a.*Access Denied"):
        store.create("a", b"mine")


def test_client_error_becomes_a_store_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            def fail(*_: Any, **__: Any) -> Any:
                raise ClientError("InvalidAccessKeyId", 403)

            return fail

    monkeypatch.setattr(remote, "file_system", lambda uri: (Broken(), "bucket"))
    store = RemoteStore("s3://bucket")
    calls: list[Callable[[], object]] = [
        lambda: store.read("a"),
        lambda: store.write("a", b""),
        lambda: store.create("a", b""),
        lambda: store.exists("a"),
        lambda: store.delete("a"),
        lambda: store.list("a"),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="InvalidAccessKeyId") as caught:
            call()
        assert "credentials" in (caught.value.hint or "")
