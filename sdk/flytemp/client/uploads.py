"""Files that a caller gives as inputs: copied into the store before the launch."""

from __future__ import annotations

import secrets
from pathlib import Path

from flytemp.literals.transfer import RawDataTransfer
from flytemp.store.object_store import ObjectStore


class Uploads(RawDataTransfer):
    """Moves local files under ``uploads/<random>/``; nothing is downloaded through it."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store.uri_of(f"uploads/{secrets.token_hex(8)}"), Path())
