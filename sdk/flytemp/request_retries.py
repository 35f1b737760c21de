"""Repetition of requests with exponential back-off."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def pauses(tries: int | None, first: float = 0.1, factor: float = 3, longest: float = 5.0) -> Iterator[float]:
    """Iterate over the seconds to wait after each of ``tries`` tries except the last; without end if ``tries`` is None.

    The pauses grow from ``first`` by ``factor`` up to ``longest``. Each is multiplied by a random number between 0.5 and 1,
    so that many processes do not repeat a request at the same moment.
    """
    pause = first
    for _ in itertools.count() if tries is None else range(tries - 1):
        yield random.uniform(0.5, 1.0) * min(pause, longest)
        pause = min(pause * factor, longest)


def retry(
    request: Callable[[], T],
    is_transient: Callable[[BaseException], bool],
    tries: int = 5,
    pause: Callable[[float], None] = time.sleep,
) -> T:
    """Return the result of ``request()``, repeated after errors that may disappear.

    Args:
        request: the request.
        is_transient: returns whether a request with this error is repeated.
        tries: number of tries, including the first.
        pause: waits for a number of seconds.

    Raises:
        Exception: the error of the last try, or an error that is not transient.
    """
    for seconds in pauses(tries):
        try:
            return request()
        except Exception as error:
            if not is_transient(error):
                raise
        pause(seconds)
    return request()
