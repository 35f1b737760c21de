"""Leases of workers: how long a worker counts as alive, and what happens when its lease cannot be renewed."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flytemp import layout
from flytemp.errors import StoreError
from flytemp.runtime.host import host_identity, process_started
from flytemp.runtime.invocation import Claim
from flytemp.store.local import LocalStore
from flytemp.store.object_store import ObjectStore
from flytemp_activities.process import ProcessBackend, ProcessOptions, guard, leases
from flytemp_activities.process.guard import MARKER, kill_marked
from flytemp_activities.process.leases import Lease, LeaseKeeper, LeaseTimes, Observation, Owners
from tests.activities.process.wait_for import alive, until
from tests.sdk.runtime.project import eventually


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
    renewals = keeper.deadlines[: keeper.deadlines.index(math.inf)]
    assert renewals
    assert renewals == sorted(renewals)


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
