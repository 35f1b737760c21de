"""Lists that are gone through together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flytemp.errors import InputError, TypeMismatch


def check_lengths(lengths: Mapping[str, int]) -> int:
    """The length of all the lists, which are named by the inputs that they are for.

    Raises:
        InputError: when they are not equally long.
    """
    if len(set(lengths.values())) > 1:
        raise InputError(
            f"the mapped lists have different lengths: {', '.join(f'{name} {length}' for name, length in lengths.items())}",
            hint="map over lists of the same length; give what is the same for every call with functools.partial",
        )
    return next(iter(lengths.values()), 0)


def length_of(name: str, value: Any) -> int:
    """The length of a list that is mapped over.

    Raises:
        TypeMismatch: it is none.
    """
    if not isinstance(value, list):
        raise TypeMismatch(f"{name}: cannot map over {type(value).__name__}, which is no list")
    return len(value)
