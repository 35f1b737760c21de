"""Repeating what an overloaded store has refused, with pauses that grow and differ between callers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from flytemp.store.error_codes import is_transient

T = TypeVar("T")

TRIES = 5
"""How often a request is made in all, on top of what the client itself repeats."""

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


wait = time.sleep
"""What a pause is; tests do not wait."""


def pauses(tries: int) -> Iterator[float]:
    """The seconds to wait after each of ``tries`` tries but the last."""
    for number in range(tries - 1):
        yield random.uniform(0.5, 1.0) * min(_FIRST_PAUSE_SECONDS * 3**number, _LONGEST_PAUSE_SECONDS)


def patiently(request: Callable[[], T], pause: Callable[[float], None] | None = None) -> T:
    """``request()``, repeated while the store answers that it is overloaded or stumbled.

    Raises:
        Exception: the client's own error, of the last try; one that repeating does not help, at once.
    """
    for seconds in pauses(TRIES):
        try:
            return request()
        except Exception as error:
            if not is_transient(error):
                raise
        (pause or wait)(seconds)
    return request()
