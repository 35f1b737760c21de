"""Plans and states as pages of text, small enough for a payload of Temporal's."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode

from flytemp.errors import CorruptData
from flytemp.literals.types import Json

PAGE_BYTES = 512 * 1024
"""A page of a plan or a state is at most this long, encoded (design: the engine)."""


def to_pages(data: Json) -> list[str]:
    """``data`` as compressed JSON, in texts of at most `PAGE_BYTES`."""
    encoded = b64encode(zlib.compress(json.dumps(data, separators=(",", ":")).encode(), 6)).decode()
    return [encoded[start : start + PAGE_BYTES] for start in range(0, len(encoded), PAGE_BYTES)] or [""]


def from_pages(pages: list[str]) -> Json:
    """The inverse of `to_pages`.

    Raises:
        CorruptData: the pages are not what `to_pages` gave.
    """
    try:
        return json.loads(zlib.decompress(b64decode("".join(pages))))
    except (ValueError, zlib.error) as error:
        raise CorruptData(f"the pages of a plan or state do not decode: {error}") from error
