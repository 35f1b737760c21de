"""A store in a folder of this machine, with plain system calls: every task makes several."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator

from flytemp.errors import StoreError
from flytemp.store.failures import link_error, store_error
from flytemp.store.keys import TEMPORARY_PREFIX, check_key
from flytemp.store.object_store import ObjectStore

_DIRECTORY_TRIES = 100


class LocalStore(ObjectStore):
    """Objects are files. An unfinished write lies beside its target, under a name that `list` hides."""

    def __init__(self, uri: str, root: str) -> None:
        self.uri = uri
        self._root = root

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def read_or_none(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            with open(path, "rb", buffering=0) as file:
                return file.readall()
        except (FileNotFoundError, IsADirectoryError):
            return None
        except OSError as error:
            raise store_error("read", self.uri_of(key), error) from error

    def write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        try:
            with _unfinished(path, data) as temporary:
                os.replace(temporary, path)
        except OSError as error:
            raise store_error("write", self.uri_of(key), error) from error

    def create(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        try:
            with _unfinished(path, data) as temporary:
                # A link appears with its content, and only once; opening with O_EXCL would show half a file.
                return self._link(temporary, path, key)
        except OSError as error:
            raise store_error("create", self.uri_of(key), error) from error

    def _link(self, temporary: str, path: str, key: str) -> bool:
        try:
            os.link(temporary, path)
        except FileExistsError:
            # Network file systems may repeat a request whose answer was lost; then the second link is ours.
            return os.stat(temporary).st_nlink > 1
        except OSError as error:
            raise link_error(self.uri_of(key), error) from error
        return True

    def exists(self, key: str) -> bool:
        return os.path.isfile(self._path(key))

    def delete(self, key: str) -> None:
        path = self._path(key)
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise store_error("delete", self.uri_of(key), error) from error
        self._remove_empty_folders(key)

    def _remove_empty_folders(self, key: str) -> None:
        folder = key.rpartition("/")[0]
        while folder:
            try:
                os.rmdir(f"{self._root}/{folder}")
            except OSError:
                return  # not empty, or in use by a writer: then it is to stay
            folder = folder.rpartition("/")[0]

    def list(self, folder: str, limit: int | None = None) -> list[str]:
        path = self._path(folder)
        try:
            names = sorted(name for name in os.listdir(path) if not name.startswith(TEMPORARY_PREFIX))
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            if os.path.isfile(path):
                return []  # an object has nothing below it, as in a bucket
            raise store_error("list", self.uri_of(folder), error) from error
        except OSError as error:
            raise store_error("list", self.uri_of(folder), error) from error
        return names if limit is None else names[:limit]


@contextlib.contextmanager
def _unfinished(path: str, data: bytes) -> Iterator[str]:
    """A temporary file beside ``path`` that holds ``data``; it is gone afterwards, whatever happens."""
    folder = path.rpartition("/")[0]
    temporary = f"{folder}/{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    descriptor = _open_new(temporary, folder)
    try:
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)
        yield temporary
    finally:
        # After os.replace there is nothing left to remove.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _open_new(temporary: str, folder: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    for _ in range(_DIRECTORY_TRIES):
        try:
            return os.open(temporary, flags, 0o666)
        except FileNotFoundError:
            # Another process's `delete` may remove the folder again before the file is in it: hence the loop.
            with contextlib.suppress(FileNotFoundError):
                os.makedirs(folder, exist_ok=True)
    raise StoreError(
        f"cannot write in {folder}: the folder is removed as often as it is made", hint="another program deletes it"
    )


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
