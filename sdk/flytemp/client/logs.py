"""Output of tasks, which is stored as a sequence of chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from flytemp.json_text import read_json
from flytemp.layout import ExecutionLayout
from flytemp.names import attempt_of
from flytemp.store.object_store import ObjectStore

POLL_SECONDS = 0.5
"""Seconds between searches for new chunks. A running task writes a chunk every second or two."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of the output of one try: stdout and stderr in the order of writing. It may end within a line.

    Attributes:
        node: the path of the node.
        attempt: the number of the attempt, from 1.
        try_: the number of the try within the attempt, from 1.
        text: the output.
    """

    node: str
    attempt: int
    try_: int
    text: str


@dataclass(frozen=True, slots=True)
class LogLink:
    """A link to the output of one try in another log system.

    Attributes:
        node: the path of the node.
        attempt: the number of the attempt, from 1.
        try_: the number of the try within the attempt, from 1.
        name: the operator's name for the log system.
        url: the address.
    """

    node: str
    attempt: int
    try_: int
    name: str
    url: str


class LogReader:
    """Reader of an execution's chunks, in the order of nodes, attempts and tries. Each chunk is returned once."""

    def __init__(self, store: ObjectStore, layout: ExecutionLayout, node: str | None, attempt: int | None) -> None:
        self._store = store
        self._layout = layout
        self._node = node
        self._attempt = attempt
        self._read: dict[tuple[str, str, int], int] = {}

    def new_chunks(self) -> list[LogChunk]:
        """Return the chunks that were not returned before. Blocks on the store."""
        return [chunk for node, attempt, try_ in self._tries() for chunk in self._try_chunks(node, attempt, try_)]

    def _tries(self) -> Iterator[tuple[str, str, int]]:
        """Yield the node, the attempt's key and the number of each try."""
        for node in self._nodes():
            for attempt in self._numbered(f"{self._layout.root}/nodes/{node}"):
                if self._attempt in (None, attempt_of(attempt)):
                    for try_ in self._numbered(self._layout.attempt(node, attempt)):
                        yield node, attempt, int(try_)

    def _nodes(self) -> list[str]:
        nodes = self._store.list(f"{self._layout.root}/nodes")
        if self._node is not None:
            nodes = [node for node in nodes if node == self._node or node.startswith(f"{self._node}.")]
        return sorted(nodes, key=_natural)

    def _numbered(self, folder: str) -> list[str]:
        """Return the names in a folder that begin with a number, in the order of the numbers."""
        return sorted((name for name in self._store.list(folder) if name[0].isdigit()), key=attempt_of)

    def _try_chunks(self, node: str, attempt: str, try_: int) -> list[LogChunk]:
        done = self._read.get((node, attempt, try_), 0)
        names = self._store.list(self._layout.log_folder(node, attempt, try_))[done:]
        chunks = []
        for name in names:
            data = self._store.read(f"{self._layout.log_folder(node, attempt, try_)}/{name}")
            chunks.append(LogChunk(node, attempt_of(attempt), try_, data.decode("utf-8", "replace")))
        self._read[node, attempt, try_] = done + len(names)
        return chunks

    def links(self) -> list[LogLink]:
        """Return the links to the tries' output in other log systems. Blocks on the store."""
        found: list[LogLink] = []
        for node, attempt, try_ in self._tries():
            data = self._store.read_or_none(self._layout.log_links(node, attempt, try_))
            for name, url in _links(data).items():
                found.append(LogLink(node, attempt_of(attempt), try_, name, str(url)))
        return found


def _links(data: bytes | None) -> dict[str, Any]:
    """Return the links in an object; none if it is missing or damaged, because links are only a convenience."""
    try:
        links = read_json(data) if data is not None else {}
    except ValueError:
        return {}
    return links if isinstance(links, dict) else {}


async def read_logs(
    reader: LogReader, is_closed: Callable[[], Coroutine[Any, Any, bool]], follow: bool
) -> AsyncIterator[LogChunk]:
    """Yield all chunks of an execution.

    Args:
        reader: the reader.
        is_closed: returns True once the execution is closed.
        follow: yield new chunks until the execution is closed.
    """
    while True:
        final = not follow or await is_closed()
        for chunk in await asyncio.to_thread(reader.new_chunks):
            yield chunk
        if final:
            return
        await asyncio.sleep(POLL_SECONDS)


def _natural(path: str) -> list[tuple[int, int | str]]:
    """Return a sort key that puts n2 before n10, and other names after numbers."""
    parts: list[tuple[int, int | str]] = []
    for part in path.split("."):
        digits = part[1:]
        parts.append((0, int(digits)) if part.startswith("n") and digits.isdigit() else (1, part))
    return parts
