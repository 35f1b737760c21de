"""Guard: a program that ends the processes of a worker's tasks when the worker has ended, even by ``kill -9``.

The guard runs as a plain script (``python -I -S guard.py <token> <scratch folder> <worker's pid>``) in its own session. It uses
the standard library alone, so that it is small and imports no code of the user. It reads a pipe whose only writer is the
worker: the end of the pipe is the end of the worker. The lines of the pipe are ``+<pgid>`` and ``-<pgid>``, for the process
groups that start and end.

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

MARKER = "FLYTEMP_PROCESS_GUARD"
_CLEAN_ROUNDS = 3  # a process may fork during a scan: several scans in a row must find nothing
_PAUSE_SECONDS = 0.02
_PARENT_CHECK_SECONDS = 1.0


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
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)


def _kill_groups(groups: set[int]) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _follow_worker(parent: int) -> set[int]:
    """Read the pipe to its end, or until the parent is another process; return the groups that live then."""
    groups: set[int] = set()
    rest = b""
    while True:
        ready, _, _ = select.select([0], [], [], _PARENT_CHECK_SECONDS)
        # A fork of the worker may keep the pipe open after the end of the worker.
        if not ready and os.getppid() != parent:
            return groups
        data = os.read(0, 65536) if ready else None
        if data == b"":
            return groups
        *lines, rest = (rest + (data or b"")).split(b"\n")
        for line in lines:
            group = int(line[1:])
            groups.add(group) if line[:1] == b"+" else groups.discard(group)


def main(token: str, scratch: str, parent: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _kill_groups(_follow_worker(parent))
    kill_marked(token + ".")
    import shutil

    shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
