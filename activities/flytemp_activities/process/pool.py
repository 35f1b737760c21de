"""Pool of the processes of a worker, at most ``slots`` of which run a task.

A process runs one task, unless the task has ``reuse="process"``. It is forked by a fork server that has imported the task's
module, or it is a fresh process that imports the module itself; see ``TaskSettings.reuse``.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path

from flytemp.bundle import extract
from flytemp.errors import FlytempError
from flytemp.runtime.invocation import Invocation, TaskError
from flytemp.runtime.task_run import WORKING_DIRECTORY
from flytemp.spec.models import BundleRef
from flytemp.spec.tasks import Reuse
from flytemp.store.object_store import ObjectStore
from flytemp_activities.backend import SystemFailure
from flytemp_activities.background import retrieve_exception
from flytemp_activities.process.child import ProcessEnded, TaskProcess, scratch_of
from flytemp_activities.process.deadlocks import end_deadlock
from flytemp_activities.process.fork_server import NotForkable
from flytemp_activities.process.fork_servers import CAN_FORK, ForkServers, PoolKey, no_process, until_ready
from flytemp_activities.process.options import ProcessOptions

_LEAVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ProcessNeed:
    """Process that a task needs: its key, and what of a process it may use together with other tasks."""

    key: PoolKey
    reuse: Reuse

    @classmethod
    def of(cls, invocation: Invocation, environment: Mapping[str, str]) -> ProcessNeed:
        """Return the need of a try."""
        return cls(PoolKey.of(invocation, environment), invocation.task.settings.reuse)


@dataclass(slots=True)
class _Member:
    """A process with its key. Only a process of a task with ``reuse="process"`` may get another task."""

    process: TaskProcess
    need: ProcessNeed


class ProcessPool:
    """Pool of processes. ``register`` and ``unregister`` are called with the process group of each process."""

    def __init__(
        self,
        store: ObjectStore,
        options: ProcessOptions,
        token: str,
        folder: Path,
        register: Callable[[int], None],
        unregister: Callable[[int], None],
    ) -> None:
        self._store = store
        self._options = options
        self._token = token
        self._folder = folder
        self._register = register
        self._unregister = unregister
        self._slots = asyncio.Semaphore(options.slots)
        self._servers = ForkServers(options, folder, self._new_marker, register, unregister)
        self._idle: list[_Member] = []  # the least recently used process first
        self._spares: dict[PoolKey, asyncio.Task[TaskProcess]] = {}  # the least recently used first
        self._busy: dict[TaskProcess, _Member] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._started = 0
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        """True if `acquire` would wait."""
        return self._slots.locked()

    async def acquire(self, need: ProcessNeed) -> TaskProcess:
        """Return a process that is ready for a task. Callers wait for a slot in the order of their calls.

        Raises:
            SystemFailure: no process could be started, or the code bundle cannot be read.
        """
        await self._slots.acquire()
        try:
            bundle = await self._unpacked(need.key.bundle)
            process = await self._provide(need, bundle)
        except BaseException:
            self._slots.release()
            raise
        process.bundle = bundle
        self._busy[process] = _Member(process, need)
        return process

    async def _unpacked(self, bundle: BundleRef | None) -> Path | None:
        if bundle is None:
            return None
        try:
            return await asyncio.to_thread(extract, self._store, bundle, self._options.bundles)
        except FlytempError as error:
            raise SystemFailure(TaskError.of_platform(error)) from error

    async def _provide(self, need: ProcessNeed, bundle: Path | None) -> TaskProcess:
        if need.reuse == "process":
            return self._take_idle(need.key) or await self._start(need.key)
        if need.reuse == "imports" and CAN_FORK:
            try:
                return await self._fork(need.key, bundle)
            except NotForkable:
                pass  # the log of the worker has the reason
        return await self._fresh(need.key, bundle)

    def release(self, process: TaskProcess, *, reusable: bool) -> None:
        """Return a process to the pool. If it is not ``reusable``, it is ended with everything that it started."""
        member = self._busy.pop(process)
        if not reusable or not (process.is_usable or member.need.reuse != "process"):
            # Processes that the task left are ended with a grace period, as after a cancellation.
            self._retire(process.end(self._options.grace_seconds), process).add_done_callback(self._free_slot)
        elif member.need.reuse != "process" or process.tasks >= self._options.recycle_after:
            self._retire(process.leave(_LEAVE_SECONDS), process).add_done_callback(self._free_slot)
        else:
            self._idle.append(member)
            self._slots.release()

    async def discard(self, process: TaskProcess, grace_seconds: float) -> None:
        """Return a process to the pool and end it with everything that it started; return when all are gone."""
        del self._busy[process]
        ending = self._retire(process.end(grace_seconds), process)
        ending.add_done_callback(self._free_slot)
        await asyncio.shield(ending)

    def _free_slot(self, _: asyncio.Task[None]) -> None:
        self._slots.release()

    async def warm_up(self, environment: Mapping[str, str]) -> None:
        """Start a fork server before the first task.

        Raises:
            SystemFailure: no process could be started.
        """
        if CAN_FORK:
            with contextlib.suppress(NotForkable):  # the first task finds it again, and it is logged
                await self._servers.warm_up(environment)

    # --------------------------------------------------------------------------------------- processes

    async def _fork(self, key: PoolKey, bundle: Path | None) -> TaskProcess:
        process = await self._servers.fork(key, self._store.uri, bundle)
        self._register(process.pid)
        self._in_background(self._watch_start(process, key))
        self._in_background(self._watch(process, key))
        return process

    async def _watch_start(self, process: TaskProcess, key: PoolKey) -> None:
        """End a forked process that does not become ready, such as one that a hook for forks blocks."""
        seconds = self._options.start_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await process.ready()
        except ProcessEnded:
            pass  # the task's supervisor handles it
        except TimeoutError:
            self._servers.refuse(key, f"a forked process was not ready after {seconds:g} s")
            await process.end(0)

    async def _watch(self, process: TaskProcess, key: PoolKey) -> None:
        library = await end_deadlock(process, self._options.deadlock_seconds)
        if library is not None:
            self._servers.refuse(key, f"a forked task waited for ever for a lock in {library}")
        elif process.has_failed:
            self._servers.refuse(key, "a forked process ended before its task began")

    def _take_idle(self, key: PoolKey) -> TaskProcess | None:
        for member in [member for member in reversed(self._idle) if member.need.key == key]:
            self._idle.remove(member)
            if member.process.is_usable:
                return member.process
            self._retire(member.process.end(0), member.process)
        return None

    async def _fresh(self, key: PoolKey, bundle: Path | None) -> TaskProcess:
        """Return a process for one task, and start the next one with the same imports ahead."""
        spare = self._spares.pop(key, None)
        process = None
        if spare is not None:
            try:
                process = await asyncio.shield(spare)
            except SystemFailure:
                pass  # such as an error of the import, which the task's own process reports
            except asyncio.CancelledError:
                self._spares[key] = spare
                raise
        if process is None or not process.is_usable:
            process = await self._start(key)
        self._spare(key, bundle)
        return process

    def _spare(self, key: PoolKey, bundle: Path | None) -> None:
        while len(self._spares) >= self._options.slots:
            self._drop_spare(next(iter(self._spares)))
        if not self._is_closed and key not in self._spares:
            self._spares[key] = asyncio.create_task(self._start(key, bundle, prepared=True))
            self._spares[key].add_done_callback(retrieve_exception)

    def _drop_spare(self, key: PoolKey) -> None:
        spare = self._spares.pop(key)
        self._in_background(self._end_spare(spare))

    async def _end_spare(self, spare: asyncio.Task[TaskProcess]) -> None:
        spare.cancel()  # its imports may take a minute; no effect on a process that was started
        await asyncio.wait([spare])
        if not spare.cancelled() and not spare.exception():
            process = spare.result()
            await self._retire(process.leave(_LEAVE_SECONDS), process)
            await asyncio.to_thread(shutil.rmtree, process.next_scratch(), ignore_errors=True)

    async def _start(self, key: PoolKey, bundle: Path | None = None, *, prepared: bool = False) -> TaskProcess:
        # The slot that is being filled is not counted as busy yet.
        while not prepared and self._idle and len(self._idle) + len(self._busy) >= self._options.slots:
            oldest = self._idle.pop(0).process
            self._retire(oldest.leave(_LEAVE_SECONDS), oldest)
        marker = self._new_marker()
        work = scratch_of(self._folder, marker, 0) / WORKING_DIRECTORY
        preparation = key.preparation(self._store.uri, bundle, work) if prepared else None
        try:
            process = await TaskProcess.start(dict(key.environment), marker, self._folder, preparation)
        except OSError as error:
            raise no_process(f"the system cannot start a process: {error}") from error
        self._register(process.pid)
        try:
            await until_ready(process, self._options.start_timeout_seconds)
        except BaseException:
            self._retire(process.end(0), process)
            raise
        return process

    def _new_marker(self) -> str:
        """Return the marker of a new process. All have one length, because a forked process overwrites that of its parent."""
        self._started += 1
        return f"{self._token}.{self._started:08d}."

    # --------------------------------------------------------------------------------------- ends

    def _retire(self, ending: Coroutine[None, None, None], process: TaskProcess) -> asyncio.Task[None]:
        return self._in_background(self._until_gone(ending, process))

    def _in_background(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _until_gone(self, ending: Coroutine[None, None, None], process: TaskProcess) -> None:
        try:
            await ending
        finally:
            self._unregister(process.pid)

    async def close(self) -> None:
        """End every idle process, and wait for the processes that are ending. No task may be running."""
        self._is_closed = True
        for member in self._idle:
            self._retire(member.process.leave(_LEAVE_SECONDS), member.process)
        self._idle.clear()
        for key in list(self._spares):
            self._drop_spare(key)
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)
        await self._servers.close()
