"""The worker's end of the socket to a process of tasks. Messages in both directions are JSON objects, one per line.

User code runs in the process and can write to its end of the socket. Each message is therefore checked, a line has a maximum
length, and one turn of the event loop handles a limited number of bytes. A message is a report and never a proof: the worker
reads the outcome of a try from the store.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from flytemp.runtime.invocation import TaskError

LINE_BYTES = 256 * 1024
"""Maximum length of a message of a process."""

_READ_BYTES = 64 * 1024
_LAST_READS = 16  # reads after the end of the process: more than the buffer of a socket holds
_SHOWN_CHARACTERS = 80


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Ready(_Message):
    """Message of a process that can take a task."""

    event: Literal["ready"]


class Claimed(_Message):
    """Message of a process that has claimed the try."""

    event: Literal["claimed"]


class Done(_Message):
    """Message of a process that has finished a try.

    Attributes:
        nonce: the nonce of the order.
        reusable: True if the process can take another task.
        outcome: "committed": the store has a result of the attempt; "unclaimed": another process has claimed the try; "failed":
            the process has stored no result.
        error: the error of the outcome "failed". If its kind is USER, the worker commits it as the result.
    """

    event: Literal["done"]
    nonce: str
    reusable: bool
    outcome: Literal["committed", "unclaimed", "failed"]
    error: TaskError | None = None


Message: TypeAlias = Ready | Claimed | Done
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="event")])


class ControlChannel:
    """Channel to one process. It is closed after the first invalid message.

    Args:
        sock: the worker's end of the socket.
        on_message: called for each message.
        on_end: called once when the other end is closed.
        on_violation: called once, with the reason, when the process has sent anything else than a message.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_message: Callable[[Message], None],
        on_end: Callable[[], None],
        on_violation: Callable[[str], None],
    ) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._on_message = on_message
        self._on_end = on_end
        self._on_violation = on_violation
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._read)

    def send(self, line: bytes) -> None:
        """Send a line, now or as soon as the other end accepts it."""
        if self._closed:
            return
        idle = not self._outgoing
        self._outgoing += line + b"\n"
        if idle:
            self._write()

    def _write(self) -> None:
        try:
            sent = self._socket.send(self._outgoing)
        except BlockingIOError:
            sent = 0
        except OSError:
            # The other end is closed. The end of the process is handled separately.
            self._outgoing.clear()
            sent = 0
        del self._outgoing[:sent]
        if self._outgoing:
            self._loop.add_writer(self._socket.fileno(), self._write)
        else:
            self._loop.remove_writer(self._socket.fileno())

    def read_available(self) -> None:
        """Handle the messages that have arrived, without waiting; for a process that has ended."""
        for _ in range(_LAST_READS):
            if not self._read():
                return

    def _read(self) -> bool:
        """Read once; return False if there was nothing to read."""
        if self._closed:
            return False
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._end()
            return False
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        """Handle the lines that ``data`` completes. Only new bytes are searched for the end of a line."""
        head, *rest = data.split(b"\n")
        self._incoming += head
        for start in rest:
            if len(self._incoming) <= LINE_BYTES:
                self._handle(bytes(self._incoming))
            if self._closed:
                return
            self._incoming = bytearray(start)
        if len(self._incoming) > LINE_BYTES:
            self._violate(f"a line of more than {LINE_BYTES:,} bytes")

    def _handle(self, line: bytes) -> None:
        try:
            message = _MESSAGES.validate_json(line)
        except ValidationError:
            self._violate(f"{line[:_SHOWN_CHARACTERS].decode(errors='replace')!r}, which is not a message")
        else:
            self._on_message(message)

    def _violate(self, reason: str) -> None:
        self.close()
        self._on_violation(reason)

    def _end(self) -> None:
        self.close()  # an incomplete line is the message of a process that was killed while it wrote
        self._on_end()

    def close(self) -> None:
        """Close this end, which makes the process end."""
        if self._closed:
            return
        self._closed = True
        self._incoming.clear()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
