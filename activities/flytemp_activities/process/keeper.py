"""Keeper: the parent of a process that a worker starts. It ends whatever that process leaves.

The kernel makes the keeper the parent of each orphan below it, also of an orphan that has left its group and session and has an
empty environment. The keeper ends when the worker closes the socket or has ended, and kills all its descendants before.

The keeper runs as a plain script (``python -I -S keeper.py <socket> <worker's pid> <inherited descriptor>``) that uses the
standard library alone. The worker sends the number of bytes and the number of arguments as a line, then the arguments and the
variables of the program, each with a NUL at its end. The argument `PARENT` is replaced by the keeper's pid. The keeper answers
``pid <number>``, and when the program has ended ``code <number>`` or ``signal <number>``, each on a line.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

PARENT = "@parent"

_CHECK_SECONDS = 1.0
_PAUSE_SECONDS = 0.01
_ENDING_SECONDS = 30.0  # a process of another user, or one in an uninterruptible call, cannot be killed
_CLEAN_ROUNDS = 2
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def _prepare() -> int:
    """Adopt orphans, ignore the signals that end programs, and return a descriptor that is readable after the end of a child."""
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wake, write_end = os.pipe()
    for descriptor in (wake, write_end):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return wake


def _start(channel: int) -> int | None:
    """Start the program that the worker names; return its pid, or None if the worker has closed the socket."""
    data = b""
    while b"\n" not in data or len(data) < data.index(b"\n") + 1 + int(data.split(maxsplit=1)[0]):
        received = os.read(channel, 65536)
        if not received:
            return None
        data += received
    head, _, body = data.partition(b"\n")
    count = int(head.split()[1])
    *fields, _ = body.split(b"\0")
    command = [str(os.getpid()).encode() if field == PARENT.encode() else field for field in fields[:count]]
    environment = {name: value for name, _, value in (field.partition(b"=") for field in fields[count:])}
    defaults = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ]
    return os.posix_spawn(command[0], command, environment, setsid=True, setsigdef=defaults)


def _end_of(pid: int) -> str | None:
    """Return the end of the program, or None if it has not ended. Its pid stays taken."""
    if not hasattr(os, "waitid"):
        reaped, status = os.waitpid(pid, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status)
        return None if not reaped else f"code {code}" if code >= 0 else f"signal {-code}"
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    if found is None:
        return None
    return f"code {found.si_status}" if found.si_code == os.CLD_EXITED else f"signal {found.si_status}"


def _follow(channel: int, wake: int, worker: int, pid: int) -> None:
    """Report the end of the program; return when the worker has closed the socket or has ended."""
    is_reported = False
    poll = select.poll()  # `select.select` refuses the descriptors of a worker that has opened more than 1,024
    for descriptor in (channel, wake):
        poll.register(descriptor, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll(_CHECK_SECONDS * 1000)}
        # A fork of the worker may keep the socket open after the end of the worker.
        if channel in ready or os.getppid() != worker:
            return
        if wake in ready:
            os.read(wake, 4096)
        if not is_reported and (end := _end_of(pid)) is not None:
            is_reported = True
            with contextlib.suppress(OSError):  # the worker has ended
                os.write(channel, f"{end}\n".encode())


def _descendants() -> set[int]:
    """Return the living descendants of this process."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                data = file.read()
                state, parent = data[data.rfind(b")") + 2 :].split(maxsplit=2)[:2]
                if state not in (b"Z", b"X"):
                    parents[int(name)] = int(parent)
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def _reap() -> None:
    """Release the pids of all children that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _end_descendants(pid: int) -> None:
    """Kill all descendants of this process, of which ``pid`` is the first; return when none is left."""
    if not os.path.exists("/proc/self/stat"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        return
    deadline = time.monotonic() + _ENDING_SECONDS
    clean = 0  # a process may fork during a scan
    while clean < _CLEAN_ROUNDS and time.monotonic() < deadline:
        found = _descendants()
        clean = 0 if found else clean + 1
        for one in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(one, signal.SIGKILL)
        if found:
            time.sleep(_PAUSE_SECONDS)
    _reap()


def main(channel: int, worker: int, inherited: int) -> None:
    """Run a program until the worker has ended or closes the socket."""
    os.set_inheritable(channel, False)
    wake = _prepare()
    pid = _start(channel)
    if pid is None:
        return
    os.close(inherited)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.write(channel, f"pid {pid}\n".encode())
    _follow(channel, wake, worker, pid)
    _end_descendants(pid)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
