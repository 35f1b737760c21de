"""Plans and states as pages of text that fit into payloads of Temporal."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode

from flytemp.errors import CorruptData
from flytemp.literals.types import Json

PAGE_BYTES = 512 * 1024
"""Maximum size of an encoded page of a plan or a state."""


def to_pages(data: Json) -> list[str]:
    """Return ``data`` as compressed JSON, in texts of at most `PAGE_BYTES`."""
    encoded = b64encode(zlib.compress(json.dumps(data, separators=(",", ":")).encode(), 6)).decode()
    return [encoded[start : start + PAGE_BYTES] for start in range(0, len(encoded), PAGE_BYTES)] or [""]


def from_pages(pages: list[str]) -> Json:
    """Return the data that `to_pages` made pages of.

    Raises:
        CorruptData: if the pages are damaged.
    """
    try:
        return json.loads(zlib.decompress(b64decode("".join(pages))))
    except (ValueError, RecursionError, zlib.error) as error:
        raise CorruptData(f"the pages of a plan or state do not decode: {error}") from error
