"""State of a process that a task's function may change, and that flytemp's runtime needs to store the result."""

from __future__ import annotations

import builtins
import contextlib
import faulthandler
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

_RESERVED_DESCRIPTORS = 32

if sys.platform != "win32":
    import resource

    _LIMITS = tuple(
        getattr(resource, name)
        for name in ("RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_NPROC", "RLIMIT_CPU")
        if hasattr(resource, name)
    )


def state_kept_for_runtime() -> ExitStack:
    """Return the context of a task's function. What the function changed and the runtime needs is restored at its end.

    The state that only the task's own code uses is not restored: the process ends with the task. The context is not a generator,
    for the reason that `flytemp.runtime.forks` gives.
    """
    stack = ExitStack()
    for restore in (*_interpreter(), *_limits(), _umask(), _reserve(), *_timers()):
        stack.callback(restore)
    stack.enter_context(warnings.catch_warnings())
    return stack


def _interpreter() -> Iterator[Callable[[], object]]:
    """Yield the functions that restore the state of the interpreter."""
    names, timeout = dict(vars(builtins)), socket.getdefaulttimeout()
    trace, profile, depth = sys.gettrace(), sys.getprofile(), sys.getrecursionlimit()
    yield lambda: vars(builtins).update(names)
    yield lambda: socket.setdefaulttimeout(timeout)
    yield lambda: None if sys.gettrace() is trace else sys.settrace(trace)
    yield lambda: None if sys.getprofile() is profile else sys.setprofile(profile)
    yield lambda: _set_recursion_limit(depth)
    if hasattr(signal, "pthread_sigmask"):
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        yield lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _set_recursion_limit(depth: int) -> None:
    with contextlib.suppress(RecursionError):  # the limit is below the current depth
        sys.setrecursionlimit(depth)


def _limits() -> Iterator[Callable[[], object]]:
    """Yield the functions that restore the resource limits as far as the system permits it."""
    if sys.platform == "win32":
        return
    for kind in _LIMITS:
        yield _restorer_of_limit(kind, resource.getrlimit(kind))


def _restorer_of_limit(kind: int, before: tuple[int, int]) -> Callable[[], None]:
    def restore() -> None:
        soft, hard = resource.getrlimit(kind)
        if (soft, hard) == before:
            return
        try:
            resource.setrlimit(kind, before)
        except (ValueError, OSError):  # the task lowered the hard limit
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(kind, (hard, hard))

    return restore


def _umask() -> Callable[[], object]:
    mask = os.umask(0o077)
    os.umask(mask)
    return lambda: os.umask(mask)


def _reserve() -> Callable[[], object]:
    """Open descriptors, which are closed after the function, so that the runtime can open files when the task left too many."""
    reserved: list[int] = []
    device = os.stat(os.devnull).st_rdev
    with contextlib.suppress(OSError):
        reserved.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        reserved += [os.dup(reserved[0]) for _ in range(_RESERVED_DESCRIPTORS - 1)]

    def release() -> None:
        for descriptor in reserved:
            with contextlib.suppress(OSError):  # the task closed it
                if os.fstat(descriptor).st_rdev == device:
                    os.close(descriptor)

    return release


def _timers() -> Iterator[Callable[[], object]]:
    """Yield the functions that stop the timers which the function starts. Their signals could end the process."""
    for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"):
        timer = getattr(signal, name, None)
        if timer is not None and not signal.getitimer(timer)[0]:
            yield partial(signal.setitimer, timer, 0)
    yield faulthandler.cancel_dump_traceback_later
