"""Detection of programs whose processes must not be forked after their modules were imported.

A forked process has copies of everything in memory, one thread, and the same open descriptors. So a program must not be forked
if importing it started threads, opened descriptors, mapped shared memory, or used a library that is known not to survive a fork.
A program that is refused wrongly is only slower: its tasks get fresh processes.
"""

from __future__ import annotations

import os
import posix
import random
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from flytemp.runtime.native_threads import NativeThread, native_threads, thread_ids

UNSAFE_MODULES: Mapping[str, str] = {
    "jax": "JAX runs threads of its own",
    "tensorflow": "TensorFlow runs threads of its own",
    "mpi4py.MPI": "MPI connects a process to the others when it is imported",
    "pycuda.autoinit": "CUDA is in use",
    "ray": "Ray keeps connections to its processes",
    "objc": "the Objective-C runtime does not survive a fork",
    "torch_xla": "XLA runs threads of its own",
}
"""Modules after whose import a process must not be forked, with the reasons. Their effects are not always visible."""

_SAFE_LIBRARIES = ("libopenblas", "libscipy_openblas", "libopenblas64", "libmkl_", "libiomp5", "libomp", "libarrow")
"""Libraries that stop their threads before a fork, or start them again in the forked process (``pthread_atfork``)."""

_SAFE_THREADS = ("jemalloc_bg_thd", "polars-ooc-clea")
"""Names of threads without which their library works: they free memory, or remove files of earlier processes."""

_SYSTEM_FUNCTIONS = ("fork", "waitid", "waitpid", "_exit")
"""Functions of `os` that a fork server calls. Libraries such as gevent replace them."""

_LOOKS = 10
_LOOK_SECONDS = 0.05
_HARMLESS_FILES = ("/dev/null", "/dev/urandom", "/dev/random")


@dataclass(frozen=True)
class ProcessSnapshot:
    """Threads, descriptors and shared memory of this process before the user's module is imported."""

    threads: frozenset[int]
    descriptors: frozenset[int]
    shared: frozenset[str]

    @classmethod
    def take(cls) -> ProcessSnapshot:
        return cls(frozenset(thread_ids(os.getpid())), frozenset(_descriptors()), frozenset(_shared_memory()))


def obstacle(before: ProcessSnapshot, work: Path, program: Path | None) -> str | None:
    """Return the reason why this process must not be forked after the user's module was imported; None if it may be forked.

    Args:
        before: state before the import.
        work: folder in which the module was imported.
        program: folder of the user's code.
    """
    return next(_obstacles(before, work, program), None)


def _obstacles(before: ProcessSnapshot, work: Path, program: Path | None) -> Iterator[str]:
    for name, reason in UNSAFE_MODULES.items():
        if name in sys.modules:
            yield f"it imports {name}: {reason}"
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        yield f"importing it started the thread {others[0]!r}"
    yield from _thread_obstacles(before)
    for descriptor in _descriptors() - before.descriptors:
        if (target := _shared_file(descriptor)) is not None:
            yield f"importing it opened {target}, which all forked processes would share"
    for path in _shared_memory() - before.shared:
        yield f"importing it mapped shared memory ({path})"
    yield from _process_obstacles(work)
    if program is not None and (holder := _random_generator(program)) is not None:
        yield f"{holder} is a random number generator, which all forked processes would copy"


def _thread_obstacles(before: ProcessSnapshot) -> Iterator[str]:
    new = [thread for thread in thread_ids(os.getpid()) if thread not in before.threads]
    found = _resting_threads(new)
    if len(found) < len(new) and thread_ids(os.getpid()) != sorted(before.threads):
        yield "importing it started threads"
    for thread in found:
        if not thread.library.startswith(_SAFE_LIBRARIES) and thread.name not in _SAFE_THREADS:
            yield f"importing it started the thread {thread.name!r} of {thread.library or 'an unknown library'}"


def _resting_threads(ids: Sequence[int]) -> list[NativeThread]:
    """Return the given threads. The library of a thread is known only while the thread waits."""
    found = native_threads(os.getpid(), ids)
    for _ in range(_LOOKS):
        if all(thread.library for thread in found):
            break
        time.sleep(_LOOK_SECONDS)
        found = native_threads(os.getpid(), ids)
    return found


def _process_obstacles(work: Path) -> Iterator[str]:
    if child_processes():
        yield "importing it started a process"
    if any(signal.getitimer(timer)[0] for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)):
        yield "importing it started a timer"
    if signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL:
        yield "it handles or ignores the end of its child processes (SIGCHLD)"
    replaced = [name for name in _SYSTEM_FUNCTIONS if getattr(os, name) is not getattr(posix, name)]
    if replaced:
        yield f"it replaces os.{replaced[0]}"
    if not _is_working_directory(work):
        yield "importing it changed the working directory"
    if any(work.iterdir()):
        yield "importing it created files in the working directory"


def _is_working_directory(work: Path) -> bool:
    try:
        return os.path.samefile(os.curdir, work)
    except OSError:
        return False  # the directory was removed


def child_processes() -> set[int]:
    """Return the child processes of this process, including adopted and ended ones."""
    found: set[int] = set()
    for thread in thread_ids(os.getpid()):
        try:
            found.update(map(int, Path(f"/proc/self/task/{thread}/children").read_text().split()))
        except OSError:
            continue
    return found


def _descriptors() -> set[int]:
    try:
        listed = {int(name) for name in os.listdir("/proc/self/fd")}
    except OSError:
        return set()
    return {descriptor for descriptor in listed if _target(descriptor) is not None}


def _target(descriptor: int) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return None  # the descriptor of the listing itself


def _shared_file(descriptor: int) -> str | None:
    """Return the description of a descriptor whose state several processes would share."""
    target = _target(descriptor)
    if target is None or target in _HARMLESS_FILES:
        return None
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return None
    if stat.S_ISSOCK(mode):
        return "a network connection or socket"
    return None if stat.S_ISDIR(mode) else target


def _shared_memory() -> set[str]:
    """Return the files that are mapped writable and shared."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return set()
    fields = [line.split(maxsplit=5) for line in lines]
    return {entry[5] for entry in fields if len(entry) == 6 and "w" in entry[1] and "s" in entry[1]}


def _random_generator(program: Path) -> str | None:
    """Return ``module.variable`` of a random number generator in the user's own modules.

    A copy of a generator returns the same numbers in each process. The seed of a generator cannot be read from it, so that a
    generator with a fixed seed is found, too.
    """
    root = f"{program}{os.sep}"
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) if isinstance(module, ModuleType) else None
        if not isinstance(file, str) or not file.startswith(root):
            continue
        for name, value in list(vars(module).items()):
            if _is_generator(value):
                return f"{module.__name__}.{name}"
    return None


def _is_generator(value: object) -> bool:
    if isinstance(value, random.Random):
        return not isinstance(value, random.SystemRandom)
    kind = type(value)
    return kind.__module__.startswith("numpy.random.") and kind.__name__ in ("Generator", "RandomState")
