"""Lists that are gone through together."""

from __future__ import annotations

from collections.abc import Mapping

from flytemp.errors import InputError


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
