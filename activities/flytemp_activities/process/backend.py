"""Process backend: runs tries in processes on this machine."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import tempfile
from collections.abc import Set
from pathlib import Path

from flytemp.errors import FlytempBug
from flytemp.runtime.host import process_started
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import HeartbeatDetails, Report, SystemFailure, TaskLost, TryKey, key_of
from flytemp_activities.background import Background
from flytemp_activities.process.crashes import OomCounter
from flytemp_activities.process.environment import base_environment, task_environment
from flytemp_activities.process.guard_process import GuardProcess
from flytemp_activities.process.leases import LeaseKeeper, LeaseTimes, Owners
from flytemp_activities.process.options import ProcessOptions
from flytemp_activities.process.pool import ProcessPool
from flytemp_activities.process.secrecy import protect_process
from flytemp_activities.process.supervisor import ProcessContext, Supervisor
from flytemp_activities.result_lookup import ResultLookup

__all__ = ["ProcessBackend", "ProcessOptions", "SystemFailure", "TaskLost", "key_of"]

_log = logging.getLogger(__name__)


class ProcessBackend:
    """Backend that runs tasks in processes. Call `start` first and `close` last, on the event loop that calls `run`.

    Args:
        store: store of claims, results and logs.
        options: settings.
        worker_id: name of the worker. Each start of a worker has its own owner of claims, `owner`.
        lookup: look-up of a result before a try starts, or None.
    """

    def __init__(
        self, store: ObjectStore, options: ProcessOptions, worker_id: str, lookup: ResultLookup | None = None
    ) -> None:
        self._store = store
        self._lookup = lookup
        self._options = options
        token = secrets.token_hex(6)
        self._token = f"{os.getpid()}-{process_started(os.getpid())}-{token}"
        self._supervisors: dict[TryKey, Supervisor] = {}
        self._context: ProcessContext | None = None
        self._guard: GuardProcess | None = None
        self._times = LeaseTimes(options.lease_seconds)
        self._lease = LeaseKeeper(
            store, f"{worker_id}-{token}", self._token, self._times, fence=self._fence, kill_at=self._set_deadline
        )
        self._background = Background(_log, "a background job of the process backend failed")

    @property
    def owner(self) -> str:
        """Owner of the claims of this worker."""
        return self._lease.owner

    async def start(self) -> None:
        """Start the guard, write the lease, and end the processes of dead workers on this machine.

        The memory and the environment of this process are hidden from tasks; see `secrecy`.

        Raises:
            StoreError: the store cannot be used.
        """
        protect_process()
        try:
            self._context = context = self._open_context()
            await self._lease.start()
            await asyncio.to_thread(context.owners.clean_up, self.owner)
        except BaseException:
            await self.close()
            raise
        for _ in range(min(self._options.warm, self._options.slots)):
            self._background.start(self._warm_up(context.pool))

    def _open_context(self) -> ProcessContext:
        options = self._options
        parent = options.scratch_folder or Path(tempfile.gettempdir())
        for folder in (parent, options.bundles):
            folder.mkdir(parents=True, exist_ok=True)
        own = Path(tempfile.mkdtemp(prefix="flytemp-worker-", dir=parent))
        self._guard = guard = GuardProcess(self._token, own)
        pool = ProcessPool(self._store, options, self._token, own, guard.register, guard.unregister)
        return ProcessContext(self._store, options, pool, Owners(self._store), OomCounter(), self._lease, own, self._lookup)

    async def _warm_up(self, pool: ProcessPool) -> None:
        try:
            await pool.warm_up(base_environment(os.environ, self._options.pass_environment))
        except SystemFailure as failure:
            _log.warning("no process could be started before the first task: %s", failure)

    async def close(self) -> None:
        """End every running task, every process and the guard, and remove the lease.

        Raises:
            StoreError: the lease could not be removed; everything else is done.
        """
        try:
            await self._kill_all("the worker was shut down")
            await self._background.close()
            if self._context is not None:
                await self._context.pool.close()
            await self._lease.stop()
        finally:
            if self._guard is not None:
                await asyncio.to_thread(self._guard.close)

    async def run(
        self, invocation: Invocation, *, resumed: bool, report: Report, before: HeartbeatDetails | None = None
    ) -> TaskResult:
        """Return the result of a try; see `Backend.run`.

        Args:
            invocation: the try.
            resumed: True if the try may have been started before, here or elsewhere.
            report: receives ``phase`` ("queued", "starting", "running", "following"), and once known ``pid``, ``uid`` and
                ``claimed``.
            before: not used: the claim has all information.

        Raises:
            TaskLost: the process of the try is gone, and there is no result.
            SystemFailure: the platform failed.
        """
        supervisor = self._supervisors.get(key_of(invocation)) or self._supervise(invocation, resumed=resumed)
        supervisor.subscribe(report)
        try:
            return await asyncio.shield(supervisor.task)
        finally:
            supervisor.unsubscribe(report)

    def _supervise(self, invocation: Invocation, *, resumed: bool) -> Supervisor:
        if self._context is None:
            raise FlytempBug("the process backend was not started")
        key = key_of(invocation)
        environment = task_environment(invocation, os.environ, self._options.pass_environment)
        supervisor = Supervisor(self._context, invocation, environment, resumed=resumed)
        self._supervisors[key] = supervisor
        supervisor.task.add_done_callback(lambda task: self._on_done(key, task))
        return supervisor

    def _on_done(self, key: TryKey, task: asyncio.Task[TaskResult]) -> None:
        del self._supervisors[key]
        # No activity may be waiting now; a later one reads the outcome in the store.
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.info("node %s, attempt %d, try %d ended without a result: %s", key.node, key.attempt, key.try_, error)

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        """Start nothing: Temporal starts activities fast enough for the few processes of a worker."""
        return False

    def release(self, invocation_key: TryKey) -> None:
        """Do nothing: no try is started early."""

    async def kill(self, invocation_key: TryKey) -> None:
        """End the try and everything that it started by TERM, and KILL after a grace period; return when all are gone.

        A try of another worker is not affected. The guard of a dead worker ends its processes.
        """
        supervisor = self._supervisors.get(invocation_key)
        if supervisor is not None:
            await supervisor.kill("the task was ended on request")

    def running(self) -> Set[TryKey]:
        """Return the tries that run, wait for a slot or are followed here; see `Backend.running`."""
        return self._supervisors.keys()

    async def _kill_all(self, reason: str) -> None:
        await asyncio.gather(*(supervisor.kill(reason) for supervisor in list(self._supervisors.values())))

    async def _fence(self) -> None:
        reason = "the worker could not renew its lease, so another worker may run the task"
        grace = min(self._options.grace_seconds, self._times.grace)
        fences = [supervisor.fence(reason, grace) for supervisor in list(self._supervisors.values())]
        for outcome in await asyncio.gather(*fences, return_exceptions=True):
            if isinstance(outcome, Exception):
                _log.error("the processes of a task could not be ended", exc_info=outcome)

    def _set_deadline(self, deadline: float) -> None:
        if self._guard is None:
            raise FlytempBug("the process backend was not started")
        self._guard.kill_at(deadline)
