"""A store behind fsspec: a bucket, or the memory of this process."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from flytemp.errors import StoreError
from flytemp.store.error_codes import is_conflict, is_missing_bucket, is_refusal, is_transient
from flytemp.store.failures import store_error
from flytemp.store.filesystems import FileSystem, file_system
from flytemp.store.keys import check_key
from flytemp.store.object_store import ObjectStore
from flytemp.store.retries import TRIES, patiently, pauses
from flytemp.store.s3_listing import first_names

T = TypeVar("T")

_WRITER = "flytemp-writer"
_S3 = ("s3", "s3a")
# Up to the size that S3 takes in one request, s3fs sends an object whole. Servers that create whole objects exclusively
# need not do so with objects in parts: SeaweedFS 4.48 completed two at once.
_S3_CREATE_OPTIONS = {"chunksize": 5 * 2**30}
_CONFLICT_TRIES = 8
# How a client marks an object with its writer, where it can; only such a mark tells an own, repeated request
# from another process's: keyed by protocol, the option of `pipe_file` that takes the marks.
_MARK_OPTIONS = {"s3": "Metadata", "s3a": "Metadata", "gs": "metadata", "gcs": "metadata"}
_MEMORY_LOCK = threading.Lock()  # fsspec's memory file system checks and writes in two steps


class RemoteStore(ObjectStore):
    """Objects of a bucket. `create` relies on the server's conditional writes (If-None-Match, ifGenerationMatch)."""

    def __init__(self, uri: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.uri = uri
        self._fs: FileSystem
        self._fs, self._root = file_system(uri)
        self._protocol = uri.partition("://")[0]
        self._pause = pause

    def _path(self, key: str) -> str:
        return f"{self._root.rstrip('/')}/{check_key(key)}"

    def _ask(self, action: str, key: str, request: Callable[[], T], absent: T) -> T:
        """``request()`` with patience; ``absent`` when the object, or the folder, is not there."""
        try:
            return patiently(request, self._pause)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            if is_missing_bucket(error):
                raise store_error(action, self.uri_of(key), error) from error
            return absent
        except Exception as error:
            raise store_error(action, self.uri_of(key), error) from error

    def read_or_none(self, key: str) -> bytes | None:
        path = self._path(key)
        # In one request: s3fs reads a large object in parts, which may be of two objects when one is replaced meanwhile.
        options = {"max_concurrency": 1} if self._protocol in _S3 else {}
        return self._ask("read", key, lambda: bytes(self._fs.cat_file(path, **options)), None)

    def write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        try:
            patiently(lambda: self._fs.pipe_file(path, data), self._pause)
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
        conflicts, stumbles = pauses(_CONFLICT_TRIES), pauses(TRIES)
        while True:
            try:
                self._fs.pipe_file(path, data, mode="create", **options)
                return True
            except Exception as error:  # noqa: BLE001 - every client has errors of its own; `_settle` raises them on
                # S3 answers 409 while another conditional write of the key is under way.
                again = conflicts if is_conflict(error) else stumbles if is_transient(error) else iter(())
                seconds = next(again, None)
                if seconds is None:
                    return self._settle(path, key, token, error)
            self._pause(seconds)

    def _settle(self, path: str, key: str, token: str, error: Exception) -> bool:
        """Who created the object, after a refusal or a failure that leaves it open.

        The clients repeat a request whose answer was lost; the repetition is then refused because of the
        first, which was ours. So the mark decides, not the refusal.
        """
        refused = is_refusal(error)
        if self._protocol not in _MARK_OPTIONS:
            if refused:
                return False
            raise store_error("create", self.uri_of(key), error) from error
        try:
            writer = patiently(lambda: self._writer_of(path), self._pause)
        except Exception as reading:
            raise store_error("find out who created", self.uri_of(key), reading) from reading
        if writer == token:
            return True
        if writer is not None:
            return False
        if refused:  # refused because of an object that has been deleted since
            return False
        if is_conflict(error):
            raise StoreError(
                f"cannot create {self.uri_of(key)}: the store reported a conflicting write {_CONFLICT_TRIES} times",
                hint="many processes create this object at once: try again",
            ) from error
        raise store_error("create", self.uri_of(key), error) from error

    def _writer_of(self, path: str) -> str | None:
        """The mark of the object's writer, "" for an object without one, None when there is no object."""
        try:
            if self._protocol in _S3:
                return _mark_in(self._fs.metadata(path, refresh=True))  # type: ignore[attr-defined]
            return _mark_in(self._fs.info(path).get("metadata") or {})
        except FileNotFoundError:
            return None

    def exists(self, key: str) -> bool:
        path = self._path(key)
        return self._ask("look for", key, lambda: bool(self._fs.info(path)["type"] == "file"), False)

    def delete(self, key: str) -> None:
        path = self._path(key)
        self._ask("delete", key, lambda: self._fs.rm_file(path), None)

    def list(self, folder: str, limit: int | None = None) -> list[str]:
        path = self._path(folder)
        return self._ask("list", folder, lambda: _names(self._protocol, self._fs, path, limit), [])


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
