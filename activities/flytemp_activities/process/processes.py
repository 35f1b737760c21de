"""Processes of a task, and their end by TERM and KILL until none is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flytemp.runtime.host import stat_fields
from flytemp_activities.process.guard import marked_processes, with_descendants

_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.1
_CLEAN_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    parent: int
    group: int
    session: int
    started: str


def _stats() -> list[_Stat]:
    """Return every living process in ``/proc``. Zombies are not alive."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            fields = stat_fields(name)
            if fields[0] not in (b"Z", b"X"):
                found.append(_Stat(int(name), int(fields[1]), int(fields[2]), int(fields[3]), fields[19].decode()))
    return found


def has_proc() -> bool:
    return os.path.exists("/proc/self/stat")


def members(leader: int, marker: str, known: Mapping[int, str] | None = None) -> dict[int, str]:
    """Return the living processes of one task, with their start times.

    These are ``leader``, its group, session and descendants, all processes with ``marker``, and the living processes of
    ``known``. A process without group, session or marker is recognised only while its ancestors live. ``leader`` must not have
    been reaped: its pid could be that of another process.
    """
    stats = _stats()
    earlier = known or {}
    found = {stat.pid for stat in stats if leader in (stat.pid, stat.group, stat.session)}
    found |= {stat.pid for stat in stats if earlier.get(stat.pid) == stat.started}
    found |= set(marked_processes(marker))
    found = with_descendants(found, {stat.pid: stat.parent for stat in stats})
    found.discard(os.getpid())
    return {stat.pid: stat.started for stat in stats if stat.pid in found}


def _signal(pids: Iterable[int], number: int) -> set[int]:
    """Send the signal ``number``; return the processes to which the system does not permit signals."""
    refused = set()
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            refused.add(pid)
    return refused


def _group_is_alive(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _round(leader: int, marker: str, known: dict[int, str], number: int | None) -> bool:
    """Send the signal ``number`` to all living processes, and add them to ``known``; return whether there are any left.

    A process of another user, such as one that has run ``sudo``, cannot be ended and does not count.
    """
    if has_proc():
        found = members(leader, marker, known)
        known.update(found)
        return found.keys() != _signal(found, 0 if number is None else number)
    if not _group_is_alive(leader):
        return False
    if number is not None:
        os.killpg(leader, number)
    return True


async def end_all(leader: int, marker: str, grace_seconds: float) -> None:
    """End the processes of a task by TERM, and KILL after ``grace_seconds``; return when none is left.

    Without ``/proc``, only the process group of ``leader`` is ended.
    """
    deadline = time.monotonic() + grace_seconds
    number: int | None = signal.SIGTERM if grace_seconds > 0 else signal.SIGKILL
    pause = _FIRST_PAUSE_SECONDS
    clean = 0
    known: dict[int, str] = {}
    while True:
        left = await asyncio.to_thread(_round, leader, marker, known, number)
        clean = 0 if left else clean + 1
        if clean >= _CLEAN_ROUNDS:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        number = signal.SIGKILL if time.monotonic() >= deadline else None
