"""The store of flytemp's own objects: small, mostly immutable, some created exclusively.

Synchronous and thread-safe; asynchronous code calls it through `asyncio.to_thread`.
"""

from __future__ import annotations

import functools
import secrets
from abc import ABC, abstractmethod

from flytemp.errors import NotFound
from flytemp.store.keys import check_key, local_path, normalise_store_uri


class ObjectStore(ABC):
    """Objects under one URI, by key. A key is a relative path; see `flytemp.layout`.

    Every method raises `InvalidName` for a key that is none, and `StoreError` where the store refuses or is
    unreachable.
    """

    uri: str
    """The store's address, in one normal spelling, without a trailing slash."""

    @classmethod
    def open(cls, uri: str) -> ObjectStore:
        """The store at ``uri``: ``/abs/path``, ``file:///abs/path``, ``s3://bucket/prefix``, ``memory://name``, ….

        Nothing is created or contacted yet; see `check_writable`.

        Raises:
            InputError: for a relative path.
            StoreError: when the protocol is unknown or its client is not installed.
        """
        return _open(normalise_store_uri(uri))

    def uri_of(self, key: str) -> str:
        return f"{self.uri}/{check_key(key)}"

    def read(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            NotFound: when there is no such object.
        """
        data = self.read_or_none(key)
        if data is None:
            raise NotFound(
                f"{self.uri_of(key)} does not exist",
                hint="it was deleted, or the store is not the one it was written to",
            )
        return data

    @abstractmethod
    def read_or_none(self, key: str) -> bytes | None:
        """The object's bytes, or None when there is no such object."""

    @abstractmethod
    def write(self, key: str, data: bytes) -> None:
        """Create or replace an object, atomically: a reader sees the old bytes or the new ones.

        A killed process never leaves half an object. A local store is not synced to disk: after a power
        failure of the machine, the last seconds may be missing.
        """

    @abstractmethod
    def create(self, key: str, data: bytes) -> bool:
        """Create an object if there is none: of all callers anywhere, one gets True."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether there is an object of this key; a folder is no object."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object; an absent one is fine.

        A folder left empty goes too; servers that keep folders, as SeaweedFS, may name it in a list for a while.
        """

    @abstractmethod
    def list(self, folder: str, limit: int | None = None) -> list[str]:
        """The names of what lies directly in ``folder``, objects and folders, sorted; the first ``limit``.

        Empty when there is no such folder.
        """

    def check_writable(self) -> None:
        """Create, read back and remove a small object.

        Raises:
            StoreError: with what to do, when the store is read-only, full, forbidden or unreachable.
        """
        key = f"probe-{secrets.token_hex(8)}"
        self.create(key, b"flytemp")
        try:
            self.read(key)
        finally:
            self.delete(key)


@functools.lru_cache(maxsize=64)
def _open(uri: str) -> ObjectStore:
    # Imported here: a process with a local store loads no fsspec.
    path = local_path(uri)
    if path is not None:
        from flytemp.store.local import LocalStore

        return LocalStore(uri, path)
    from flytemp.store.remote import RemoteStore

    return RemoteStore(uri)
