"""Programs that a worker starts: a task's process, or a fork server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flytemp_activities.process import keeper
from flytemp_activities.process.guard_process import library_paths

_LINE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Channels:
    """Both ends of the control socket of a process, and of the pipe of its output."""

    own_control: socket.socket
    control: socket.socket
    own_output: int
    output: int

    @classmethod
    @contextlib.contextmanager
    def opened(cls, kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[Channels]:
        """Open the channels of a process that is started in the block, and close the process's ends afterwards.

        After an error the worker's ends are closed, too. A process that was started nevertheless then ends.

        Raises:
            OSError: this process has no descriptors left.
        """
        channels = cls._open(kind)
        try:
            yield channels
        except BaseException:
            channels.own_control.close()
            os.close(channels.own_output)
            raise
        finally:
            channels.control.close()
            os.close(channels.output)

    @classmethod
    def _open(cls, kind: socket.SocketKind) -> Channels:
        own, theirs = socket.socketpair(type=kind)
        try:
            read_end, write_end = os.pipe()
        except OSError:
            own.close()
            theirs.close()
            raise
        return cls(own, theirs, read_end, write_end)


class StartedProcess:
    """A Python program in a session of its own, as the child of a `flytemp_activities.process.keeper`.

    Attributes:
        pid: its pid.
    """

    def __init__(self, keeper: subprocess.Popen[bytes], channel: socket.socket, answer: bytes) -> None:
        first, _, self._answer = answer.partition(b"\n")
        self.pid = int(first.removeprefix(b"pid "))
        self._keeper = keeper
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, control: socket.socket, output: int
    ) -> StartedProcess:
        """Start a program.

        Args:
            arguments: module of the program, and its arguments; `keeper.PARENT` stands for the pid of its parent.
            environment: its environment.
            folder: its working directory.
            control: its end of the control socket.
            output: its end of the pipe of its output.

        Raises:
            OSError: the system cannot start a process.
        """
        loop = asyncio.get_running_loop()
        channel, theirs = socket.socketpair()
        channel.setblocking(False)
        inherited = (theirs.fileno(), control.fileno())
        popen = None
        try:
            try:
                popen = subprocess.Popen(
                    [sys.executable, "-I", "-S", keeper.__file__, str(inherited[0]), str(os.getpid()), str(inherited[1])],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=folder,
                    env=library_paths(),
                    pass_fds=inherited,
                    start_new_session=True,
                )
            finally:
                theirs.close()
            await loop.sock_sendall(channel, _request([sys.executable, "-P", "-m", *arguments], environment))
            answer = await loop.sock_recv(channel, _LINE_BYTES)
            if not answer.startswith(b"pid "):
                raise OSError(f"the process ended at once, with exit code {popen.wait()}")
        except BaseException:
            channel.close()  # the keeper ends the program, if it has started
            if popen is not None:
                loop.run_in_executor(None, popen.wait)
            raise
        return cls(popen, channel, answer)

    def watch(self, on_exit: Callable[[int | None, int | None], None]) -> None:
        """Call ``on_exit`` on the event loop with the exit code or signal, or with neither if it is not known."""
        self._watching = self._loop.create_task(self._watch(on_exit))

    async def _watch(self, on_exit: Callable[[int | None, int | None], None]) -> None:
        with contextlib.suppress(OSError):
            self._answer = self._answer or await self._loop.sock_recv(self._channel, _LINE_BYTES)
        kind, _, value = self._answer.partition(b" ")
        # Without an answer, the keeper was killed, and the kernel has killed the program.
        on_exit(int(value) if kind == b"code" else None, int(value) if kind == b"signal" else None)

    async def reap(self) -> None:
        """End what the program has left, and release its pid. The program has ended."""
        self._channel.close()
        await asyncio.to_thread(self._keeper.wait)


def _request(command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """Return the request to a keeper."""
    fields = [*command, *(f"{name}={value}" for name, value in environment.items())]
    body = b"".join(os.fsencode(field) + b"\0" for field in fields)
    return f"{len(body)} {len(command)}\n".encode() + body
