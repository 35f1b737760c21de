"""Interface of the store of flytemp's own objects, which are small, mostly immutable, and in part created exclusively.

Stores are synchronous and thread-safe. Asynchronous code calls them through `asyncio.to_thread`. `flytemp.store.open_store`
returns the store at an address.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod

from flytemp.errors import NotFound
from flytemp.store.keys import check_key


class ObjectStore(ABC):
    """Objects under one URI, by key. A key is a relative path; see `flytemp.layout`.

    Every method raises `InvalidName` for an invalid key, and `StoreError` if the store refuses the request or cannot be
    reached.
    """

    uri: str
    """Address of the store, in the form of `normalise_store_uri`."""

    def uri_of(self, key: str) -> str:
        """Return the URI of an object."""
        return f"{self.uri}/{check_key(key)}"

    def read(self, key: str) -> bytes:
        """Return the object's bytes.

        Raises:
            NotFound: the object does not exist.
        """
        data = self.read_or_none(key)
        if data is None:
            raise NotFound(
                f"{self.uri_of(key)} does not exist",
                hint="check that the store is the right one; the object may have been deleted",
            )
        return data

    @abstractmethod
    def read_or_none(self, key: str) -> bytes | None:
        """Return the object's bytes, or None if the object does not exist."""

    @abstractmethod
    def write(self, key: str, data: bytes) -> None:
        """Create or replace an object atomically: a reader gets the old bytes or the new ones.

        A killed process never leaves an incomplete object. A local store is not synced to disk: a power failure may lose
        the writes of the last seconds.
        """

    @abstractmethod
    def create(self, key: str, data: bytes) -> bool:
        """Create an object if it does not exist. Return True to exactly one of all callers in all processes."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Return whether the object exists. A folder is not an object."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove an object, if it exists, and its folder if that becomes empty.

        Servers that keep folders, such as SeaweedFS, may list the empty folder for a while.
        """

    @abstractmethod
    def list(self, folder: str, limit: int | None = None) -> list[str]:
        """Return the sorted names of the objects and folders directly in ``folder``, at most ``limit``.

        The list of a folder that does not exist is empty.
        """

    def check_writable(self) -> None:
        """Create, read back and remove a small object.

        Raises:
            StoreError: the store is read-only, full, forbidden or unreachable; the hint has the remedy.
        """
        key = f"probe-{secrets.token_hex(8)}"
        self.create(key, b"flytemp")
        try:
            self.read(key)
        finally:
            self.delete(key)
