"""Protection of the store's own folders against writes to addresses that users choose.

A task may write its outputs anywhere, for example with ``FlyteFile(path, remote_path="s3://bucket/report.csv")``. An address in a
folder that flytemp keeps in the store, such as ``registry/``, is refused: a file there would replace a registered document, a
result or a record. The check is for mistakes and for launches that name such an address. A task with the store's credentials can
write there by other means; the store's permissions and digests limit that.
"""

from __future__ import annotations

import os
import posixpath

from flytemp.errors import InputError
from flytemp.layout import OWN_FOLDERS
from flytemp.store.keys import local_path, protocol_of

_SAME_PROTOCOLS = {"s3a": "s3", "gcs": "gs", "abfss": "abfs", "az": "abfs"}
_HINT = "write to the raw-data prefix (leave the address out), or to another folder or bucket"

_stores: set[str] = set()


def protect(store_uri: str) -> None:
    """Protect a store, which this process has opened."""
    _stores.add(store_uri)


def check_target(uri: str, *, is_folder: bool = False) -> None:
    """Refuse a write to ``uri`` that would change what flytemp keeps in a store that this process has opened.

    Args:
        uri: the address of the file or folder to write.
        is_folder: whether a folder with any content is written, which must not contain a store either.

    Raises:
        InputError: the address is in one of the store's own folders.
    """
    target = _normal(uri)
    for store_uri in tuple(_stores):
        store = _normal(store_uri).rstrip("/") + "/"
        top = target.removeprefix(store).partition("/")[0]
        if target.startswith(store) and top in OWN_FOLDERS:
            raise InputError(f"cannot write to {uri}: flytemp keeps its own objects in {store_uri}/{top}", hint=_HINT)
        if is_folder and store.startswith(target.rstrip("/") + "/"):
            raise InputError(f"cannot write a folder to {uri}: it would contain flytemp's store {store_uri}", hint=_HINT)


def _normal(uri: str) -> str:
    """Return an address that is equal for equal places: an absolute path, or ``protocol:bucket/key`` without a leading slash."""
    path = local_path(uri)
    if path is not None:
        return os.path.realpath(path).replace(os.sep, "/")
    protocol = protocol_of(uri) or ""
    return f"{_SAME_PROTOCOLS.get(protocol, protocol)}:" + posixpath.normpath(uri.partition("://")[2].strip("/"))
