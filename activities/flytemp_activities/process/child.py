"""One process of tasks: started or forked, used for one task or several, ended with everything that it started."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flytemp.runtime.preparation import Preparation
from flytemp_activities.process import keeper
from flytemp_activities.process.control import Claimed, ControlChannel, Done, Message, Ready
from flytemp_activities.process.guard import MARKER
from flytemp_activities.process.logs import LogSink, OutputPipe
from flytemp_activities.process.processes import end_all
from flytemp_activities.process.started_process import Channels, StartedProcess

ClaimHandler = Callable[[], None]

_ENDING_SECONDS = 1.0  # time between the closing of a process's descriptors and its end


@dataclass(frozen=True, slots=True)
class Exit:
    """End of a process, by ``signal`` or with ``code``.

    Attributes:
        code: its exit code.
        signal: the signal that ended it.
        output: end of its output outside of tasks.
        deadlock: library in which the process was blocked for ever, so that the worker killed it; "" if it was not.
    """

    code: int | None
    signal: int | None
    output: str = ""
    deadlock: str = ""

    def __str__(self) -> str:
        if self.signal is not None:
            return f"{signal.strsignal(self.signal) or 'killed'} (signal {self.signal})".lower()
        return "an unknown exit status" if self.code is None else f"exit code {self.code}"


class ProcessEnded(Exception):
    """Error raised when the process ended before it answered. The supervisor turns it into an outcome."""

    def __init__(self, end: Exit) -> None:
        super().__init__(str(end))
        self.end = end


def scratch_of(folder: Path, marker: str, tasks: int) -> Path:
    """Return the scratch folder of a task, after ``tasks`` others in its process."""
    return folder / f"{marker.rstrip('.').rpartition('.')[2]}-{tasks}"


class Lifetime(Protocol):
    """End of a process, as its parent receives it."""

    def watch(self, on_exit: Callable[[int | None, int | None], None]) -> None:
        """Call ``on_exit`` on the event loop with the exit code or signal, or with neither if it is not known."""
        ...

    async def reap(self) -> None:
        """End what the process has left, and release its pid. The process has ended."""
        ...


class TaskProcess:
    """A process that runs ``flytemp.runtime.serve``. It is not thread-safe: all methods run on the event loop.

    Args:
        pid: its pid, which is also its process group and session.
        marker: marker of the guard in its environment.
        folder: parent of the scratch folders of its tasks.
        sock: the worker's end of the control socket.
        output: read end of the pipe of its output.
        lifetime: its end.
    """

    def __init__(
        self, pid: int, marker: str, folder: Path, sock: socket.socket, output: int, lifetime: Lifetime
    ) -> None:
        self.pid = pid
        self.marker = marker
        self.tasks = 0
        self.bundle: Path | None = None  # folder of the unpacked code bundle of its tasks
        self.import_output = b""  # output of the imports that its tasks find done
        self._folder = folder
        self._lifetime = lifetime
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._answer: asyncio.Future[Done] | None = None
        self._nonce = ""
        self._on_claim: ClaimHandler | None = None
        self._has_claimed = False
        self._exited: asyncio.Future[Exit] = self._loop.create_future()
        self._ending: asyncio.Task[None] | None = None
        self.output = OutputPipe(output)
        self._channel = ControlChannel(sock, self._on_message, self._on_channel_end, self.kill_for_violation)
        self._has_channel = True
        self.violation = ""  # the act of the task for which the worker has killed the process
        self._deadlock = ""
        lifetime.watch(self._on_exit)

    @classmethod
    async def start(
        cls, environment: Mapping[str, str], marker: str, folder: Path, preparation: Preparation | None = None
    ) -> TaskProcess:
        """Start a process in a session of its own, on the event loop's thread.

        The kernel ends the process when the *thread* that started it ends. Start it in a thread that lasts as long as the worker.

        Args:
            environment: its environment, without the marker.
            marker: marker of the guard.
            folder: working directory, and parent of the scratch folders of its tasks.
            preparation: imports before its first task.

        Raises:
            OSError: the system cannot start a process.
        """
        with Channels.opened() as channels:
            arguments = ["flytemp.runtime.serve", str(channels.control.fileno()), keeper.PARENT]
            if preparation is not None:
                arguments.append(preparation.model_dump_json())
            variables = {**environment, MARKER: marker}
            lifetime = await StartedProcess.start(arguments, variables, folder, channels.control, channels.output)
        return cls(lifetime.pid, marker, folder, channels.own_control, channels.own_output, lifetime)

    # ------------------------------------------------------------------------------------- events

    def _on_message(self, message: Message) -> None:
        match message:
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(None)
            case Claimed():
                self._has_claimed = True
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
        # The process is ending, or the task closed the runtime's descriptors, so that no message reaches the process.
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

    def _on_exit(self, code: int | None, number: int | None) -> None:
        self._channel.read_available()
        self._channel.close()
        end = Exit(code, number, self.output.last_text(), self._deadlock)
        self._exited.set_result(end)
        for future in (self._ready, self._answer):
            if future is not None and not future.done():
                future.set_exception(ProcessEnded(end))
                future.exception()  # marks the exception as retrieved, even if no caller waits

    # ------------------------------------------------------------------------------------- actions

    def next_scratch(self) -> Path:
        """Return the scratch folder of the next task."""
        return scratch_of(self._folder, self.marker, self.tasks)

    @property
    def is_usable(self) -> bool:
        """True if the process can take a task."""
        return not self._exited.done() and self._has_channel and self._ending is None

    async def ends_within(self, seconds: float) -> bool:
        """Wait for the end of the process; return whether it has ended."""
        done, _ = await asyncio.wait([self._exited], timeout=seconds)
        return bool(done)

    @property
    def has_failed(self) -> bool:
        """True if the process got a task and exited with an error before the runtime could claim the try."""
        return bool(self._exited.done() and self._exited.result().code and self.tasks and not self._has_claimed)

    def kill_deadlocked(self, library: str) -> None:
        """Kill the process, which is blocked for ever in ``library``."""
        if not self._exited.done():
            self._deadlock = library
            os.kill(self.pid, signal.SIGKILL)

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
        self.output.begin(sink, f"\0flytemp:{nonce}\n".encode(), before=self._earlier_output())
        if self._exited.done():
            raise ProcessEnded(self._exited.result())
        self._channel.send(f'{head[:-1]}, "invocation": {invocation}}}'.encode())
        try:
            answer = await self._answer
        finally:
            self._on_claim = None
        self.output.end()
        return answer

    def _earlier_output(self) -> bytes:
        """Return the output of the imports, for the log of a process's first task."""
        if self.tasks > 1:
            return b""
        self.output.drop_available()
        return self.import_output + self.output.tail

    async def leave(self, grace_seconds: float) -> None:
        """Wait for the end of a process without a task, and kill it if its exit handlers take longer than ``grace_seconds``."""
        self._channel.close()
        if await self.ends_within(grace_seconds) and self._ending is None:
            self._ending = asyncio.create_task(self._release())
        await self.end(0)

    async def end(self, grace_seconds: float) -> None:
        """End the process and everything that it started: TERM, ``grace_seconds``, KILL. Return when all are gone."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(grace_seconds))
        await asyncio.shield(self._ending)

    async def _end(self, grace_seconds: float) -> None:
        await end_all(self.pid, self.marker, grace_seconds)
        await self._release()

    async def _release(self) -> None:
        await asyncio.shield(self._exited)
        self.output.end()
        self.output.close()
        self._channel.close()
        await self._lifetime.reap()
