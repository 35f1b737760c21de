"""Global random number generators of a forked process: as if the process had imported the program itself.

A generator that the program seeded keeps its seed. One that was not seeded returns other numbers in each process.
"""

from __future__ import annotations

import random
import sys
from typing import Any

_OUTPUTS = 624  # size of the state of the Mersenne Twister, in numbers of 32 bits
_FOLLOWED_BLOCKS = 64

_State = tuple[Any, ...]


class RandomNumbers:
    """State of the generators of ``random`` and ``numpy.random`` in the process that is forked."""

    def __init__(self) -> None:
        self._before = random.getstate()
        self._seeded: _State | None = None

    def imported(self) -> None:
        """Note the state after the program was imported."""
        state = random.getstate()
        self._seeded = None if _was_only_used(self._before, state) else state

    def forked(self) -> None:
        """Give each generator its state in the forked process. Python has seeded that of ``random`` anew."""
        if self._seeded is not None:
            random.setstate(self._seeded)
        numpy = sys.modules.get("numpy.random.mtrand")
        generator = getattr(numpy, "_rand", None)
        if generator is not None and _has_entropy(generator):
            generator.seed()


def _was_only_used(before: _State, after: _State) -> bool:
    """Return whether a generator came from one state to the other by returning numbers, without a seed."""
    copy = random.Random()
    copy.setstate(before)
    goal = after[1][:_OUTPUTS]
    for _ in range(_FOLLOWED_BLOCKS):
        if copy.getstate()[1][:_OUTPUTS] == goal:
            return True
        copy.getrandbits(32 * _OUTPUTS)
    return False


def _has_entropy(generator: Any) -> bool:
    """Return whether numpy's global generator still has its seed from the system, or an unknown one."""
    bits = getattr(generator, "_bit_generator", None)
    return getattr(bits, "_seed_seq", None) is not None
