"""Store in a bucket, or in the memory of this process, through fsspec."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from flytemp.errors import StoreError
from flytemp.request_retries import pauses, retry
from flytemp.store.error_codes import is_conflict, is_missing_bucket, is_refusal, is_transient
from flytemp.store.failures import store_error
from flytemp.store.filesystems import FileSystem, file_system
from flytemp.store.keys import check_key
from flytemp.store.object_store import ObjectStore
from flytemp.store.s3_listing import first_names

T = TypeVar("T")

TRIES = 5
"""Number of tries of a request, besides the repetitions by the client."""

_WRITER = "flytemp-writer"
_S3 = ("s3", "s3a")
# s3fs sends an object of at most this size in one request. The creation of an object in parts is not exclusive on every
# server: SeaweedFS 4.48 completed two at once.
_S3_CREATE_OPTIONS = {"chunksize": 5 * 2**30}
_CONFLICT_TRIES = 8
# The option of `pipe_file`, by protocol, that stores the mark of the writer with the object. The mark distinguishes a
# repeated request of this process from a request of another process.
_MARK_OPTIONS = {"s3": "Metadata", "s3a": "Metadata", "gs": "metadata", "gcs": "metadata"}
_MEMORY_LOCK = threading.Lock()  # fsspec's memory file system checks and writes in two steps


class RemoteStore(ObjectStore):
    """Store of objects in a bucket. `create` uses the server's conditional writes (If-None-Match, ifGenerationMatch)."""

    def __init__(self, uri: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.uri = uri
        self._fs: FileSystem
        self._fs, self._root = file_system(uri)
        self._protocol = uri.partition("://")[0]
        self._pause = pause

    def _path(self, key: str) -> str:
        return f"{self._root.rstrip('/')}/{check_key(key)}"

    def _request(self, action: str, key: str, request: Callable[[], T], absent: T) -> T:
        """Return the result of ``request()``, repeated after transient errors; ``absent`` if the object or folder is missing."""
        try:
            return retry(request, is_transient, TRIES, self._pause)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            if is_missing_bucket(error):
                raise store_error(action, self.uri_of(key), error) from error
            return absent
        except Exception as error:
            raise store_error(action, self.uri_of(key), error) from error

    def read_or_none(self, key: str) -> bytes | None:
        path = self._path(key)
        # One request: s3fs reads a large object in parts, and the object may be replaced between two parts.
        options = {"max_concurrency": 1} if self._protocol in _S3 else {}
        return self._request("read", key, lambda: bytes(self._fs.cat_file(path, **options)), None)

    def write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        try:
            retry(lambda: self._fs.pipe_file(path, data), is_transient, TRIES, self._pause)
        except Exception as error:
            raise store_error("write", self.uri_of(key), error) from error

    def create(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        if self._protocol == "memory":
            with _MEMORY_LOCK:
                return self._create(path, key, data)
        return self._create(path, key, data)

    def _create(self, path: str, key: str, data: bytes) -> bool:
        token = secrets.token_hex(16)
        mark = _MARK_OPTIONS.get(self._protocol)
        options: dict[str, Any] = {} if mark is None else {mark: {_WRITER: token}}
        if self._protocol in _S3:
            options |= _S3_CREATE_OPTIONS
        conflicts, errors = pauses(_CONFLICT_TRIES), pauses(TRIES)
        while True:
            try:
                self._fs.pipe_file(path, data, mode="create", **options)
                return True
            except Exception as error:  # noqa: BLE001 - each client has its own errors; `_created_by_us` raises them
                # S3 answers 409 while another conditional write of the key is under way.
                again = conflicts if is_conflict(error) else errors if is_transient(error) else iter(())
                seconds = next(again, None)
                if seconds is None:
                    return self._created_by_us(path, key, token, error)
            self._pause(seconds)

    def _created_by_us(self, path: str, key: str, token: str, error: Exception) -> bool:
        """Return whether this call created the object, after a refusal or an error without a clear result.

        The clients repeat a request whose answer was lost. The store then refuses the repetition, although the first request
        created the object. So the mark decides, not the refusal.
        """
        refused = is_refusal(error)
        if self._protocol not in _MARK_OPTIONS:
            if refused:
                return False
            raise store_error("create", self.uri_of(key), error) from error
        try:
            writer = retry(lambda: self._writer_of(path), is_transient, TRIES, self._pause)
        except Exception as reading:
            raise store_error("check the creation of", self.uri_of(key), reading) from reading
        if writer == token:
            return True
        if writer is not None:
            return False
        if refused:  # the object that caused the refusal has been deleted since
            return False
        if is_conflict(error):
            raise StoreError(
                f"cannot create {self.uri_of(key)}: the store reported a conflicting write {_CONFLICT_TRIES} times",
                hint="try again: many processes create this object at once",
            ) from error
        raise store_error("create", self.uri_of(key), error) from error

    def _writer_of(self, path: str) -> str | None:
        """Return the mark of the object's writer, "" for an object without a mark, None if the object does not exist."""
        try:
            if self._protocol in _S3:
                return _mark_in(self._fs.metadata(path, refresh=True))  # type: ignore[attr-defined]
            return _mark_in(self._fs.info(path).get("metadata") or {})
        except FileNotFoundError:
            return None

    def exists(self, key: str) -> bool:
        path = self._path(key)
        return self._request("look for", key, lambda: bool(self._fs.info(path)["type"] == "file"), False)

    def delete(self, key: str) -> None:
        path = self._path(key)
        self._request("delete", key, lambda: self._fs.rm_file(path), None)

    def list(self, folder: str, limit: int | None = None) -> list[str]:
        path = self._path(folder)
        return self._request("list", folder, lambda: _names(self._protocol, self._fs, path, limit), [])


def _names(protocol: str, client: FileSystem, path: str, limit: int | None) -> list[str]:
    if protocol in _S3:
        return first_names(client, path, limit)
    below = path.strip("/") + "/"
    found = (str(entry).strip("/") for entry in client.ls(path, detail=False))
    names = sorted({entry[len(below) :] for entry in found if entry.startswith(below)})
    return names if limit is None else names[:limit]


def _mark_in(marks: dict[str, Any]) -> str:
    for name, value in marks.items():
        if name.lower().replace("_", "-") == _WRITER:
            return str(value)
    return ""
