"""Back-off between attempts and tries. What follows a try that did not succeed:

=====================  =======================  ==============================================
outcome                budget                   exhausted
=====================  =======================  ==============================================
USER, retryable        the task's ``retries``   FAILED (TIMED_OUT if the code is Timeout)
USER, not retryable    none                     FAILED
SYSTEM or lost         the platform's tries     FAILED, with the last error
SYSTEM, not retryable  none                     FAILED
=====================  =======================  ==============================================
"""

from __future__ import annotations

import zlib
from typing import Any

SYSTEM_BACKOFF = (0.1, 3.0, 60.0)
"""Base, factor and cap, in seconds, between tries that the platform lost. The first delay is short, because a worker that
crashed is usually back at once. The growth protects a platform that keeps failing: ten tries take more than 100 seconds, so that
an outage of a minute fails no execution."""

MAX_DOUBLINGS = 64


def user_backoff(backoff: list[Any], failures: int, key: str) -> float:
    """Return the seconds before the next attempt; ``backoff`` is [base, factor, cap, jitter], ``key`` seeds the jitter."""
    base, factor, cap, jitter = backoff
    seconds = _grown(base, factor, cap, failures)
    return seconds * _jitter(f"{key}/{failures}") if jitter else seconds


def system_backoff(lost: int, key: str) -> float:
    """Return the seconds before the next try after ``lost`` tries of an attempt were lost."""
    return _grown(*SYSTEM_BACKOFF, lost) * _jitter(f"{key}/lost/{lost}")


def _grown(base: float, factor: float, cap: float, failures: int) -> float:
    """Return ``min(base * factor ** (failures - 1), cap)`` for any factor: a power of a large one would overflow."""
    seconds = base
    for _ in range(min(failures - 1, MAX_DOUBLINGS)):
        if seconds >= cap:
            break
        seconds *= factor
    return float(min(seconds, cap))


def _jitter(key: str) -> float:
    """Return a number in [0.5, 1) that is always the same for ``key``, so that a replay repeats it."""
    return 0.5 + 0.5 * zlib.crc32(key.encode()) / 2**32
