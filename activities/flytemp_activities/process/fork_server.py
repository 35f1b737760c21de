"""The worker's end of a fork server, see `flytemp.runtime.fork_server`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from flytemp.runtime.fork_messages import (
    MAX_MESSAGE_BYTES,
    REPORTS,
    Ended,
    Fork,
    Forked,
    Load,
    Loaded,
    Ready,
    Reap,
    Reaped,
    Report,
    Request,
)
from flytemp.runtime.preparation import Preparation
from flytemp_activities.background import Background, retrieve_exception
from flytemp_activities.process import keeper
from flytemp_activities.process.child import Exit, ProcessEnded, TaskProcess
from flytemp_activities.process.guard import MARKER
from flytemp_activities.process.logs import OutputPipe
from flytemp_activities.process.processes import end_all
from flytemp_activities.process.started_process import Channels, StartedProcess

_log = logging.getLogger(__name__)

R = TypeVar("R", Ready, Loaded, Forked)

_PAUSE_SECONDS = 0.001
_LAST_TASK_PAUSE_SECONDS = 0.01
_ENDING_SECONDS = 1.0  # time between the end of the socket and the end of the process

_End = tuple[int | None, int | None]


class NotForkable(Exception):
    """Error raised when the tasks of a module must not be forked. ``lasting`` is false if the reason may disappear."""

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting


class ForkServer:
    """Fork server, as its worker uses it. It is not thread-safe: all methods run on the event loop.

    Attributes:
        pid: its pid, which is also its process group.
        marker: marker of the guard in its environment.
        folder: parent of the scratch folders of its tasks.
        import_output: output of the imports, which belongs to the log of each task.
    """

    def __init__(
        self,
        process: StartedProcess,
        new_marker: Callable[[], str],
        marker: str,
        folder: Path,
        sock: socket.socket,
        output: int,
    ) -> None:
        self.pid = process.pid
        self.marker = marker
        self.import_output = b""
        self._new_marker = new_marker
        self._folder = folder
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._output = OutputPipe(output)
        self._replies: deque[asyncio.Future[Report]] = deque([self._loop.create_future()])  # the first is `Ready`
        self._ready = self._replies[0]
        self._ends: dict[int, asyncio.Future[_End]] = {}
        self._reaps: dict[int, asyncio.Future[None]] = {}
        self._next: asyncio.Task[TaskProcess] | None = None  # process that is forked ahead
        self._callers = 0  # calls of `fork` that have not returned
        self._exited: asyncio.Future[Exit] = self._loop.create_future()
        self._background = Background(_log, "a process that a fork server forked could not be released")
        self._is_closed = False
        sock.setblocking(False)
        self._socket = sock
        self._loop.add_reader(sock.fileno(), self._read_available)
        process.watch(self._on_exit)

    @classmethod
    async def start(cls, environment: Mapping[str, str], new_marker: Callable[[], str], folder: Path) -> ForkServer:
        """Start a fork server, on the event loop's thread; see `TaskProcess.start`.

        Args:
            environment: its environment, without the marker.
            new_marker: makes the marker of a process: of the fork server, and of each process that it forks.
            folder: working directory, and parent of the scratch folders of the tasks.

        Raises:
            OSError: the system cannot start a process.
        """
        marker = new_marker()
        with Channels.opened(socket.SOCK_SEQPACKET) as channels:
            arguments = ["flytemp.runtime.fork_server", str(channels.control.fileno()), keeper.PARENT, MARKER]
            variables = {**environment, MARKER: marker}
            process = await StartedProcess.start(arguments, variables, folder, channels.control, channels.output)
        return cls(process, new_marker, marker, folder, channels.own_control, channels.own_output)

    # ------------------------------------------------------------------------------------- reports

    def _read_available(self) -> None:
        while not self._is_closed:
            try:
                data = self._socket.recv(MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._close()
                self._loop.call_later(_ENDING_SECONDS, self._kill)
                return
            try:
                self._on_report(REPORTS.validate_json(data))
            except ValidationError:
                self._close()  # the user's module writes to the socket of the fork server
                self._kill()

    def _on_report(self, report: Report) -> None:
        if isinstance(report, Ended):
            end = self._ends.get(report.pid)
            if end is not None and not end.done():
                end.set_result((report.code, report.signal))
            elif end is None:
                self._background.start(self._send(Reap(pid=report.pid)))  # no caller waited for the process
        elif isinstance(report, Reaped):
            reaped = self._reaps.pop(report.pid, None)
            if reaped is not None and not reaped.done():
                reaped.set_result(None)
        elif self._replies:
            reply = self._replies.popleft()
            if not reply.done():
                if isinstance(report, Forked) and report.pid is not None:
                    self._ends[report.pid] = self._loop.create_future()
                reply.set_result(report)

    def _on_exit(self, code: int | None, number: int | None) -> None:
        self._read_available()
        self._close()
        end = Exit(code, number, self._output.last_text())
        self._exited.set_result(end)
        for reply in self._replies:
            if not reply.done():
                reply.set_exception(ProcessEnded(end))
                reply.exception()  # marks the exception as retrieved, even if no caller waits
        for ended in self._ends.values():
            if not ended.done():
                ended.set_result((None, None))
        for reaped in self._reaps.values():
            if not reaped.done():
                reaped.set_result(None)

    def _close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _kill(self) -> None:
        if not self._exited.done():
            os.kill(self.pid, signal.SIGKILL)

    # ------------------------------------------------------------------------------------- requests

    @property
    def is_usable(self) -> bool:
        """True if the fork server serves requests."""
        return not self._is_closed and not self._exited.done()

    @property
    def is_idle(self) -> bool:
        """True if no caller of `fork` waits, and no process lives that it forked, except the one that is forked ahead."""
        ahead = self._next is not None and self._next.done() and not self._next.exception()
        return not self._callers and len(self._ends) <= ahead

    async def ready(self) -> None:
        """Wait until the fork server serves requests.

        Raises:
            NotForkable: processes cannot be forked on this system.
            ProcessEnded: the fork server ended instead.
        """
        report = await asyncio.shield(self._ready)
        if isinstance(report, Ready) and report.obstacle is not None:
            raise NotForkable(report.obstacle)

    async def load(self, preparation: Preparation) -> None:
        """Import the module of the tasks.

        Raises:
            NotForkable: the tasks must not be forked. The fork server must not be used again.
            ProcessEnded: the fork server ended.
        """
        report = await self._ask(Load(preparation=preparation), Loaded)
        if report.obstacle is not None:
            raise NotForkable(report.obstacle, lasting=not report.failed)
        self._output.drop_available()
        self.import_output = self._output.tail

    async def fork(self) -> TaskProcess:
        """Return a forked process for one task, and fork the next one ahead.

        Raises:
            OSError: the system cannot start a process.
            ProcessEnded: the fork server ended.
        """
        ahead, self._next = self._next, None
        self._callers += 1
        try:
            process = None if ahead is None else await self._usable(ahead)
            if process is None:
                process = await self._taken(asyncio.create_task(self._fork()))
        finally:
            self._callers -= 1
        if self._next is None:  # another caller may have forked it
            self._next = asyncio.create_task(self._fork())
            self._next.add_done_callback(retrieve_exception)
        return process

    async def _usable(self, ahead: asyncio.Task[TaskProcess]) -> TaskProcess | None:
        """Return the process that was forked ahead; None if it could not be forked or has ended."""
        try:
            process = await self._taken(ahead)
        except OSError:
            return None
        if process.is_usable:
            return process
        self._abandon(ahead)
        return None

    async def _taken(self, forking: asyncio.Task[TaskProcess]) -> TaskProcess:
        try:
            return await asyncio.shield(forking)
        except asyncio.CancelledError:
            self._abandon(forking)
            raise

    def _abandon(self, forking: asyncio.Task[TaskProcess]) -> None:
        """End a process that no caller takes, as soon as it is forked."""

        async def end() -> None:
            await asyncio.wait([forking])
            if not forking.exception():
                await forking.result().leave(_ENDING_SECONDS)

        self._background.start(end())

    async def _fork(self) -> TaskProcess:
        marker = self._new_marker()
        with Channels.opened() as channels:
            report = await self._ask(Fork(marker=marker), Forked, (channels.control.fileno(), channels.output))
            if report.pid is None:
                raise OSError(report.error)
        lifetime = _ForkedProcess(self, report.pid)
        process = TaskProcess(report.pid, marker, self._folder, channels.own_control, channels.own_output, lifetime)
        process.import_output = self.import_output
        return process

    async def _ask(self, request: Request, kind: type[R], descriptors: Sequence[int] = ()) -> R:
        await self._send(request, descriptors)
        if self._exited.done():
            raise ProcessEnded(self._exited.result())
        reply: asyncio.Future[Report] = self._loop.create_future()
        self._replies.append(reply)  # in the order of the requests: no other coroutine runs between sending and this line
        report = await reply
        if not isinstance(report, kind):
            self._kill()
            raise ProcessEnded(await asyncio.shield(self._exited))
        return report

    async def _send(self, request: Request, descriptors: Sequence[int] = ()) -> None:
        data = request.model_dump_json().encode()
        while not self._is_closed:
            try:
                socket.send_fds(self._socket, [data], descriptors)
                return
            except BlockingIOError:
                await asyncio.sleep(_PAUSE_SECONDS)
            except OSError:
                return  # the other end is closed; the end of the process is handled separately

    def watch(self, pid: int, on_exit: Callable[[int | None, int | None], None]) -> None:
        """Call ``on_exit`` when the forked process has ended, as `Lifetime.watch` does."""
        self._ends[pid].add_done_callback(lambda ended: on_exit(*ended.result()))

    async def reap(self, pid: int) -> None:
        """End what the forked process left, and release its pid. The process has ended."""
        if self.is_usable:
            reaped = self._reaps[pid] = self._loop.create_future()
            await self._send(Reap(pid=pid))
            if self.is_usable:
                await reaped
        self._ends.pop(pid, None)

    # ------------------------------------------------------------------------------------- end

    async def leave(self, grace_seconds: float) -> None:
        """Let the fork server end, run its exit handlers for at most ``grace_seconds``, and end what is left of it.

        It ends when the last task has ended whose process it forked.
        """
        if self._next is not None:
            self._abandon(self._next)
            self._next = None
        while self._ends and self.is_usable:
            await asyncio.sleep(_LAST_TASK_PAUSE_SECONDS)
        self._close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await asyncio.shield(self._exited)
        await end_all(self.pid, self.marker, 0)
        await asyncio.shield(self._exited)
        self._output.close()
        await self._process.reap()
        await asyncio.to_thread(shutil.rmtree, self.work, ignore_errors=True)

    @property
    def work(self) -> Path:
        """Folder in which the module is imported."""
        return self._folder / f"imports-{self.pid}"


class _ForkedProcess:
    """End of a process that a fork server forked."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server = server
        self._pid = pid

    def watch(self, on_exit: Callable[[int | None, int | None], None]) -> None:
        self._server.watch(self._pid, on_exit)

    async def reap(self) -> None:
        await self._server.reap(self._pid)
