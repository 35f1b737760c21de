"""Workers that end, even by kill -9: their tasks end, and later workers find the right outcome."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from flytemp import layout
from flytemp.errors import StoreError
from flytemp.runtime.commit import claim_try, commit_result, read_claim, write_try_error
from flytemp.runtime.host import host_identity, process_started
from flytemp.runtime.invocation import Claim, Invocation, TaskError, TaskResult
from flytemp.spec.models import TaskSettings
from flytemp.store.local import LocalStore
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure, TaskLost, key_of
from flytemp_activities.process import ProcessBackend, ProcessOptions, guard, leases
from flytemp_activities.process.guard import MARKER, kill_marked, marked_processes
from flytemp_activities.process.leases import Lease, LeaseKeeper, LeaseTimes, Observation, Owners
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


# --------------------------------------------------------------------------------------------- leases


def write_lease(store: ObjectStore, owner: str, **changes: Any) -> None:
    own = {"host": host_identity(), "pid": os.getpid(), "process_started": process_started(os.getpid())}
    lease = Lease.model_validate({**own, "token": "no-such-token", "counter": 1, **changes})
    store.write(layout.worker_key(owner), lease.model_dump_json().encode())


def claim_of(owner: str, **changes: Any) -> Claim:
    own = {"host": host_identity(), "pid": os.getpid(), "process_started": process_started(os.getpid())}
    return Claim.model_validate({"owner": owner, **own, **changes})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leases, "time", clock)
    return clock


def test_remote_worker_is_alive_while_its_lease_changes(store: ObjectStore, clock: Clock) -> None:
    owners, claim, observation = Owners(store), claim_of("far", host="elsewhere/boot/pid"), Observation()
    for counter in range(1, 6):
        write_lease(store, "far", host="elsewhere/boot/pid", counter=counter, seconds=7.0)
        assert owners.is_alive(claim, observation)
        clock.now += 6.0
        assert owners.is_alive(claim, observation)
    clock.now += 1.0
    assert not owners.is_alive(claim, observation)


def test_each_follower_observes_a_lease_for_its_whole_duration(store: ObjectStore, clock: Clock) -> None:
    owners, claim, observation = Owners(store), claim_of("far", host="elsewhere/boot/pid"), Observation()
    write_lease(store, "far", host="elsewhere/boot/pid", seconds=7.0)
    assert owners.is_alive(claim, observation)
    clock.now += 7.0
    assert owners.is_alive(claim, Observation())
    assert not owners.is_alive(claim, observation)


def test_remote_worker_without_a_lease_is_dead(store: ObjectStore) -> None:
    assert not Owners(store).is_alive(claim_of("far", host="elsewhere/boot/pid"), Observation())


def test_reused_pid_is_not_the_worker(store: ObjectStore) -> None:
    write_lease(store, "near", process_started="1")
    assert not Owners(store).is_alive(claim_of("near", process_started="1"), Observation())
    assert alive(os.getpid())


def test_living_worker_has_time_to_report_the_end_of_its_task(store: ObjectStore, clock: Clock) -> None:
    write_lease(store, "near")
    owners, claim = Owners(store), claim_of("near", process_started="1")
    assert owners.is_alive(claim, Observation())
    clock.now += 1000.0
    assert not owners.is_alive(claim, Observation())


@contextmanager
def sleeper(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process with exactly this environment."""
    process = subprocess.Popen(["sleep", "1000"], env=environment)
    try:
        # The system shows a new program's environment a moment after it started it.
        eventually(lambda: Path(f"/proc/{process.pid}/environ").read_bytes(), "the environment is there")
        yield process
    finally:
        process.kill()
        process.wait()


def test_process_of_a_dead_worker_is_ended_before_its_try_is_lost(store: ObjectStore) -> None:
    write_lease(store, "near", process_started="1", token="1-1-dead")
    with sleeper({MARKER: "1-1-dead.1."}) as process:
        claim = claim_of("near", pid=process.pid, process_started=process_started(process.pid))
        assert not Owners(store).is_alive(claim, Observation())
        assert not alive(process.pid)
        assert process.wait() == -signal.SIGKILL


def test_process_of_a_dead_worker_is_ended_without_its_lease(store: ObjectStore) -> None:
    with sleeper({MARKER: "1-1-dead.1."}) as process:
        claim = claim_of("near", pid=process.pid, process_started=process_started(process.pid))
        assert not Owners(store).is_alive(claim, Observation())
        assert not alive(process.pid)


