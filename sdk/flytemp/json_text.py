"""Reading of JSON that users and other programs wrote, and the check of its nesting."""

from __future__ import annotations

import json
from typing import Any


def read_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: the text is not JSON, not UTF-8, or nested too deeply for Python's parser.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def nesting_exceeds(value: Any, levels: int) -> bool:
    """Return True if lists and objects are nested deeper than ``levels``. The check itself does not recurse."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [item for one in layer for item in _items(one)]
        if not layer:
            return False
    return True


def _items(value: Any) -> list[Any]:
    """Return the items of a list or an object."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
