"""The embedded Temporal server: free ports, persistent state, end with the parent process."""

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
from tests.messages.golden import check_golden, unlocated

pytestmark = pytest.mark.e2e


def has_ended(pid: int, seconds: float = 30) -> bool:
    """Return whether process ``pid``, not necessarily a child process, ends in time."""
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


def test_server_starts_and_stops(tmp_path: Path) -> None:
    announced = []
    server = start_dev_server(
        db=None, ui_port=0, log=tmp_path / "log", announce=lambda each: announced.append((each.address, each.is_running))
    )

    assert announced == [(server.address, False)]
    assert server.is_running
    assert server.ui_url is not None
    asyncio.run(start_kept(server.address))
    assert asyncio.run(describe_kept(server.address)) == "kept"
    server.stop()
    assert not server.is_running
    server.stop()


def test_state_and_address_survive_a_crash(tmp_path: Path) -> None:
    with start_dev_server(db=tmp_path / "temporal.db", log=tmp_path / "log") as server:
        address = server.address
        asyncio.run(start_kept(address))
        server.kill()
        assert not server.is_running
        server.restart()

        assert server.address == address
        assert server.ui_url is None
        assert asyncio.run(describe_kept(address)) == "kept"


def test_two_servers_use_different_ports(tmp_path: Path) -> None:
    with start_dev_server(db=None, log=tmp_path / "a") as a, start_dev_server(db=None, log=tmp_path / "b") as b:
        assert a.address != b.address


def test_used_port_is_an_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert not port_is_free(port)
        case = unlocated(lambda: start_dev_server(db=None, port=port, log=tmp_path / "log"), ConfigError)
        check_golden("dev-server", {"a used port": case}, {str(port): "PORT"})


def test_failed_start_shows_the_servers_message(tmp_path: Path) -> None:
    with pytest.raises(TemporalUnavailable, match="nonsense"):
        start_dev_server(db=None, log=tmp_path / "log", extra=["--nonsense"])


def test_server_survives_the_starting_thread(tmp_path: Path) -> None:
    # The thread pool is gone when asyncio.run returns.
    server = asyncio.run(asyncio.to_thread(start_dev_server, db=None, log=tmp_path / "log"))

    with server:
        asyncio.run(start_kept(server.address))
        assert asyncio.run(describe_kept(server.address)) == "kept"


def test_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
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


def test_interrupt_of_the_terminal_is_not_delivered(tmp_path: Path) -> None:
    child = spawn_tethered([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)

    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    child.send_signal(signal.SIGKILL)
    assert child.wait(30) == -signal.SIGKILL
    child.communicate()


def test_binary_of_the_environment_is_found() -> None:
    assert find_temporal().parent == Path(sys.executable).parent


def test_free_ports_are_different() -> None:
    assert len(set(free_ports(20))) == 20
