"""One warm process: started once, used for one task after the other, ended with everything that it started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flytemp_activities.process.control import Claimed, ControlChannel, Done, Message, Ready
from flytemp_activities.process.guard import MARKER
from flytemp_activities.process.logs import LogSink, OutputPipe
from flytemp_activities.process.processes import end_all

ClaimHandler = Callable[[], None]

_ENDING_SECONDS = 1.0  # time between the closing of a process's descriptors and its end


@dataclass(frozen=True, slots=True)
class Exit:
    """End of a process, by ``signal`` or with ``code``. ``output`` is the end of its output outside of tasks."""

    code: int | None
    signal: int | None
    output: str = ""

    def __str__(self) -> str:
        if self.signal is not None:
            return f"{signal.strsignal(self.signal) or 'killed'} (signal {self.signal})".lower()
        return f"exit code {self.code}"


class ProcessEnded(Exception):
    """Error raised when the process ended before it answered. The supervisor turns it into an outcome."""

    def __init__(self, end: Exit) -> None:
        super().__init__(str(end))
        self.end = end


class WarmProcess:
    """A process that runs ``flytemp.runtime.serve``. It is not thread-safe: all methods run on the event loop."""

    def __init__(self, popen: subprocess.Popen[bytes], marker: str, sock: socket.socket, output: int) -> None:
        self.pid = popen.pid
        self.marker = marker
        self.tasks = 0
        self._popen = popen
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._answer: asyncio.Future[Done] | None = None
        self._nonce = ""
        self._on_claim: ClaimHandler | None = None
        self._exited: asyncio.Future[Exit] = self._loop.create_future()
        self._ending: asyncio.Task[None] | None = None
        self.output = OutputPipe(output)
        self._channel = ControlChannel(sock, self._on_message, self._on_channel_end, self.kill_for_violation)
        self._has_channel = True
        self.violation = ""  # the act of the task for which the worker has killed the process
        threading.Thread(target=self._watch, name=f"flytemp-process-{self.pid}", daemon=True).start()

    @classmethod
    def start(cls, environment: Mapping[str, str], marker: str, folder: Path) -> WarmProcess:
        """Start a process in a session of its own, on the event loop's thread.

        The kernel ends the process when the *thread* that started it ends. Start it in a thread that lasts as long as the worker.

        Raises:
            OSError: the system cannot start a process.
        """
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        command = [sys.executable, "-P", "-m", "flytemp.runtime.serve", str(theirs.fileno()), str(os.getpid())]
        try:
            popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                cwd=folder,
                env={**environment, MARKER: marker},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            os.close(read_end)
            raise
        finally:
            theirs.close()
            os.close(write_end)
        return cls(popen, marker, ours, read_end)

    # ------------------------------------------------------------------------------------- events

    def _on_message(self, message: Message) -> None:
        match message:
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(None)
            case Claimed():
                if self._on_claim is not None:
                    self._on_claim()
            case Done():
                self._on_done(message)

    def _on_done(self, message: Done) -> None:
        if self._answer is None or self._answer.done() or message.nonce != self._nonce:
            self.kill_for_violation("the end of a task that it was not running")
            return
        self._answer.set_result(message)
        if self._ending is not None:
            self._channel.close()  # the process received TERM and finished its task: there is no other task

    def _on_channel_end(self) -> None:
        # It is ending, or the task closed the runtime's descriptors and cannot receive another message.
        self._has_channel = False
        self._loop.call_later(_ENDING_SECONDS, self._kill_unreachable)

    def _kill_unreachable(self) -> None:
        self._kill_for("the task closed the file descriptors of the process that runs it")

    def kill_for_violation(self, message: str) -> None:
        """Kill the process, because it sent a message that the runtime does not send: code of the task wrote the message."""
        self._has_channel = False
        self._kill_for(f"the task wrote to the control channel of the process that runs it: {message}")

    def _kill_for(self, violation: str) -> None:
        if not self._exited.done():
            self.violation = self.violation or violation
            os.kill(self.pid, signal.SIGKILL)

    def _watch(self) -> None:
        end = self._wait()
        # The loop may be closed already.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_exit, *end)

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

    def _on_exit(self, code: int | None, number: int | None) -> None:
        self._channel.read_available()
        self._channel.close()
        self.output.drop_available()
        end = Exit(code, number, self.output.tail.decode(errors="replace").strip())
        self._exited.set_result(end)
        for future in (self._ready, self._answer):
            if future is not None and not future.done():
                future.set_exception(ProcessEnded(end))
                future.exception()  # marks the exception as retrieved, even if no caller waits

    # ------------------------------------------------------------------------------------- actions

    @property
    def is_usable(self) -> bool:
        """True if the process can take a task."""
        return not self._exited.done() and self._has_channel and self._ending is None

    async def ready(self) -> None:
        """Wait until the process can take a task.

        Raises:
            ProcessEnded: the process ended instead.
        """
        await asyncio.shield(self._ready)

    async def execute(self, order: dict[str, Any], invocation: str, sink: LogSink, on_claim: ClaimHandler) -> Done:
        """Execute a task in the process.

        Args:
            order: fields of the order; see `flytemp.runtime.serve`.
            invocation: the invocation as JSON.
            sink: receives the output of the task.
            on_claim: called when the process has claimed the try.

        Returns:
            The answer of the process. The complete output is in ``sink`` by then.

        Raises:
            ProcessEnded: the process ended before it answered.
        """
        self._nonce = nonce = secrets.token_hex(16)
        head = json.dumps({**order, "nonce": nonce})
        self.tasks += 1
        self._answer = self._loop.create_future()
        self._on_claim = on_claim
        self.output.begin(sink, f"\0flytemp:{nonce}\n".encode())
        if self._exited.done():
            raise ProcessEnded(self._exited.result())
        self._channel.send(f'{head[:-1]}, "invocation": {invocation}}}'.encode())
        try:
            answer = await self._answer
        finally:
            self._on_claim = None
        self.output.end()
        return answer

    async def leave(self, grace_seconds: float) -> None:
        """Ask an idle process to end, and kill it if its exit handlers take longer than ``grace_seconds``."""
        self._channel.close()
        try:
            async with asyncio.timeout(grace_seconds):
                await asyncio.shield(self._exited)
        except TimeoutError:
            pass  # `end` kills the process
        await self.end(0)

    async def end(self, grace_seconds: float) -> None:
        """End the process and everything that it started: TERM, ``grace_seconds``, KILL. Return when all are gone."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(grace_seconds))
        await asyncio.shield(self._ending)

    async def _end(self, grace_seconds: float) -> None:
        await end_all(self.pid, self.marker, grace_seconds)
        await asyncio.shield(self._exited)
        self.output.end()
        self.output.close()
        self._channel.close()
        self._popen.wait()
