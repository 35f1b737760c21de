"""Workers that end, even by kill -9: their tasks end, and later workers find the right outcome."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from flytemp import layout
from flytemp.runtime.commit import claim_try, commit_result, read_claim, write_try_error
from flytemp.runtime.invocation import Invocation, TaskError, TaskResult
from flytemp.spec.models import TaskSettings
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure, TaskLost, key_of
from flytemp_activities.process.guard import marked_processes
from tests.activities.process import fake_backend
from tests.activities.process.conftest import Bench
from tests.activities.process.wait_for import alive, until, until_written
from tests.sdk.runtime.project import Project, eventually

MakeProject = Callable[[str], Project]

PROGRAM = """
    import os, subprocess, sys, threading
    from flytemp import task

    @task
    def family(path: str) -> int:
        away = subprocess.Popen(["setsid", "sleep", "1000"])
        child = subprocess.Popen(["sleep", "1000"])
        with open(path, "w") as file:
            file.write(f"{os.getpid()} {child.pid} {away.pid}\\n")
        child.wait()
        return 1

    @task
    def hidden(path: str) -> int:
        script = "sleep 1000 >/dev/null 2>&1 & echo $!"
        shell = subprocess.run(["setsid", "sh", "-c", script], env={}, capture_output=True, text=True, check=True)
        with open(path, "w") as file:
            file.write(f"{os.getpid()} {int(shell.stdout)}\\n")
        threading.Event().wait()
        return 1

    @task
    def count(path: str) -> int:
        with open(path, "a") as file:
            file.write("x")
        return 1
"""


@pytest.fixture
def program(make_project: MakeProject) -> Project:
    return make_project(PROGRAM)


class Worker:
    """A worker in its own process."""

    def __init__(self, folder: Path, store: ObjectStore, *invocations: Invocation, lease_seconds: float = 90.0) -> None:
        self.scratch = folder / "scratch-of-worker"
        arguments = [store.uri, str(folder / "state-of-worker"), str(self.scratch), str(lease_seconds)]
        texts = [invocation.model_dump_json() for invocation in invocations]
        command = [sys.executable, fake_backend.__file__, *arguments, *texts]
        self._popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        first = self.hear("owner")
        self.owner: str = first["owner"]
        self.guard: int = first["guard"]
        self.pid = self._popen.pid

    def hear(self, field: str) -> dict[str, Any]:
        """Return the next line with ``field``."""
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            message: dict[str, Any] = json.loads(line)
            if field in message:
                return message
        raise AssertionError(f"the worker ended before it said {field!r}")

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()

    def helpers(self, script: str) -> list[int]:
        """Return the pids of the worker's child processes that run the script."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children if script.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def kill_with_its_helpers(self) -> None:
        """Kill the worker, its guard and its keepers, so that no process is left to end the tasks."""
        for helper in (self.guard, *self.helpers("keeper.py")):
            os.kill(helper, signal.SIGKILL)
        self.kill()

    def end(self) -> None:
        if self._popen.poll() is None:
            self.kill()
        assert self._popen.stdout is not None
        self._popen.stdout.close()


StartWorker = Callable[..., Worker]


@pytest.fixture
def start_worker(tmp_path: Path, store: ObjectStore) -> Iterator[StartWorker]:
    started: list[Worker] = []

    def start(*invocations: Invocation, lease_seconds: float = 90.0) -> Worker:
        started.append(Worker(tmp_path, store, *invocations, lease_seconds=lease_seconds))
        return started[-1]

    yield start
    for worker in started:
        worker.end()


def pids_in(path: Path) -> list[int]:
    text = eventually(lambda: path.exists() and path.read_text().endswith("\n") and path.read_text(), "pids are written")
    return [int(pid) for pid in str(text).split()]


def gone(pids: list[int]) -> bool:
    return not any(alive(pid) for pid in pids)


