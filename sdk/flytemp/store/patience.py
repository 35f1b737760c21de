"""Repetition of requests to a store that does not answer, for minutes, where a failure would waste finished work.

`flytemp.request_retries` repeats a request for seconds, after errors that the server calls transient. `Patience` also covers a
disk that is full, a folder that is read-only for a while, and credentials that are being renewed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from flytemp.errors import CorruptData, StoreError
from flytemp.exhaustion import exhausted_resource
from flytemp.request_retries import pauses

T = TypeVar("T")

PATIENCE_SECONDS = 600.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0


class Patience:
    """Pauses between the repetitions of one request, for a number of seconds, by default `PATIENCE_SECONDS`."""

    def __init__(self, seconds: float | None = None) -> None:
        self._end = time.monotonic() + (PATIENCE_SECONDS if seconds is None else seconds)
        self._pauses = pauses(None, FIRST_PAUSE_SECONDS, 2, LONGEST_PAUSE_SECONDS)

    def pause_after(self, error: StoreError) -> float | None:
        """Return the seconds to wait before the next repetition; None if there is no further one.

        A process that has used up its own resources does not get them back by waiting.
        """
        if isinstance(error, CorruptData) or exhausted_resource(error) is not None or time.monotonic() >= self._end:
            return None
        return next(self._pauses)


def patient(request: Callable[[], T], seconds: float | None = None) -> T:
    """Return the result of ``request()``, repeated while the store does not answer.

    Raises:
        StoreError: the store has not answered for the given seconds, or an object is damaged.
    """
    patience = Patience(seconds)
    while True:
        try:
            return request()
        except StoreError as error:
            pause = patience.pause_after(error)
            if pause is None:
                raise
        time.sleep(pause)
