"""The embedded Temporal server: starts on free ports, keeps its state, and ends with whoever started it."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flytemp.errors import ConfigError, TemporalUnavailable
from flytemp_worker.devserver import find_temporal, free_ports, port_is_free, spawn_tethered, start_dev_server

pytestmark = pytest.mark.e2e


def has_ended(pid: int, seconds: float = 30) -> bool:
    """Whether process ``pid`` ends in time; needs not be a child of ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


async def start_kept(address: str) -> None:
    from temporalio.client import Client

    client = await Client.connect(address)
    await client.start_workflow("Nothing", id="kept", task_queue="nobody")


async def describe_kept(address: str) -> str:
    from temporalio.client import Client

    client = await Client.connect(address)
    return (await client.get_workflow_handle("kept").describe()).id


def test_it_serves_and_stops(tmp_path: Path) -> None:
    server = start_dev_server(db=None, ui_port=0, log=tmp_path / "log")

    assert server.is_running
    assert server.ui_url is not None
    asyncio.run(start_kept(server.address))
    assert asyncio.run(describe_kept(server.address)) == "kept"
    server.stop()
    assert not server.is_running
    server.stop()


def test_its_state_survives_a_crash_on_the_same_address(tmp_path: Path) -> None:
    with start_dev_server(db=tmp_path / "temporal.db", log=tmp_path / "log") as server:
        address = server.address
        asyncio.run(start_kept(address))
        server.kill()
        assert not server.is_running
        server.restart()

        assert server.address == address
        assert server.ui_url is None
        assert asyncio.run(describe_kept(address)) == "kept"


def test_two_servers_do_not_collide(tmp_path: Path) -> None:
    with start_dev_server(db=None, log=tmp_path / "a") as a, start_dev_server(db=None, log=tmp_path / "b") as b:
        assert a.address != b.address


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert not port_is_free(port)
        with pytest.raises(ConfigError, match=f"port {port} is in use"):
            start_dev_server(db=None, port=port, log=tmp_path / "log")


def test_a_start_that_fails_says_the_servers_own_words(tmp_path: Path) -> None:
    with pytest.raises(TemporalUnavailable, match="nonsense"):
        start_dev_server(db=None, log=tmp_path / "log", extra=["--nonsense"])


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    # The thread pool is gone when asyncio.run returns.
    server = asyncio.run(asyncio.to_thread(start_dev_server, db=None, log=tmp_path / "log"))

    with server:
        asyncio.run(start_kept(server.address))
        assert asyncio.run(describe_kept(server.address)) == "kept"


def test_it_dies_with_its_starter_even_when_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from flytemp_worker.devserver import start_dev_server\n"
        f"server = start_dev_server(db=None, log=Path({str(tmp_path / 'log')!r}))\n"
        "print(server.process.pid, flush=True); sys.stdin.read()"
    )
    starter = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    server = int(starter.stdout.readline())

    starter.kill()
    starter.communicate()

    assert has_ended(server)


def test_a_terminals_interrupt_does_not_reach_it(tmp_path: Path) -> None:
    child = spawn_tethered([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)

    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    child.send_signal(signal.SIGKILL)
    assert child.wait(30) == -signal.SIGKILL
    child.communicate()


def test_the_binary_of_this_environment_is_found() -> None:
    assert find_temporal().parent == Path(sys.executable).parent


def test_free_ports_are_different() -> None:
    assert len(set(free_ports(20))) == 20
