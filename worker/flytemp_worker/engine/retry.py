"""Budgets and back-off: what happens after a try that did not succeed.

=====================  =======================  ==============================================
what happened          budget                   exhausted
=====================  =======================  ==============================================
USER, retryable        the task's ``retries``   FAILED (TIMED_OUT when it ran out of time)
USER, not retryable    none                     FAILED
SYSTEM or lost         the platform's tries     FAILED, with what was lost
SYSTEM, not retryable  none                     FAILED
=====================  =======================  ==============================================
"""

from __future__ import annotations

import zlib
from typing import Any

SYSTEM_BACKOFF = (0.1, 2.0, 30.0)
"""Base, factor and cap, in seconds, between tries that the platform lost: the first follows almost at once,
because a worker that died is usually back; a platform that keeps failing is not hammered."""


def user_backoff(backoff: list[Any], failures: int, node: str) -> float:
    """Seconds before the next attempt after ``failures`` failed ones. ``backoff`` is [base, factor, cap, jitter]."""
    base, factor, cap, jitter = backoff
    seconds = _grown(base, factor, cap, failures)
    return seconds * (0.5 + 0.5 * spread(f"{node}/{failures}")) if jitter else seconds


def system_backoff(lost: int, node: str) -> float:
    """Seconds before the next try after ``lost`` lost ones in this attempt."""
    base, factor, cap = SYSTEM_BACKOFF
    return _grown(base, factor, cap, lost) * (0.5 + 0.5 * spread(f"{node}/lost/{lost}"))


def _grown(base: float, factor: float, cap: float, failures: int) -> float:
    """``min(base * factor ** (failures - 1), cap)``, for any factor: a power of a large one is no float any more."""
    seconds = base
    for _ in range(min(failures - 1, 64)):
        if seconds >= cap:
            break
        seconds *= factor
    return float(min(seconds, cap))


def spread(text: str) -> float:
    """A number in [0, 1) that is always the same for ``text``: jitter that a replay repeats."""
    return zlib.crc32(text.encode()) / 2**32
