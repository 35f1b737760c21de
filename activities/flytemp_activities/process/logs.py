"""Output of a task, which is moved from the pipe into chunks in the store while the task runs."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from flytemp.errors import StoreError
from flytemp.store.object_store import ObjectStore
from flytemp_activities.process.options import ProcessOptions

_READ_BYTES = 64 * 1024
_TAIL_BYTES = 64 * 1024  # output of imports, or the last output of a process that cannot start
_LAST_TEXT_BYTES = 4096
_LAST_READS = 64  # more than a pipe holds: a task may still be writing
_READS_PER_TURN = 8  # a task that prints without end must not block the event loop

_log = logging.getLogger(__name__)


class LogSink:
    """Sink of the output of one try. Chunks are written while there is new output, and the last one by `finish`.

    Chunks are bytes as the task wrote them; a character may be cut between two.
    """

    def __init__(self, store: ObjectStore, chunk_key: Callable[[int], str], options: ProcessOptions) -> None:
        self._store = store
        self._chunk_key = chunk_key
        self._options = options
        self._buffer = bytearray()
        self._taken = 0
        self._chunks = 0
        self._due = asyncio.Event()
        self._finished = False
        self._writer: asyncio.Task[None] | None = None
        self._failure: StoreError | None = None

    def feed(self, data: bytes) -> None:
        """Add output. Output above the limit of a try is dropped, with one note in the log."""
        limit = self._options.log_limit_bytes
        if not data or self._taken >= limit:
            return
        kept = data[: limit - self._taken]
        self._taken += len(kept)
        self._buffer += kept
        if self._taken >= limit:
            self._buffer += f"\n[flytemp keeps {limit:,} bytes of a try's output; the rest is dropped]\n".encode()
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_chunks())
        if len(self._buffer) >= self._options.log_chunk_bytes:
            self._due.set()

    async def _write_chunks(self) -> None:
        while not (self._finished and not self._buffer):
            if not self._finished:
                await self._until_due()
            await self._write_chunk()

    async def _until_due(self) -> None:
        try:
            async with asyncio.timeout(self._options.log_interval_seconds):
                await self._due.wait()
        except TimeoutError:
            pass  # the interval has passed: write the buffer
        if not self._finished:
            self._due.clear()

    async def _write_chunk(self) -> None:
        if not self._buffer:
            return
        data, self._buffer = bytes(self._buffer), bytearray()
        try:
            await asyncio.to_thread(self._store.write, self._chunk_key(self._chunks), data)
        except StoreError as error:
            # A task does not fail when its output cannot be kept. The worker logs the error.
            if self._failure is None:
                _log.warning("a task's output is not kept: %s", error)
            self._failure = error
        self._chunks += 1

    async def finish(self) -> None:
        """Write the rest of the buffer. Do not feed output afterwards."""
        self._finished = True
        self._due.set()
        if self._writer is not None:
            await self._writer


class OutputPipe:
    """Pipe of a process's stdout and stderr. Output between tasks belongs to no try and is dropped."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._sink: LogSink | None = None
        self._sentinel = b""
        self._held = b""  # possible beginning of the sentinel
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read_some)
        self.tail = b""

    def begin(self, sink: LogSink, sentinel: bytes, before: bytes = b"") -> None:
        """Send output to ``sink`` until ``sentinel`` appears in it. The output ``before`` is sent first."""
        self._read_some()
        sink.feed(before)
        self._sink, self._sentinel, self._held = sink, sentinel, b""

    def end(self) -> None:
        """Read the rest of the task's output; its sentinel is in the pipe, or its process has ended."""
        for _ in range(_LAST_READS):
            if self._sink is None or not self._read():
                break
        if self._sink is not None:
            self._sink.feed(self._held)
        self._sink, self._held = None, b""

    def drop_available(self) -> None:
        """Outside of a task, move the available output to ``tail``."""
        if self._sink is None:
            self._read_some()

    def last_text(self) -> str:
        """Return the end of the output outside of tasks, with what is available now."""
        self.drop_available()
        return self.tail[-_LAST_TEXT_BYTES:].decode(errors="replace").strip()

    def _read_some(self) -> None:
        for _ in range(_READS_PER_TURN):
            if not self._read():
                return

    def _read(self) -> bool:
        if self._closed:
            return False
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        if self._sink is None:
            self.tail = (self.tail + data)[-_TAIL_BYTES:]
            return
        data = self._held + data
        found = data.find(self._sentinel)
        if found >= 0:
            self._sink.feed(data[:found])
            self._sink, self._held = None, b""
            return
        keep = _overlap(data, self._sentinel)
        self._sink.feed(data[: len(data) - keep])
        self._held = data[len(data) - keep :]

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)


def _overlap(data: bytes, sentinel: bytes) -> int:
    """Return the number of bytes at the end of ``data`` that may be the beginning of ``sentinel``.

    The first byte of the sentinel must not occur in the rest of it.
    """
    start = data.rfind(sentinel[:1], max(0, len(data) - len(sentinel) + 1))
    return len(data) - start if start >= 0 and sentinel.startswith(data[start:]) else 0
