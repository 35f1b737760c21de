"""Sizes of values: the limits of what travels as metadata, and the lengths of mapped lists."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flytemp.errors import InputError, LimitExceeded, TypeMismatch

if TYPE_CHECKING:
    from flytemp.literals.types import Json

INLINE_BYTES = 8 * 1024
"""Limit in bytes of all inputs of an execution, or all inputs or outputs of a node, in the history. Larger ones are passed
by reference (design: budgets)."""

MAX_LITERAL_BYTES = 2 * 1024 * 1024
"""Limit in bytes of one input or output, as compact JSON in UTF-8."""


MAX_DEPTH = 100
"""Limit of the lists and objects around one another in one input or output. The parser of stored documents accepts 200, and
a value is nested a few levels deep in them."""


def check_size(name: str, literal: Json) -> Json:
    """Return ``literal`` if it is within `MAX_LITERAL_BYTES` and `MAX_DEPTH`.

    Raises:
        LimitExceeded: the literal is larger or nested deeper; the message has the variable and the limit.
    """
    try:
        text = json.dumps(literal, separators=(",", ":"), ensure_ascii=False)
    except RecursionError:
        raise _too_deep(f"the value of '{name}'", f"more than {MAX_DEPTH}") from None
    size = len(text.encode())
    if size > MAX_LITERAL_BYTES:
        raise LimitExceeded(
            f"the value of '{name}' measures {size / 2**20:.1f} MiB as JSON; the limit is {MAX_LITERAL_BYTES // 2**20} MiB",
            hint=f"write it to a file and declare '{name}' as FlyteFile (or FlyteDirectory)",
        )
    if text.count("[") + text.count("{") > MAX_DEPTH:
        depth = depth_of(literal)
        if depth > MAX_DEPTH:
            raise _too_deep(f"the value of '{name}'", str(depth))
    return literal


def depth_of(literal: Json) -> int:
    """Return the number of lists and objects around the innermost value."""
    depth = 0
    level = [literal] if isinstance(literal, list | dict) else []
    while level:
        depth += 1
        parts = itertools.chain.from_iterable(part.values() if type(part) is dict else part for part in level)
        level = [part for part in parts if type(part) is dict or type(part) is list]  # faster than isinstance
    return depth


def _too_deep(what: str, depth: str) -> LimitExceeded:
    return LimitExceeded(
        f"{what} is nested {depth} levels deep; the limit is {MAX_DEPTH}", hint="write it to a file and pass a FlyteFile"
    )


def check_lengths(lengths: Mapping[str, int]) -> int:
    """Return the common length of the lists that a map iterates over, by the names of their inputs.

    Raises:
        InputError: the lengths differ.
    """
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"the mapped lists have different lengths: {', '.join(f'{name} {length}' for name, length in lengths.items())}",
            hint="map over lists of the same length; bind what is the same for every item with functools.partial",
        )
    return next(iter(lengths.values()), 0)


def length_of(name: str, value: Any) -> int:
    """Return the length of a mapped list.

    Raises:
        TypeMismatch: the value is not a list.
    """
    if not isinstance(value, list):
        raise TypeMismatch(f"{name}: cannot map over {type(value).__name__}: a list is required")
    return len(value)
