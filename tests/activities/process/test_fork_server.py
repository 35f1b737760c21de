"""One fork server: processes that are forked ahead, callers at the same time, and its end."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flytemp.runtime.preparation import Preparation
from flytemp_activities.process.child import TaskProcess
from flytemp_activities.process.fork_server import ForkServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ForkServer]:
    """Return a fork server without a module of the user, and let it end after all its processes have left."""
    numbers = itertools.count(1)
    server = await ForkServer.start(dict(os.environ), lambda: f"{os.getpid()}-test.{next(numbers):08d}.", tmp_path)
    await server.ready()
    await server.load(Preparation(store=tmp_path.as_uri(), work=str(server.work)))
    yield server
    await server.leave(1)


async def ahead(server: ForkServer) -> TaskProcess:
    assert server._next is not None
    return await asyncio.shield(server._next)


async def test_callers_at_the_same_time_leave_one_process_ahead(server: ForkServer) -> None:
    processes = await asyncio.gather(*(server.fork() for _ in range(3)))
    assert len({process.pid for process in processes}) == 3
    await ahead(server)
    assert not server.is_idle
    for process in processes:
        await process.leave(1)
    assert server.is_idle


async def test_process_ahead_that_ended_is_replaced(server: ForkServer) -> None:
    first = await server.fork()
    killed = await ahead(server)
    os.kill(killed.pid, signal.SIGKILL)
    assert await killed.ends_within(10)
    second = await server.fork()
    assert second.pid != killed.pid
    for process in (first, second):
        await process.leave(1)


async def test_cancelled_caller_leaves_no_process(server: ForkServer) -> None:
    caller = asyncio.create_task(server.fork())
    await asyncio.sleep(0)
    assert not server.is_idle
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
