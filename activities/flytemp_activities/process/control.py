"""The worker's end of the socket to a warm process. Messages in both directions are JSON objects, one per line."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

_READ_BYTES = 256 * 1024


class ControlChannel:
    """Channel that calls ``on_message`` for each message, and ``on_end`` once when the other end is closed."""

    def __init__(
        self, sock: socket.socket, on_message: Callable[[dict[str, Any]], None], on_end: Callable[[], None]
    ) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._on_message = on_message
        self._on_end = on_end
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self.read_available)

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
        """Handle all messages that have arrived, without waiting; also after the process has ended."""
        while not self._closed:
            try:
                data = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._end()
                return
            *lines, rest = (self._incoming + data).split(b"\n")
            self._incoming = rest
            for line in lines:
                self._on_message(json.loads(line))

    def _end(self) -> None:
        self.close()
        self._on_end()

    def close(self) -> None:
        """Close this end, which makes the process end."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
