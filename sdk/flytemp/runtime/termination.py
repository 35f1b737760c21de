"""Handling of TERM in a task's container: it becomes an exception in the user's code, and no result is committed."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class Terminated(BaseException):
    """Error raised in the user's code when the container is being stopped, so that its ``finally`` clauses run.

    It is not an ``Exception``, so that code which continues after any exception does not continue after this one.
    """


class _Term:
    """State of TERM: received or not, and the depth of `Interruptible` contexts. It is not raised during a commit."""

    def __init__(self) -> None:
        self.received = False
        self.depth = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        if self.depth:
            raise Terminated


_term = _Term()


def raise_on_term() -> None:
    """Turn TERM into an exception in the user's code. The first process of a container would ignore it otherwise."""
    signal.signal(signal.SIGTERM, _term.handle)


class Interruptible:
    """Context in which TERM is raised as `Terminated`, also if it was received before.

    The context is a class for the reason that `flytemp.runtime.forks` gives.
    """

    def __enter__(self) -> None:
        _term.depth += 1
        try:
            if _term.received:
                raise Terminated
        except Terminated:
            _term.depth -= 1
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _term.depth -= 1
