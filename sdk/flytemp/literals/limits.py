"""How large a value may be that travels as metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flytemp.errors import LimitExceeded

if TYPE_CHECKING:
    from flytemp.literals.types import Json

INLINE_BYTES = 8 * 1024
"""An execution's inputs, and a node's inputs or outputs, travel inline up to this many bytes in all, else by reference
(design: budgets)."""

MAX_LITERAL_BYTES = 2 * 1024 * 1024
"""The most that one input or output may measure, as compact JSON in UTF-8."""


def check_size(name: str, literal: Json) -> Json:
    """Return ``literal`` if it is small enough to travel.

    Raises:
        LimitExceeded: naming the variable, its size and the remedy.
    """
    size = len(json.dumps(literal, separators=(",", ":"), ensure_ascii=False).encode())
    if size > MAX_LITERAL_BYTES:
        raise LimitExceeded(
            f"the value of '{name}' measures {size / 2**20:.1f} MiB as JSON; at most {MAX_LITERAL_BYTES // 2**20} MiB "
            "travel as a value",
            hint=f"write it to a file and declare '{name}' as FlyteFile (or FlyteDirectory)",
        )
    return literal
