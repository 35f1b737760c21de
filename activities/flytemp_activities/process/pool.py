"""Pool of the warm processes of a worker: at most ``slots``, each for one bundle and environment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path

from flytemp.runtime.invocation import TaskError
from flytemp.spec.models import BundleRef
from flytemp_activities.backend import SystemFailure
from flytemp_activities.process.child import ProcessEnded, WarmProcess
from flytemp_activities.process.options import ProcessOptions

_LEAVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class PoolKey:
    """Key of the processes that a task may use. Tasks with different keys never share a process."""

    bundle: BundleRef | None
    environment: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, bundle: BundleRef | None, environment: Mapping[str, str]) -> PoolKey:
        return cls(bundle, tuple(sorted(environment.items())))


@dataclass(slots=True)
class _Member:
    process: WarmProcess
    key: PoolKey


def _serves(member: _Member, key: PoolKey) -> bool:
    unused = member.process.tasks == 0  # it has not imported a bundle
    return member.key == key or (unused and member.key.environment == key.environment)


class ProcessPool:
    """Pool of processes. ``register`` and ``unregister`` are called with the process group of each process."""

    def __init__(
        self,
        options: ProcessOptions,
        token: str,
        folder: Path,
        register: Callable[[int], None],
        unregister: Callable[[int], None],
    ) -> None:
        self._options = options
        self._token = token
        self._folder = folder
        self._register = register
        self._unregister = unregister
        self._slots = asyncio.Semaphore(options.slots)
        self._idle: list[_Member] = []  # the least recently used process first
        self._busy: dict[WarmProcess, _Member] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._started = 0

    @property
    def is_full(self) -> bool:
        """True if `acquire` would wait."""
        return self._slots.locked()

    async def acquire(self, key: PoolKey) -> WarmProcess:
        """Return a process that is ready for a task of ``key``. Callers wait for a slot in the order of their calls.

        Raises:
            SystemFailure: no process could be started.
        """
        await self._slots.acquire()
        try:
            member = self._take_idle(key) or await self._start(key)
        except BaseException:
            self._slots.release()
            raise
        self._busy[member.process] = member
        return member.process

    def release(self, process: WarmProcess, *, reusable: bool) -> None:
        """Return a process to the pool. If it is not ``reusable``, it is ended with everything that it started."""
        member = self._busy.pop(process)
        if not (reusable and process.is_usable):
            # Processes that the task left are ended with a grace period, as after a cancellation.
            self._retire(process.end(self._options.grace_seconds), process).add_done_callback(self._free_slot)
        elif process.tasks >= self._options.recycle_after:
            self._retire(process.leave(_LEAVE_SECONDS), process).add_done_callback(self._free_slot)
        else:
            self._idle.append(member)
            self._slots.release()

    async def discard(self, process: WarmProcess, grace_seconds: float) -> None:
        """Return a process to the pool and end it with everything that it started; return when all are gone."""
        del self._busy[process]
        ending = self._retire(process.end(grace_seconds), process)
        ending.add_done_callback(self._free_slot)
        await asyncio.shield(ending)

    def _free_slot(self, _: asyncio.Task[None]) -> None:
        self._slots.release()

    async def warm_up(self, environment: Mapping[str, str]) -> None:
        """Start a process before the first task, for any bundle.

        Raises:
            SystemFailure: no process could be started.
        """
        await self._slots.acquire()
        try:
            self._idle.append(await self._start(PoolKey.of(None, environment)))
        finally:
            self._slots.release()

    def _take_idle(self, key: PoolKey) -> _Member | None:
        for member in [member for member in reversed(self._idle) if _serves(member, key)]:
            self._idle.remove(member)
            if member.process.is_usable:
                return _Member(member.process, key)
            self._retire(member.process.end(0), member.process)
        return None

    async def _start(self, key: PoolKey) -> _Member:
        # The slot that is being filled is not counted as busy yet.
        while self._idle and len(self._idle) + len(self._busy) >= self._options.slots:
            oldest = self._idle.pop(0).process
            self._retire(oldest.leave(_LEAVE_SECONDS), oldest)
        self._started += 1
        try:
            process = WarmProcess.start(dict(key.environment), f"{self._token}.{self._started}.", self._folder)
        except OSError as error:
            raise _no_process(f"the system cannot start a process: {error}") from error
        self._register(process.pid)
        try:
            await self._until_ready(process)
        except BaseException:
            self._retire(process.end(0), process)
            raise
        return _Member(process, key)

    async def _until_ready(self, process: WarmProcess) -> None:
        try:
            async with asyncio.timeout(self._options.start_timeout_seconds):
                await process.ready()
        except ProcessEnded as ended:
            text = f"a task's process ended while it started, with {ended.end}"
            raise _no_process(f"{text}\n{ended.end.output}" if ended.end.output else text) from ended
        except TimeoutError as late:
            seconds = self._options.start_timeout_seconds
            raise _no_process(f"a task's process was not ready after {seconds:g} s") from late

    def _retire(self, ending: Coroutine[None, None, None], process: WarmProcess) -> asyncio.Task[None]:
        task = asyncio.create_task(self._until_gone(ending, process))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
        return task

    async def _until_gone(self, ending: Coroutine[None, None, None], process: WarmProcess) -> None:
        try:
            await ending
        finally:
            self._unregister(process.pid)

    async def close(self) -> None:
        """End every idle process, and wait for the processes that are ending. No task may be running."""
        for member in self._idle:
            self._retire(member.process.leave(_LEAVE_SECONDS), member.process)
        self._idle.clear()
        while self._retiring:
            await asyncio.gather(*self._retiring, return_exceptions=True)


def _no_process(message: str) -> SystemFailure:
    return SystemFailure(TaskError.of("ProcessNotStarted", message))
