"""Parent and orphans of a task's process: it ends with its parent, and adopts orphaned descendants."""

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
    """Make the system kill this process when its parent ends. The parent must have the pid ``expected``."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(expected,), name="flytemp-parent-watch", daemon=True).start()
    # The parent may have ended before the call above.
    if os.getppid() != expected:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, to find the processes that a task left running."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _watch(expected: int) -> None:
    while os.getppid() == expected:
        time.sleep(_CHECK_SECONDS)
    os._exit(1)
