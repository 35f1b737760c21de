"""Check of JSON that any Temporal client may have written: nesting, Unicode and size."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from flytemp.errors import InputError, LimitExceeded
from flytemp.json_text import nesting_exceeds

Json: TypeAlias = Any

MAX_NESTING = 150
"""Maximum nesting of lists and objects. Records are read with pydantic, whose parser accepts fewer than 200 levels."""


def check_json(value: Json, what: str, max_bytes: int) -> int:
    """Check a value that a client sent, and return the length of its JSON in bytes, as in a Temporal payload.

    Args:
        value: the value that was decoded from the client's payload.
        what: the name of the value in messages.
        max_bytes: the maximum length.

    Raises:
        InputError: the value is not JSON, is nested too deeply, or has text that is not valid Unicode.
        LimitExceeded: the value is too long.
    """
    if nesting_exceeds(value, MAX_NESTING):
        raise InputError(f"{what} is nested deeper than {MAX_NESTING} levels", hint="write large data to a file")
    try:
        size = len(json.dumps(value, separators=(",", ":")))
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        place = error.object[max(0, error.start - 20) : error.end + 20]
        message = f"{what} has text with lone surrogates, which is not valid Unicode: {place!r}"
        raise InputError(message, hint="write bytes as base64") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} is not JSON: {error}"[:500]) from error
    if size > max_bytes:
        message = f"{what} measures {size:,} bytes as JSON; the limit is {max_bytes:,} bytes"
        raise LimitExceeded(message, hint="write large values to a file and pass its URI")
    return size
