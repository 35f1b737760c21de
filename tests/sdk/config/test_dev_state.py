"""The state file of a `flytemp dev`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flytemp.config import dev_state, load_settings
from flytemp.config.dev_state import DevState
from flytemp.errors import ConfigError, StoreError
from flytemp.temporal.connection import _await_dev_server

STATE = DevState(
    pid=os.getpid(),
    address="127.0.0.1:7233",
    namespace="default",
    store="file:///x",
    task_queue="flytemp",
    ui_url="http://127.0.0.1:8233",
    metrics_url="http://127.0.0.1:9464/metrics",
)


def test_round_trip(tmp_path: Path) -> None:
    dev_state.write(tmp_path, STATE)
    found = dev_state.read(tmp_path)
    assert found is not None
    assert dataclasses.replace(found, process_started="") == STATE
    assert found.is_alive
    value = json.loads((tmp_path / ".flytemp" / "dev.json").read_text())
    assert {"pid", "address", "namespace", "ui_url", "store", "task_queue", "metrics_url"} <= set(value)
    assert [path.name for path in (tmp_path / ".flytemp").iterdir()] == ["dev.json"]


def test_missing_file_is_none(tmp_path: Path) -> None:
    assert dev_state.read(tmp_path) is None
    dev_state.remove(tmp_path, STATE.pid)


def test_remove_keeps_the_file_of_another_process(tmp_path: Path) -> None:
    dev_state.write(tmp_path, STATE)
    dev_state.remove(tmp_path, STATE.pid + 1)
    assert dev_state.read(tmp_path) is not None
    dev_state.remove(tmp_path, STATE.pid)
    assert dev_state.read(tmp_path) is None


def test_ended_process_is_not_alive(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    dev_state.write(tmp_path, dataclasses.replace(STATE, pid=process.pid))
    found = dev_state.read(tmp_path)
    assert found is not None
    assert found.is_alive
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not found.is_alive  # a zombie
    process.wait()
    assert not found.is_alive


def test_reused_pid_is_not_alive(tmp_path: Path) -> None:
    dev_state.write(tmp_path, STATE)
    found = dev_state.read(tmp_path)
    assert found is not None
    assert found.process_started
    assert not dataclasses.replace(found, process_started="1").is_alive


@pytest.mark.parametrize("pid", [0, -1, 2**31, 2**63])
def test_invalid_pid_is_not_alive(pid: int) -> None:
    assert not dataclasses.replace(STATE, pid=pid).is_alive


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", "[" * 100_000, '{"pid": ' + "9" * 10_000 + "}"),
        *(
            f'{{"pid": {pid}, "address": "a", "namespace": "n", "store": "s", "task_queue": "q"}}'
            for pid in ('"x"', "true", "0", "-1", str(2**31), str(2**63), "1.5", "null")
        ),
    ],
    ids=lambda text: text[:20],
)
def test_invalid_state_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ".flytemp").mkdir()
    (tmp_path / ".flytemp" / "dev.json").write_text(text)
    with pytest.raises(ConfigError, match=r"dev\.json") as caught:
        dev_state.read(tmp_path)
    assert "remove it" in (caught.value.hint or "")


def test_connection_waits_for_a_dev_server_that_starts(tmp_path: Path) -> None:
    starting = dataclasses.replace(STATE, pid=os.getpid(), is_starting=True)
    dev_state.write(tmp_path, starting)
    settings = load_settings(tmp_path, environ={})
    assert settings.dev is not None
    assert settings.dev.is_starting
    assert settings.store == STATE.store

    async def connect() -> bool:
        waiting = asyncio.ensure_future(_await_dev_server(settings))
        await asyncio.sleep(0)
        before = waiting.done()
        dev_state.write(tmp_path, dataclasses.replace(starting, is_starting=False))
        await asyncio.wait_for(waiting, 30)
        return before

    assert asyncio.run(connect()) is False


def test_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".flytemp").write_text("a file")
    with pytest.raises(StoreError, match=r"dev\.json"):
        dev_state.write(tmp_path, STATE)
