"""Detection of forked processes that wait for a lock for ever.

A library that ran threads or held locks when its process was forked may wait for a thread that does not exist in the forked
process. Such a process is recognised by its threads: each of them waits for a lock inside this process, without a time limit,
and one of them in the code of a library. No thread is left that could release a lock, and no time passes that could end a wait,
so that the state can never change. A task that sleeps, computes, reads, or waits for a process, a file, a connection or a time
is never in this state. A lock that Python itself waits for is not counted: no Python code runs in other threads when a process is
forked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from flytemp.runtime.native_threads import native_threads, thread_ids
from flytemp_activities.process.child import TaskProcess


@dataclass(frozen=True, slots=True)
class _Blocked:
    """Threads that all wait for locks. Two equal observations are a deadlock: no thread ran between them."""

    library: str
    switches: tuple[tuple[int, str], ...]  # how often each thread was scheduled


def blocked_threads(pid: int) -> _Blocked | None:
    """Return the threads of a process if all wait for locks for ever, and one of them in a library; else None."""
    ids = thread_ids(pid)
    try:
        switches = tuple((thread, _switches(pid, thread)) for thread in ids)
        if not ids or any(Path(f"/proc/{pid}/task/{thread}/children").read_text() for thread in ids):
            return None
    except OSError:
        return None
    threads = native_threads(pid, ids)
    if len(threads) < len(ids) or not all(thread.waits_for_lock for thread in threads):
        return None
    library = next((thread.library for thread in threads if thread.library and not thread.is_python), None)
    return None if library is None else _Blocked(library, switches)


def _switches(pid: int, thread: int) -> str:
    """Return how often a thread was scheduled: the numbers in its status, which grow whenever the thread runs."""
    lines = Path(f"/proc/{pid}/task/{thread}/status").read_text().splitlines()
    return " ".join(line.split()[-1] for line in lines if "ctxt_switches" in line)


async def end_deadlock(process: TaskProcess, seconds: float) -> str | None:
    """Look at a forked process every few seconds until it ends, and kill it if it is in a deadlock.

    Returns:
        The library in which it was blocked, or None.
    """
    before: _Blocked | None = None
    while not await process.ends_within(seconds):
        now = await asyncio.to_thread(blocked_threads, process.pid)
        if now is not None and now == before:
            process.kill_deadlocked(now.library)
            return now.library
        before = now
    return None