def test_try_is_not_lost_while_its_process_lives(store: ObjectStore) -> None:
    with sleeper({"NAME": "without a marker"}) as process:
        claim = claim_of("near", pid=process.pid, process_started=process_started(process.pid))
        assert Owners(store).is_alive(claim, Observation())
        assert alive(process.pid)


def test_only_processes_with_the_marker_are_killed() -> None:
    with (
        sleeper({MARKER: "tok.1.", "OTHER": "x"}) as ours,
        sleeper({MARKER: "tok.12."}) as other,
        sleeper({"NAME": f"{MARKER}=tok.1."}) as unmarked,
    ):
        kill_marked("tok.1.")
        assert ours.wait() == -signal.SIGKILL
        assert [process.poll() for process in (other, unmarked)] == [None, None]


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


class FlakyStore(LocalStore):
    """A store that can refuse writes, or let them wait."""

    is_down = False

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.open_again = threading.Event()
        self.open_again.set()

    def write(self, key: str, data: bytes) -> None:
        self.open_again.wait()
        if self.is_down:
            raise StoreError(f"cannot write {key}: no route to host")
        super().write(key, data)


class Keeper:
    """A lease of 0.6 s, the number of its ends, and the deadlines that the guard gets."""

    def __init__(self, store: ObjectStore) -> None:
        self.fenced = asyncio.Event()
        self.deadlines: list[float] = []
        times = LeaseTimes(0.6)
        self.lease = LeaseKeeper(store, "me", "token", times, fence=self._fence, kill_at=self.deadlines.append)

    async def _fence(self) -> None:
        self.fenced.set()


@pytest.mark.parametrize("uri", ["file:///store", "s3://bucket"])
async def test_worker_ends_its_tasks_before_its_lease_ends(tmp_path: Path, uri: str) -> None:
    store = FlakyStore(f"file://{tmp_path}")
    store.uri = uri
    keeper = Keeper(store)
    await keeper.lease.start()
    first = keeper.lease.owner

    def counter(owner: str) -> int:
        return Lease.model_validate_json(store.read(layout.worker_key(owner))).counter

    await until(lambda: counter(first) > 3, "the lease is renewed")
    assert not keeper.fenced.is_set()
    store.is_down = True
    await keeper.fenced.wait()
    assert not keeper.lease.is_valid
    store.is_down = False
    await keeper.lease.until_valid()
    second = keeper.lease.owner
    assert (second != first, keeper.lease.is_own(first), keeper.lease.is_own(second)) == (True, True, True)
    assert store.list("workers") == [f"{second}.json"], "the claims of the first owner count as dead"
    await keeper.lease.stop()
    assert store.list("workers") == []
    assert math.inf in keeper.deadlines
    assert keeper.deadlines == sorted(keeper.deadlines) or keeper.deadlines.index(math.inf) > 0


async def test_request_that_hangs_does_not_delay_the_end_of_the_tasks(tmp_path: Path) -> None:
    store = FlakyStore(f"file://{tmp_path}")
    keeper = Keeper(store)
    await keeper.lease.start()
    store.open_again.clear()
    await keeper.fenced.wait()
    store.open_again.set()
    await keeper.lease.until_valid()
    await keeper.lease.stop()
    assert store.list("workers") == []


async def test_worker_that_was_suspended_ends_its_tasks_before_it_renews_its_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FlakyStore(f"file://{tmp_path}")
    keeper = Keeper(store)
    await keeper.lease.start()
    clock = guard.now
    monkeypatch.setattr(guard, "now", lambda: clock() + 10.0)
    await keeper.fenced.wait()
    await keeper.lease.until_valid()
    assert store.list("workers") == [f"{keeper.lease.owner}.json"]
    await keeper.lease.stop()


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


async def test_refused_lease_leaves_nothing_running(tmp_path: Path) -> None:
    store = FlakyStore(f"file://{tmp_path}")
    store.is_down = True
    options = ProcessOptions(state_dir=tmp_path / "state", scratch_folder=tmp_path / "scratch")
    backend = ProcessBackend(store, options, "worker")
    with pytest.raises(StoreError, match="no route to host"):
        await backend.start()
    assert backend._guard is not None
    assert not backend._guard.is_running
    assert list((tmp_path / "scratch").iterdir()) == []
