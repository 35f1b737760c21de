"""Leases, by which other workers decide whether the worker that claimed a try is alive.

A lease is an object of the store that its worker rewrites every few seconds with a growing counter. On the same machine, pids and
their start times are compared instead. On another machine a worker counts as dead when its counter has not changed for the
duration of the lease, by the observer's clock. Clocks of different machines are not compared.

A worker that cannot renew its lease must assume that others will run its tasks. So it ends its tasks, on every store, before
its lease ends: by TERM after `LeaseTimes.fence`, and by KILL after `LeaseTimes.kill`. The guard kills the tasks at that time if
the worker is stopped. Afterwards the worker continues as another owner, with a lease of its own, and runs no task before that
lease is written.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from flytemp import layout
from flytemp.errors import CorruptData
from flytemp.runtime.host import host_identity, is_alive, process_started
from flytemp.runtime.invocation import Claim
from flytemp.store.object_store import ObjectStore
from flytemp_activities.background import retrieve_exception
from flytemp_activities.process import guard
from flytemp_activities.process.guard import kill_marked, marker_of

LEASE_SECONDS = 90.0
_VANISHED_AFTER_SECONDS = 30.0  # a living worker has this long to report the end of a claimed process

_log = logging.getLogger(__name__)


class Lease(BaseModel):
    """`workers/<owner>.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str  # flytemp.runtime.host.host_identity
    pid: int
    process_started: str
    token: str  # prefix of the markers of the worker's processes
    counter: int
    seconds: float = LEASE_SECONDS


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Times of a lease, in seconds after the request that renewed it.

    Attributes:
        seconds: another worker may run the tasks.
    """

    seconds: float = LEASE_SECONDS

    @property
    def renew(self) -> float:
        """The next renewal."""
        return min(5.0, self.seconds / 6)

    @property
    def fence(self) -> float:
        """The worker ends its tasks by TERM."""
        return self.seconds * 0.7

    @property
    def kill(self) -> float:
        """The guard ends the tasks by KILL."""
        return self.seconds * 0.85

    @property
    def grace(self) -> float:
        """Longest duration between TERM and KILL. KILL needs some time, too."""
        return self.seconds * 0.1


class LeaseKeeper:
    """Lease of this worker. No try may run unless the lease `is_valid`.

    Args:
        store: store of the lease.
        owner: first owner of this worker's claims, unique among all starts of workers.
        token: prefix of the markers of the worker's processes.
        times: times of the lease.
        fence: ends the tasks of this worker. It is called when the lease may end soon.
        kill_at: sets the time of `guard.now` at which the guard ends the tasks.
    """

    def __init__(
        self,
        store: ObjectStore,
        owner: str,
        token: str,
        times: LeaseTimes,
        *,
        fence: Callable[[], Awaitable[None]],
        kill_at: Callable[[float], None],
    ) -> None:
        self._store = store
        self._token = token
        self._times = times
        self._fence_tasks = fence
        self._kill_at = kill_at
        self.owner = owner
        self._first_owner = owner
        self._terms = 1
        self._ended: list[str] = []  # earlier owners, whose leases must be deleted
        self._counter = 0
        self._fence_at = math.inf
        self._valid = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "flytemp-lease")  # renewals do not wait for other requests to the store
        self._task: asyncio.Task[None] | None = None

    def is_own(self, owner: str) -> bool:
        """Return whether ``owner`` is or was the owner of this worker's claims."""
        return owner == self._first_owner or owner.startswith(f"{self._first_owner}-term")

    @property
    def is_valid(self) -> bool:
        """True if the lease has not ended."""
        return self._valid.is_set()

    async def until_valid(self) -> None:
        """Wait until tasks may run."""
        await self._valid.wait()

    async def start(self) -> None:
        """Write the lease, and renew it until `stop`.

        Raises:
            StoreError: the store refuses it.
        """
        asked = guard.now()
        await self._in_thread(self._write)
        self._extend(asked)
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop renewing, and remove the lease. No task may be running.

        Raises:
            StoreError: the lease could not be removed.
        """
        task, self._task = self._task, None
        try:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
                await self._in_thread(self._remove)
        finally:
            self._thread.shutdown(wait=False)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._times.renew)
            try:
                await self._renew()
            except OSError as error:  # such as a lack of descriptors when the guard is replaced
                _log.error("the guard of the tasks' processes does not have the end of this worker's lease: %s", error)

    async def _renew(self) -> None:
        asked = guard.now()
        if asked >= self._fence_at:  # the worker was stopped, or the machine was suspended
            await self._fence()
        writing = asyncio.create_task(self._in_thread(self._write))
        writing.add_done_callback(retrieve_exception)
        if self.is_valid:
            await asyncio.wait({writing}, timeout=max(0.0, self._fence_at - asked))
            if not writing.done():
                await self._fence()
        await asyncio.wait({writing})
        if (error := writing.exception()) is not None:
            _log.warning("the lease of this worker is not renewed: %s", error)
            if guard.now() >= self._fence_at:
                await self._fence()
        elif writing.result() == self.owner and guard.now() - asked < self._times.fence:
            self._extend(asked)

    def _extend(self, asked: float) -> None:
        self._fence_at = asked + self._times.fence
        self._kill_at(asked + self._times.kill)
        self._valid.set()

    async def _fence(self) -> None:
        _log.error("the lease of this worker was not renewed in time: its tasks are ended, because another worker may run them")
        self._valid.clear()
        self._fence_at = math.inf
        self._ended.append(self.owner)
        self._terms += 1
        self.owner = f"{self._first_owner}-term{self._terms}"
        await self._fence_tasks()
        self._kill_at(math.inf)

    # ------------------------------------------------------------------------- in the thread

    async def _in_thread(self, work: Callable[[], str]) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _write(self) -> str:
        """Write the lease of the present owner, and delete those of earlier ones; return the owner."""
        owner = self.owner
        self._counter += 1
        lease = Lease(
            host=host_identity(),
            pid=os.getpid(),
            process_started=process_started(os.getpid()),
            token=self._token,
            counter=self._counter,
            seconds=self._times.seconds,
        )
        self._store.write(layout.worker_key(owner), lease.model_dump_json().encode())
        while self._ended:
            self._store.delete(layout.worker_key(self._ended[-1]))
            self._ended.pop()
        return owner

    def _remove(self) -> str:
        for owner in (*self._ended, self.owner):
            self._store.delete(layout.worker_key(owner))
        return self.owner


@dataclass(slots=True)
class Observation:
    """Observation of one lease, from the moment when a worker begins to follow a try of its owner."""

    counter: int | None = None
    since: float = 0.0

    def has_ended(self, lease: Lease, asked: float) -> bool:
        """Return whether the lease has ended. ``asked`` is the monotonic time in seconds before the lease was read."""
        if lease.counter != self.counter:
            self.counter, self.since = lease.counter, time.monotonic()
        return asked - self.since >= lease.seconds


class Owners:
    """Check of the owners of claims. It also ends the processes of dead owners on this machine."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._vanished: dict[tuple[str, int, str], float] = {}

    def is_alive(self, claim: Claim, observation: Observation) -> bool:
        """Return whether the try of a claim may still get a result. This call blocks.

        False means that its process is gone.

        Args:
            claim: the claim.
            observation: the caller's observation of the owner's lease, the same one for each call.

        Raises:
            StoreError: the lease cannot be read.
        """
        asked = time.monotonic()
        lease = self._read(claim.owner)
        if claim.host != host_identity():
            return lease is not None and not observation.has_ended(lease, asked)
        if lease is not None and is_alive(lease.pid, lease.process_started):
            return is_alive(claim.pid, claim.process_started) or not self._is_overdue(claim)
        if lease is not None:
            kill_marked(f"{lease.token}.")
        return self._is_left(claim)

    def _is_left(self, claim: Claim) -> bool:
        """End the claimed process of a dead worker; return whether it lives nevertheless."""
        if not claim.process_started:
            return False  # no `/proc`: the worker's guard ended its groups
        marker = marker_of(claim.pid) if is_alive(claim.pid, claim.process_started) else None
        if marker is not None:
            kill_marked(marker)
        return is_alive(claim.pid, claim.process_started)

    def clean_up(self, own: str) -> None:
        """End the processes of dead workers of this machine, and remove their leases. This call blocks.

        Raises:
            StoreError: leases cannot be read.
        """
        for name in self._store.list("workers"):
            key = f"workers/{name}"
            if key == layout.worker_key(own):
                continue
            try:
                lease = self._parse(key, self._store.read_or_none(key))
            except CorruptData as error:
                _log.warning("%s", error)
                continue
            if lease is None or lease.host != host_identity() or is_alive(lease.pid, lease.process_started):
                continue
            kill_marked(f"{lease.token}.")
            self._store.delete(key)

    def _read(self, owner: str) -> Lease | None:
        key = layout.worker_key(owner)
        return self._parse(key, self._store.read_or_none(key))

    def _parse(self, key: str, data: bytes | None) -> Lease | None:
        if data is None:
            return None
        try:
            return Lease.model_validate(json.loads(data))
        except (ValueError, ValidationError) as error:
            message = f"{self._store.uri_of(key)} is not a lease of a worker: {error}"
            raise CorruptData(message, hint="delete it") from error

    def _is_overdue(self, claim: Claim) -> bool:
        key = (claim.owner, claim.pid, claim.process_started)
        return time.monotonic() - self._vanished.setdefault(key, time.monotonic()) > _VANISHED_AFTER_SECONDS
