"""A store behind fsspec: a bucket, or the memory of this process."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from flytemp.errors import StoreError
from flytemp.store.failures import store_error
from flytemp.store.filesystems import FileSystem, file_system
from flytemp.store.keys import check_key
from flytemp.store.object_store import ObjectStore

_WRITER = "flytemp-writer"
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

    def read_or_none(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            return bytes(self._fs.cat_file(path))
        except (FileNotFoundError, IsADirectoryError):
            return None
        except Exception as error:
            raise store_error("read", self.uri_of(key), error) from error

    def write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        try:
            self._fs.pipe_file(path, data)
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
        option = _MARK_OPTIONS.get(self._protocol)
        marks = {} if option is None else {option: {_WRITER: token}}
        for number in range(_CONFLICT_TRIES):
            try:
                self._fs.pipe_file(path, data, mode="create", **marks)
            except Exception as error:  # noqa: BLE001 - every client has errors of its own; `_settle` raises them on
                if _is_conflict(error):
                    # S3 answers 409 while another conditional write of the key is under way.
                    self._pause(random.uniform(0.5, 1.0) * min(0.05 * 2**number, 2.0))
                    continue
                return self._settle(path, key, token, error)
            return True
        raise StoreError(
            f"cannot create {self.uri_of(key)}: the store reported a conflicting write {_CONFLICT_TRIES} times",
            hint="many processes create this object at once: try again",
        )

    def _settle(self, path: str, key: str, token: str, error: Exception) -> bool:
        """Who created the object, after a refusal or a failure that leaves it open.

        The clients repeat a request whose answer was lost; the repetition is then refused because of the
        first, which was ours. So the mark decides, not the refusal.
        """
        refused = _is_refusal(error)
        if self._protocol not in _MARK_OPTIONS:
            if refused:
                return False
            raise store_error("create", self.uri_of(key), error) from error
        try:
            writer = self._writer_of(path)
        except Exception as reading:
            raise store_error("find out who created", self.uri_of(key), reading) from reading
        if writer == token:
            return True
        if writer is not None:
            return False
        if refused:  # refused because of an object that has been deleted since
            return False
        raise store_error("create", self.uri_of(key), error) from error

    def _writer_of(self, path: str) -> str | None:
        """The mark of the object's writer, "" for an object without one, None when there is no object."""
        try:
            if self._protocol in ("s3", "s3a"):
                marks = self._fs.metadata(path, refresh=True)  # type: ignore[attr-defined]
            else:
                marks = self._fs.info(path).get("metadata") or {}
        except FileNotFoundError:
            return None
        return _mark_in(marks)

    def exists(self, key: str) -> bool:
        path = self._path(key)
        try:
            return bool(self._fs.info(path)["type"] == "file")
        except FileNotFoundError:
            return False
        except Exception as error:
            raise store_error("look for", self.uri_of(key), error) from error

    def delete(self, key: str) -> None:
        path = self._path(key)
        try:
            self._fs.rm_file(path)
        except FileNotFoundError:
            return
        except Exception as error:
            raise store_error("delete", self.uri_of(key), error) from error

    def list(self, folder: str, limit: int | None = None) -> list[str]:
        path = self._path(folder)
        try:
            entries = self._fs.ls(path, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except Exception as error:
            raise store_error("list", self.uri_of(folder), error) from error
        below = path.strip("/") + "/"
        found = (str(entry).strip("/") for entry in entries)
        names = sorted({entry[len(below) :] for entry in found if entry.startswith(below)})
        return names if limit is None else names[:limit]


def _mark_in(marks: dict[str, Any]) -> str:
    for name, value in marks.items():
        if name.lower().replace("_", "-") == _WRITER:
            return str(value)
    return ""


def _error_codes(error: BaseException) -> set[str]:
    """The codes that S3 clients hang on an error or on what caused it."""
    codes: set[str] = set()
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        if isinstance(response, dict):
            codes.add(str(response.get("Error", {}).get("Code", "")))
            codes.add(str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")))
        codes.add(str(getattr(seen, "code", "")))
        seen = seen.__cause__
    return codes


def _is_refusal(error: BaseException) -> bool:
    """Whether the store said that the object exists. SeaweedFS's answer reaches us as OSError(EINVAL)."""
    return isinstance(error, FileExistsError) or bool(_error_codes(error) & {"PreconditionFailed", "412"})


def _is_conflict(error: BaseException) -> bool:
    return bool(_error_codes(error) & {"ConditionalRequestConflict", "409"})
