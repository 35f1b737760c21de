"""Synchronous client: results, errors, and the end of abandoned calls and iterations."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from flytemp.client.sync import SyncExecutionHandle, _Loop


@pytest.fixture
def loop() -> Iterator[_Loop]:
    running = _Loop()
    yield running
    running.close()


class Handle:
    """Endless watch that records that it was closed."""

    name = workflow_id = "one"

    def __init__(self) -> None:
        self.closed = threading.Event()

    async def watch(self) -> AsyncIterator[int]:
        try:
            for number in range(1_000_000):
                yield number
        finally:
            self.closed.set()


def test_results_are_returned_and_errors_are_raised(loop: _Loop) -> None:
    async def good() -> int:
        return 3

    async def bad() -> int:
        raise ValueError("no")

    assert loop.run(good()) == 3
    with pytest.raises(ValueError, match="no"):
        loop.run(bad())


def test_an_abandoned_iteration_is_closed(loop: _Loop) -> None:
    underneath = Handle()
    handle: SyncExecutionHandle[Any] = SyncExecutionHandle(loop, underneath)  # type: ignore[arg-type]
    watching = handle.watch()
    assert [str(next(watching)), str(next(watching))] == ["0", "1"]
    watching.close()  # type: ignore[attr-defined]
    assert underneath.closed.is_set()


def test_close_cancels_running_calls() -> None:
    before = set(threading.enumerate())
    loop = _Loop()
    (thread,) = set(threading.enumerate()) - before
    ended = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def leave() -> None:
        loop.kept = asyncio.create_task(forever())  # type: ignore[attr-defined]
        await asyncio.wait([loop.kept], timeout=0)  # type: ignore[attr-defined]

    loop.run(leave())
    loop.close()
    assert ended.is_set()
    assert not thread.is_alive()