def test_no_process_survives_a_killed_worker(program: Project, start_worker: StartWorker, tmp_path: Path) -> None:
    paths = [tmp_path / f"pids{number}" for number in range(2)]
    worker = start_worker(*(program.invocation("family", {"path": str(path)}, node=f"n{n}") for n, path in enumerate(paths)))
    pids = [pid for path in paths for pid in pids_in(path)]
    assert len(pids) == 6
    assert all(alive(pid) for pid in pids)
    worker.kill()
    eventually(lambda: gone(pids), "all processes of the tasks end")
    eventually(lambda: not alive(worker.guard), "the guard ends")
    assert marked_processes(f"{worker.pid}-") == []
    assert list(worker.scratch.iterdir()) == []


@pytest.mark.parametrize("reuse", ["imports", "process"])
def test_orphan_without_an_environment_ends_with_a_killed_worker(
    program: Project, start_worker: StartWorker, tmp_path: Path, reuse: Literal["imports", "process"]
) -> None:
    settings = TaskSettings(reuse=reuse)
    worker = start_worker(program.invocation("hidden", {"path": str(tmp_path / "pids")}, settings=settings))
    pids = pids_in(tmp_path / "pids")
    assert all(alive(pid) for pid in pids)
    worker.kill()
    eventually(lambda: gone(pids), "the task and its orphan end")


@pytest.mark.parametrize("reuse", ["imports", "process"])
async def test_orphan_without_an_environment_ends_with_its_killed_process(
    program: Project, bench: Bench, tmp_path: Path, reuse: Literal["imports", "process"]
) -> None:
    running = bench.start(program.invocation("hidden", {"path": str(tmp_path / "pids")}, settings=TaskSettings(reuse=reuse)))
    pids = [int(pid) for pid in (await until_written(tmp_path / "pids")).split()]
    os.kill(pids[0], signal.SIGKILL)
    with pytest.raises(SystemFailure):
        await running
    await until(lambda: gone(pids), "the task and its orphan end")


def test_guard_ignores_terminal_signals(
    program: Project, start_worker: StartWorker, tmp_path: Path
) -> None:
    worker = start_worker(program.invocation("family", {"path": str(tmp_path / "pids")}))
    pids = pids_in(tmp_path / "pids")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(worker.guard, number)
    worker.kill()
    eventually(lambda: gone(pids), "all processes of the task end")


async def test_next_worker_ends_remaining_processes_without_a_guard(
    program: Project, start_worker: StartWorker, bench: Bench, tmp_path: Path
) -> None:
    invocation = program.invocation("family", {"path": str(tmp_path / "pids")})
    worker = start_worker(invocation)
    pids = pids_in(tmp_path / "pids")
    worker.kill_with_its_helpers()
    # The kernel ends the task's own process, and not what that process started.
    assert alive(pids[1])
    with pytest.raises(TaskLost, match="the worker that ran the task is gone"):
        await bench.run(invocation, resumed=True)
    assert gone(pids)


async def test_starting_worker_ends_processes_of_dead_workers(
    program: Project, start_worker: StartWorker, start_backend: Callable[..., Any], tmp_path: Path
) -> None:
    worker = start_worker(program.invocation("family", {"path": str(tmp_path / "pids")}))
    pids = pids_in(tmp_path / "pids")
    worker.kill_with_its_helpers()
    bench = await start_backend()
    assert gone(pids)
    assert program.store.list("workers") == [layout.worker_key(bench.backend.owner).rpartition("/")[2]]


async def test_try_of_a_dead_worker_is_lost_and_not_run_again(
    program: Project, start_worker: StartWorker, bench: Bench, tmp_path: Path
) -> None:
    invocation = program.invocation("family", {"path": str(tmp_path / "pids")})
    worker = start_worker(invocation)
    pids = pids_in(tmp_path / "pids")
    claim = read_claim(program.store, invocation)
    assert claim is not None
    assert (claim.owner, claim.pid) == (worker.owner, pids[0])
    worker.kill()
    with pytest.raises(TaskLost):
        await bench.run(invocation, resumed=True)
    assert gone(pids[:1])
    assert read_claim(program.store, invocation) == claim


async def test_try_of_a_living_worker_is_followed(
    program: Project, start_worker: StartWorker, bench: Bench, tmp_path: Path
) -> None:
    invocation = program.invocation("family", {"path": str(tmp_path / "pids")})
    worker = start_worker(invocation)
    pids = await asyncio.to_thread(pids_in, tmp_path / "pids")
    following = bench.start(invocation, resumed=True)
    await until(lambda: any(report["phase"] == "following" for report in bench.reports), "the try is followed")
    assert not following.done()
    os.kill(pids[1], signal.SIGTERM)  # what the task waits for
    result = await following
    assert result.outputs == {"o0": 1}
    assert (await asyncio.to_thread(worker.hear, "result"))["result"] == result.model_dump(mode="json")


