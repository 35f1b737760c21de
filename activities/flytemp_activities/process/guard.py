"""Guard: a program that ends the processes of a worker's tasks in time, whatever happens to the worker.

The guard kills the processes in two cases: the worker has ended, even by ``kill -9``; or the worker has not renewed its lease in
time, because it is stopped, suspended or cut off from the store. In the second case another worker may soon run the tasks.

The guard runs as a plain script (``python -I -S guard.py <token> <scratch folder> <worker's pid>``) in its own session. It uses
the standard library alone, so that it is small and imports no code of the user. It reads a pipe whose only writer is the
worker: the end of the pipe is the end of the worker. The lines of the pipe are::

    +<pgid>     a process group has started
    -<pgid>     a process group has ended
    =<seconds>  the time of `now` at which the guard must kill all processes; "inf" if no task runs

Every process of a task has the variable `MARKER` = ``<token>.<number>.`` in its environment, and its children inherit it.
Therefore the guard also finds processes that left their group and session. Without ``/proc`` it knows the registered groups
only.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Mapping

MARKER = "FLYTEMP_PROCESS_GUARD"
_CLEAN_ROUNDS = 3  # a process may fork during a scan: several scans in a row must find nothing
_PAUSE_SECONDS = 0.02
_PARENT_CHECK_SECONDS = 1.0
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_PR_SET_DUMPABLE = 4


def marker_of(pid: int) -> str | None:
    """Return the marker of a living process of this user, or None."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    name = f"{MARKER}=".encode()
    values = [variable[len(name) :] for variable in variables if variable.startswith(name)]
    return values[0].decode(errors="replace") if values else None


def marked_processes(prefix: str) -> list[int]:
    """Return the living processes of this user whose marker starts with ``prefix``."""
    own = os.getpid()
    pids = [int(name) for name in _proc_entries()]
    return [pid for pid in pids if pid != own and (marker_of(pid) or "").startswith(prefix)]


def _proc_entries() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def kill_marked(prefix: str) -> None:
    """Kill every process whose marker starts with ``prefix``; return when none is left."""
    clean = 0
    while clean < _CLEAN_ROUNDS:
        found = marked_processes(prefix)
        clean = 0 if found else clean + 1
        _kill(found)
        time.sleep(_PAUSE_SECONDS)


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def now() -> float:
    """Return the seconds of a clock that is never set and, on Linux, continues while the machine is suspended."""
    return time.clock_gettime(_CLOCK)


def _descendants(pids: set[int]) -> set[int]:
    """Return the living descendants of processes, which are their orphans as well: tasks' processes adopt orphans."""
    parents: dict[int, int] = {}
    for name in _proc_entries():
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            data = file.read()
            parents[int(name)] = int(data[data.rfind(b")") + 2 :].split(maxsplit=2)[1])
    return with_descendants(pids, parents) - pids


def with_descendants(pids: set[int], parents: Mapping[int, int]) -> set[int]:
    """Return processes and their descendants. ``parents`` has the parent of each living process."""
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _kill_groups(groups: set[int]) -> None:
    _kill(_descendants(groups))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


class _Worker:
    """The worker as its pipe describes it: living process groups, and the end of its lease."""

    def __init__(self, parent: int) -> None:
        self.groups: set[int] = set()
        self.deadline = float("inf")
        self._parent = parent
        self._rest = b""

    def wait(self) -> bool:
        """Wait for lines of the pipe until the deadline or for a moment; return False if the worker has ended."""
        seconds = min(_PARENT_CHECK_SECONDS, max(0.0, self.deadline - now()))
        ready, _, _ = select.select([0], [], [], seconds)
        if not ready:
            return os.getppid() == self._parent  # a fork of the worker may keep the pipe open after the end of the worker
        data = os.read(0, 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line[:1], line[1:])
        return bool(data)

    def _take(self, kind: bytes, value: bytes) -> None:
        if kind == b"=":
            self.deadline = float(value)
        elif kind == b"+":
            self.groups.add(int(value))
        else:
            self.groups.discard(int(value))


def hide_memory() -> None:
    """Forbid other processes of this user to read this process's memory and environment; without effect except on Linux."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def main(token: str, scratch: str, parent: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    hide_memory()
    worker = _Worker(parent)
    while worker.wait():
        if now() >= worker.deadline:
            _kill_groups(worker.groups)
            kill_marked(token + ".")
            worker.deadline = float("inf")
    _kill_groups(worker.groups)
    kill_marked(token + ".")
    import shutil

    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
