"""A task's process and those around it: it does not outlive its parent, and adopts what its children abandon."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CHECK_SECONDS = 1.0


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def die_with(expected: int) -> None:
    """Have the system kill this process when its parent, which is to be ``expected``, ends in whatever way."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(expected,), name="flytemp-parent-watch", daemon=True).start()
    # It may have ended before the system was told.
    if os.getppid() != expected:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, so that what a task left running can be seen."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _watch(expected: int) -> None:
    while os.getppid() == expected:
        time.sleep(_CHECK_SECONDS)
    os._exit(1)
