"""Store in a local folder. It uses plain system calls, because every task makes several requests."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator

from flytemp.errors import StoreError
from flytemp.store.failures import link_error, store_error
from flytemp.store.keys import TEMPORARY_PREFIX, check_key, local_path
from flytemp.store.object_store import ObjectStore

_DIRECTORY_TRIES = 100


class LocalStore(ObjectStore):
    """Store whose objects are files. An unfinished write is in the folder of its target, with a name that `list` omits."""

    def __init__(self, uri: str) -> None:
        root = local_path(uri)
        assert root is not None, uri
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
            if error.errno == errno.ENAMETOOLONG or (error.errno == errno.ENOTDIR and os.path.isdir(self._root)):
                return None  # no object can have this name, or the name begins with that of an object
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
                # A link appears once and with its content. A file opened with O_EXCL would be visible before it is complete.
                return self._link(temporary, path, key)
        except OSError as error:
            raise store_error("create", self.uri_of(key), error) from error

    def _link(self, temporary: str, path: str, key: str) -> bool:
        try:
            os.link(temporary, path)
        except FileExistsError:
            # A network file system repeats a request whose answer was lost: then the existing link is the one of this call.
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
                return  # not empty, or in use by a writer
            folder = folder.rpartition("/")[0]

    def list(self, folder: str, limit: int | None = None) -> list[str]:
        path = self._path(folder)
        try:
            names = sorted(name for name in os.listdir(path) if not name.startswith(TEMPORARY_PREFIX))
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            if os.path.isfile(path):
                return []  # as in a bucket, an object has no children
            raise store_error("list", self.uri_of(folder), error) from error
        except OSError as error:
            raise store_error("list", self.uri_of(folder), error) from error
        return names if limit is None else names[:limit]


@contextlib.contextmanager
def _unfinished(path: str, data: bytes) -> Iterator[str]:
    """Yield a temporary file with ``data`` in the folder of ``path``, and remove it afterwards."""
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
        # os.replace has moved the file away.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _open_new(temporary: str, folder: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    for _ in range(_DIRECTORY_TRIES):
        try:
            return os.open(temporary, flags, 0o666)
        except FileNotFoundError:
            # `delete` of another process may remove the folder before the file is in it: hence the loop.
            with contextlib.suppress(FileNotFoundError):
                os.makedirs(folder, exist_ok=True)
    raise StoreError(
        f"cannot write in {folder}: the folder was removed {_DIRECTORY_TRIES} times", hint="stop the program that deletes it"
    )


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
