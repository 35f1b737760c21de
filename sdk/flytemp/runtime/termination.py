"""What TERM does in a task's container: it reaches the user's code as an exception, and leaves no result behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """The container is being stopped. Raised where the user's code is, so that its ``finally`` clauses run.

    No ``Exception``: code that goes on after any error does not go on after this.
    """


class _Term:
    """Whether TERM came, and whether it may be raised now: never while a result is being committed."""

    def __init__(self) -> None:
        self.came = False
        self.depth = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        if self.depth:
            raise Terminated


_term = _Term()


def raise_on_term() -> None:
    """From now on TERM is an exception in the user's code. A container's first process would ignore it else."""
    signal.signal(signal.SIGTERM, _term.handle)


@contextmanager
def interruptible() -> Iterator[None]:
    """TERM may be raised in here, also one that came before.

    Raises:
        Terminated: it came.
    """
    _term.depth += 1
    try:
        if _term.came:
            raise Terminated
        yield
    finally:
        _term.depth -= 1
