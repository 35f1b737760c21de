"""What tasks printed: chunk objects in the store, read while they are written and long after."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from flytemp.layout import ExecutionLayout
from flytemp.store.object_store import ObjectStore

POLL_SECONDS = 0.5
"""How often `follow` looks for new chunks; they are written every second or two."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Some output of one try, stdout and stderr as they came. A chunk may end within a line."""

    node: str
    attempt: int
    try_: int
    text: str


@dataclass(frozen=True, slots=True)
class LogLink:
    """An address in another log system, by the name that the operator gave it."""

    node: str
    attempt: int
    try_: int
    name: str
    url: str


class LogReader:
    """Reads each chunk of an execution once, in the order of nodes, attempts and tries."""

    def __init__(self, store: ObjectStore, layout: ExecutionLayout, node: str | None, attempt: int | None) -> None:
        self._store = store
        self._layout = layout
        self._node = node
        self._attempt = attempt
        self._read: dict[tuple[str, int, int], int] = {}

    def new_chunks(self) -> list[LogChunk]:
        """The chunks that were not read before. Blocks on the store."""
        chunks: list[LogChunk] = []
        for node in self._nodes():
            for attempt in self._numbers(f"{self._layout.root}/nodes/{node}"):
                if self._attempt not in (None, attempt):
                    continue
                for try_ in self._numbers(self._layout.attempt(node, attempt)):
                    chunks += self._try_chunks(node, attempt, try_)
        return chunks

    def _nodes(self) -> list[str]:
        nodes = self._store.list(f"{self._layout.root}/nodes")
        if self._node is not None:
            nodes = [node for node in nodes if node == self._node or node.startswith(f"{self._node}.")]
        return sorted(nodes, key=_natural)

    def _numbers(self, folder: str) -> list[int]:
        return sorted(int(name) for name in self._store.list(folder) if name.isdigit())

    def _try_chunks(self, node: str, attempt: int, try_: int) -> list[LogChunk]:
        done = self._read.get((node, attempt, try_), 0)
        names = self._store.list(self._layout.log_folder(node, attempt, try_))[done:]
        chunks = []
        for name in names:
            data = self._store.read(f"{self._layout.log_folder(node, attempt, try_)}/{name}")
            chunks.append(LogChunk(node, attempt, try_, data.decode("utf-8", "replace")))
        self._read[node, attempt, try_] = done + len(names)
        return chunks


    def links(self) -> list[LogLink]:
        """Where else the output of the tries can be read, in their order. Blocks on the store."""
        found: list[LogLink] = []
        for node in self._nodes():
            for attempt in self._numbers(f"{self._layout.root}/nodes/{node}"):
                if self._attempt not in (None, attempt):
                    continue
                for try_ in self._numbers(self._layout.attempt(node, attempt)):
                    data = self._store.read_or_none(self._layout.log_links(node, attempt, try_))
                    links = json.loads(data) if data is not None else {}
                    found += [LogLink(node, attempt, try_, name, url) for name, url in links.items()]
        return found


async def read_logs(
    reader: LogReader, is_over: Callable[[], Coroutine[Any, Any, bool]], follow: bool
) -> AsyncIterator[LogChunk]:
    """All chunks there are; with ``follow``, also those to come until the execution is over."""
    while True:
        final = not follow or await is_over()
        for chunk in await asyncio.to_thread(reader.new_chunks):
            yield chunk
        if final:
            return
        await asyncio.sleep(POLL_SECONDS)


def _natural(path: str) -> list[tuple[int, int | str]]:
    """n2 before n10, and names after numbers."""
    parts: list[tuple[int, int | str]] = []
    for part in path.split("."):
        digits = part[1:]
        parts.append((0, int(digits)) if part.startswith("n") and digits.isdigit() else (1, part))
    return parts
