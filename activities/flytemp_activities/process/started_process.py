"""Programs that a worker starts: a task's process, or a fork server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Channels:
    """Both ends of the control socket of a process, and of the pipe of its output."""

    own_control: socket.socket
    control: socket.socket
    own_output: int
    output: int

    @classmethod
    def open(cls, kind: socket.SocketKind = socket.SOCK_STREAM) -> Channels:
        """Open the channels of a new process.

        Raises:
            OSError: this process has no descriptors left.
        """
        own, theirs = socket.socketpair(type=kind)
        try:
            read_end, write_end = os.pipe()
        except OSError:
            own.close()
            theirs.close()
            raise
        return cls(own, theirs, read_end, write_end)

    def close_theirs(self) -> None:
        """Close the ends that the other process has."""
        self.control.close()
        os.close(self.output)

    def abandon(self) -> None:
        """Close the worker's ends. A process that waits for an order then ends."""
        self.own_control.close()
        os.close(self.own_output)


class StartedProcess:
    """A Python program in a session of its own, as a child of this process.

    Args:
        arguments: module of the program, and its arguments.
        environment: its environment.
        folder: its working directory.
        control: its end of the control socket.
        output: its end of the pipe of its output.

    Raises:
        OSError: the system cannot start a process.
    """

    ends_orphans = False

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, control: socket.socket, output: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environment,
            pass_fds=(control.fileno(),),
            start_new_session=True,
        )
        self.pid = self._popen.pid

    def watch(self, on_exit: Callable[[int | None, int | None], None]) -> None:
        """Call ``on_exit`` on the event loop with the exit code or signal, or with neither if it is not known."""
        name = f"flytemp-process-{self.pid}"
        threading.Thread(target=self._watch, args=(on_exit,), name=name, daemon=True).start()

    def _watch(self, on_exit: Callable[[int | None, int | None], None]) -> None:
        end = self._wait()
        # The loop may be closed already.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(on_exit, *end)

    def _wait(self) -> tuple[int | None, int | None]:
        """Wait for the end of the process; return its exit code or signal, or neither if it was reaped elsewhere."""
        if not hasattr(os, "waitid"):
            status = self._popen.wait()
            return (None, -status) if status < 0 else (status, None)
        try:
            # The process is not reaped yet: while it is a zombie, no other process gets its pid and group.
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            return None, None
        if found is None:
            return None, None
        killed = found.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
        return (None, found.si_status) if killed else (found.si_status, None)

    async def reap(self) -> None:
        """Release the pid of the process, which has ended."""
        self._popen.wait()