async def test_try_without_the_claim_follows_the_owner(
    program: Project, start_worker: StartWorker, bench: Bench, tmp_path: Path
) -> None:
    invocation = program.invocation("family", {"path": str(tmp_path / "pids")})
    start_worker(invocation)
    pids = await asyncio.to_thread(pids_in, tmp_path / "pids")
    second = bench.start(invocation)
    await until(lambda: any(report["phase"] == "following" for report in bench.reports), "the claim is lost")
    os.kill(pids[1], signal.SIGTERM)
    assert (await second).outputs == {"o0": 1}


async def test_result_of_another_worker_counts(program: Project, bench: Bench, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    invocation = program.invocation("count", {"path": str(ran)})
    committed = commit_result(program.store, invocation, TaskResult(status="succeeded", outputs={"o0": 7}))
    assert await bench.run(invocation, resumed=True) == committed
    assert not ran.exists()


async def test_unclaimed_try_is_run(program: Project, bench: Bench, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    invocation = program.invocation("count", {"path": str(ran)})
    assert (await bench.run(invocation, resumed=True)).outputs == {"o0": 1}
    assert ran.read_text() == "x"


async def test_two_callers_share_a_try(program: Project, bench: Bench, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    invocation = program.invocation("count", {"path": str(ran)})
    first, second = bench.start(invocation), bench.start(invocation, resumed=True)
    assert await first == await second
    assert ran.read_text() == "x"


async def test_error_of_a_try_is_raised_again(program: Project, bench: Bench) -> None:
    invocation = program.invocation("count", {"path": "/nowhere"})
    assert claim_try(program.store, invocation, "another worker")
    write_try_error(program.store, invocation, TaskError(kind="SYSTEM", code="StoreError", message="the disk is full"))
    with pytest.raises(SystemFailure, match="the disk is full"):
        await bench.run(invocation, resumed=True)


async def test_lost_try_of_this_worker_stays_lost(program: Project, bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "pids"
    invocation = program.invocation("family", {"path": str(path)})
    running = bench.start(invocation)
    await until_written(path)
    await bench.backend.kill(key_of(invocation))
    for attempt in (running, bench.start(invocation, resumed=True)):
        with pytest.raises(TaskLost, match="ended on request"):
            await attempt


async def test_worker_without_a_renewed_lease_ends_its_tasks(
    program: Project, bench: Bench, tmp_path: Path
) -> None:
    path = tmp_path / "pids"
    running = bench.start(program.invocation("family", {"path": str(path)}))
    pids = [int(pid) for pid in (await until_written(path)).split()]
    await bench.backend._fence()
    with pytest.raises(TaskLost, match="could not renew its lease"):
        await running
    assert gone(pids)


async def test_guard_ends_the_tasks_of_a_stopped_worker(program: Project, start_worker: StartWorker, tmp_path: Path) -> None:
    worker = start_worker(program.invocation("family", {"path": str(tmp_path / "pids")}), lease_seconds=1.0)
    pids = await asyncio.to_thread(pids_in, tmp_path / "pids")
    os.kill(worker.pid, signal.SIGSTOP)
    await until(lambda: gone(pids), "all processes of the task end")
    assert alive(worker.guard)
    os.kill(worker.pid, signal.SIGCONT)
    assert await asyncio.to_thread(worker.hear, "lost")


async def test_guard_that_was_killed_is_replaced(program: Project, start_worker: StartWorker, tmp_path: Path) -> None:
    worker = start_worker(program.invocation("family", {"path": str(tmp_path / "pids")}), lease_seconds=1.0)
    pids = await asyncio.to_thread(pids_in, tmp_path / "pids")
    os.kill(worker.guard, signal.SIGKILL)
    await until(lambda: set(worker.helpers("guard.py")) - {worker.guard}, "another guard runs")
    worker.kill()
    await until(lambda: gone(pids), "all processes of the task end")
