"""The object store: metadata objects (`object_store`) and raw data (`raw`). Only this package uses fsspec."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import TYPE_CHECKING, cast

from flytemp.store.keys import normalise_store_uri, protocol_of
from flytemp.store.own_folders import protect

if TYPE_CHECKING:
    from flytemp.store.object_store import ObjectStore

_STORES = {"file": ("flytemp.store.local", "LocalStore")}
"""Module and class of the store of each protocol. The module is imported when a store is opened: a process with a local
store loads no fsspec."""

_FSSPEC_STORE = ("flytemp.store.remote", "RemoteStore")


def open_store(uri: str) -> ObjectStore:
    """Return the store at ``uri``: ``/abs/path``, ``file:///abs/path``, ``s3://bucket/prefix``, ``memory://name``, ….

    Nothing is created or contacted; see `ObjectStore.check_writable`. Each store is opened once per process.

    Raises:
        InputError: the path is relative.
        NotSupported: the protocol is unknown, or its client is not installed.
    """
    return _open(normalise_store_uri(uri))


def import_store(uri: str) -> None:
    """Import the modules of the store at ``uri`` without opening it, for processes that are forked later."""
    protocol = protocol_of(normalise_store_uri(uri)) or ""
    import_module(_STORES.get(protocol, _FSSPEC_STORE)[0])
    if protocol not in _STORES:
        from flytemp.store.filesystems import import_client

        import_client(protocol)


@functools.lru_cache(maxsize=64)
def _open(uri: str) -> ObjectStore:
    protect(uri)
    module, name = _STORES.get(protocol_of(uri) or "", _FSSPEC_STORE)
    return cast("ObjectStore", getattr(import_module(module), name)(uri))
