"""Leases, by which other processes decide whether the worker that claimed a try is alive.

A lease is an object of the store that its worker rewrites every few seconds with a growing counter. On the same machine, pids and
their start times are compared instead. On another machine a worker counts as dead when its counter has not changed for
`DEAD_AFTER_SECONDS` of the observer's clock. Clocks of different machines are not compared.

A worker that cannot renew its lease must assume that others count it as dead. After `FENCE_AFTER_SECONDS` it ends its tasks,
unless its store is a folder of this machine, where the pids are compared.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from flytemp import layout
from flytemp.errors import CorruptData, StoreError
from flytemp.runtime.host import host_identity, is_alive, process_started
from flytemp.runtime.invocation import Claim
from flytemp.store.object_store import ObjectStore
from flytemp_activities.process.guard import kill_marked, marker_of

RENEW_SECONDS = 5.0
FENCE_AFTER_SECONDS = 15.0
DEAD_AFTER_SECONDS = 20.0
_VANISHED_AFTER_SECONDS = 30.0  # a living worker has this long to report the end of a claimed process

_log = logging.getLogger(__name__)


class Lease(BaseModel):
    """`workers/<worker id>.json`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str  # flytemp.runtime.host.host_identity
    pid: int
    process_started: str
    token: str  # prefix of the markers of the worker's processes
    counter: int


class LeaseKeeper:
    """Lease of this worker. ``on_fence`` is called when the lease could not be renewed for `FENCE_AFTER_SECONDS`."""

    def __init__(self, store: ObjectStore, owner: str, token: str, on_fence: Callable[[], None]) -> None:
        self._store = store
        self._key = layout.worker_key(owner)
        self._token = token
        self._on_fence = on_fence
        self._counter = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Write the lease, and renew it until `stop`.

        Raises:
            StoreError: the store refuses it.
        """
        await asyncio.to_thread(self._write)
        self._task = asyncio.create_task(self._renew())

    async def stop(self) -> None:
        """Stop renewing, and remove the lease."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        await asyncio.to_thread(self._store.delete, self._key)

    def _write(self) -> None:
        self._counter += 1
        lease = Lease(
            host=host_identity(),
            pid=os.getpid(),
            process_started=process_started(os.getpid()),
            token=self._token,
            counter=self._counter,
        )
        self._store.write(self._key, lease.model_dump_json().encode())

    async def _renew(self) -> None:
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await asyncio.to_thread(self._write)
            except StoreError as error:
                _log.warning("this worker's lease is not renewed: %s", error)
                if time.monotonic() - renewed > FENCE_AFTER_SECONDS and not self._store.uri.startswith("file://"):
                    self._on_fence()
            else:
                renewed = time.monotonic()


@dataclass(slots=True)
class _Observation:
    counter: int
    since: float


class Owners:
    """Check of the owners of claims. It also ends the processes of dead owners on this machine."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._seen: dict[str, _Observation] = {}
        self._vanished: dict[tuple[str, int, str], float] = {}

    def is_alive(self, claim: Claim) -> bool:
        """Return whether the try of a claim may still get a result. This call blocks.

        False means that its process is gone.

        Raises:
            StoreError: the lease cannot be read.
        """
        lease = self._read(claim.owner)
        if claim.host != host_identity():
            return lease is not None and self._counter_moves(claim.owner, lease.counter)
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

    def _counter_moves(self, owner: str, counter: int) -> bool:
        now = time.monotonic()
        seen = self._seen.get(owner)
        if seen is None or seen.counter != counter:
            self._seen[owner] = _Observation(counter, now)
            return True
        return now - seen.since < DEAD_AFTER_SECONDS

    def _is_overdue(self, claim: Claim) -> bool:
        key = (claim.owner, claim.pid, claim.process_started)
        return time.monotonic() - self._vanished.setdefault(key, time.monotonic()) > _VANISHED_AFTER_SECONDS
