"""Fork servers of a worker: one for each module of tasks, with its code bundle and environment."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flytemp.runtime.invocation import Invocation, TaskError
from flytemp.runtime.preparation import Preparation
from flytemp.spec.models import BundleRef
from flytemp_activities.backend import SystemFailure
from flytemp_activities.background import retrieve_exception
from flytemp_activities.process.child import ProcessEnded, TaskProcess
from flytemp_activities.process.fork_server import ForkServer, NotForkable
from flytemp_activities.process.options import ProcessOptions

CAN_FORK = sys.platform == "linux"
"""True where processes are forked. On macOS, libraries of the system do not survive a fork."""

_LEAVE_SECONDS = 5.0
_FORK_SERVERS_PER_TASK = 2  # the first may have ended without a request
_REMEMBERED = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PoolKey:
    """Key of the processes that a task may use. Tasks with different keys never share imports or a process.

    Attributes:
        bundle: code bundle.
        environment: variables of the environment, sorted.
        module: module of the task; "" for a task without code of the user.
    """

    bundle: BundleRef | None
    environment: tuple[tuple[str, str], ...]
    module: str

    @classmethod
    def of(cls, invocation: Invocation, environment: Mapping[str, str]) -> PoolKey:
        """Return the key of a task."""
        module = invocation.task.loader.partition(":")[0]
        return cls(invocation.bundle if module else None, tuple(sorted(environment.items())), module)

    def preparation(self, store: str, folder: Path | None, work: Path) -> Preparation:
        """Return the imports of a process, in the working directory ``work``; ``folder`` is that of the bundle."""
        return Preparation(
            store=store,
            work=str(work),
            module=self.module,
            bundle=None if folder is None else str(folder),
            import_roots=(".",) if self.bundle is None else self.bundle.import_roots,
        )


class ForkServers:
    """Fork servers, and the modules whose tasks must not be forked.

    Args:
        options: settings.
        folder: folder of the worker.
        new_marker: makes the marker of a new process.
        register: called with the process group of each fork server.
        unregister: called when nothing is left of the group.
    """

    def __init__(
        self,
        options: ProcessOptions,
        folder: Path,
        new_marker: Callable[[], str],
        register: Callable[[int], None],
        unregister: Callable[[int], None],
    ) -> None:
        self._options = options
        self._folder = folder
        self._new_marker = new_marker
        self._register = register
        self._unregister = unregister
        self._servers: dict[PoolKey, asyncio.Task[ForkServer]] = {}  # the least recently used first
        self._unused: list[tuple[tuple[tuple[str, str], ...], ForkServer]] = []  # with their environments
        self._refused: dict[PoolKey, str] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    async def fork(self, key: PoolKey, store: str, bundle: Path | None) -> TaskProcess:
        """Fork a process for one task of ``key``.

        Args:
            key: key of the task.
            store: URI of the store.
            bundle: folder of the unpacked code bundle.

        Raises:
            NotForkable: the task needs a fresh process.
            SystemFailure: no process could be started.
        """
        if key in self._refused:
            raise NotForkable(self._refused[key])
        for _ in range(_FORK_SERVERS_PER_TASK):
            server = await self._server(key, store, bundle)
            try:
                return await server.fork()
            except OSError as error:
                raise NotForkable(f"the system cannot start a process: {error}", lasting=False) from error
            except ProcessEnded as ended:
                self._remove(key, server)
                if ended.end.code:  # a signal has a reason outside the module, such as a lack of memory
                    refusal = NotForkable(f"after its import, the process ends when it is forked, with {ended.end}")
                    self.refuse(key, refusal.reason)
                    raise refusal from ended
                _log.warning("the process that forks the tasks of the module '%s' ended, with %s", key.module, ended.end)
        raise NotForkable("its fork servers ended", lasting=False)

    def refuse(self, key: PoolKey, reason: str) -> None:
        """Never fork tasks of ``key`` again; the log of the worker has the reason."""
        if key not in self._refused:
            _log.warning("tasks of the module '%s' get fresh processes, which import it again: %s", key.module, reason)
        self._refused[key] = reason
        if len(self._refused) > _REMEMBERED:
            del self._refused[next(iter(self._refused))]

    async def warm_up(self, environment: Mapping[str, str]) -> None:
        """Start a fork server before the first task, for any module.

        Raises:
            SystemFailure: no process could be started.
            NotForkable: processes cannot be forked on this system.
        """
        variables = tuple(sorted(environment.items()))
        self._unused.append((variables, await self._start(variables)))

    # --------------------------------------------------------------------------------------- start

    async def _server(self, key: PoolKey, store: str, bundle: Path | None) -> ForkServer:
        """Return the fork server of ``key``, which several tasks may wait for."""
        starting = self._servers.pop(key, None)
        if starting is not None and starting.done():
            server = _started(starting)
            if server is None or not server.is_usable:
                starting = None
                self._retire(server)
        self._make_room()
        if starting is None:
            starting = asyncio.create_task(self._loaded(key, store, bundle))
            starting.add_done_callback(retrieve_exception)
        self._servers[key] = starting
        try:
            return await asyncio.shield(starting)
        except NotForkable as refusal:
            if refusal.lasting:
                self.refuse(key, refusal.reason)
            raise

    async def _loaded(self, key: PoolKey, store: str, bundle: Path | None) -> ForkServer:
        server = self._take_unused(key) or await self._start(key.environment)
        seconds = self._options.start_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await server.load(key.preparation(store, bundle, server.work))
        except asyncio.CancelledError:
            self._retire(server, 0)
            raise
        except TimeoutError as late:
            self._retire(server, 0)
            raise NotForkable(f"importing it takes longer than {seconds:g} s") from late
        except ProcessEnded as ended:
            self._retire(server)
            raise NotForkable(f"importing it ended the process, with {ended.end}", lasting=False) from ended
        except BaseException:
            self._retire(server)
            raise
        return server

    def _take_unused(self, key: PoolKey) -> ForkServer | None:
        for environment, server in self._unused:
            if environment == key.environment:
                self._unused.remove((environment, server))
                if server.is_usable:
                    return server
                self._retire(server)
                return None
        return None

    async def _start(self, environment: tuple[tuple[str, str], ...]) -> ForkServer:
        try:
            server = await ForkServer.start(dict(environment), self._new_marker, self._folder)
        except OSError as error:
            raise no_process(f"the system cannot start a process: {error}") from error
        self._register(server.pid)
        try:
            await until_ready(server, self._options.start_timeout_seconds)
        except BaseException:
            self._retire(server)
            raise
        return server

    # --------------------------------------------------------------------------------------- end

    def _make_room(self) -> None:
        """End the fork servers that were not used for the longest time, so that one more is within the limit."""
        for key, starting in list(self._servers.items()):
            if len(self._servers) < self._options.fork_servers:
                return
            if not starting.done():
                continue
            server = _started(starting)
            if server is None or server.is_idle:
                del self._servers[key]
                self._retire(server)

    def _remove(self, key: PoolKey, server: ForkServer) -> None:
        starting = self._servers.get(key)
        if starting is not None and starting.done() and _started(starting) is server:
            del self._servers[key]
            self._retire(server)

    def _retire(self, server: ForkServer | None, grace_seconds: float = _LEAVE_SECONDS) -> None:
        if server is not None:
            task = asyncio.create_task(self._until_gone(server, grace_seconds))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _until_gone(self, server: ForkServer, grace_seconds: float) -> None:
        try:
            await server.leave(grace_seconds)
        finally:
            self._unregister(server.pid)

    async def close(self) -> None:
        """End every fork server. No task may be running."""
        for _, unused in self._unused:
            self._retire(unused)
        self._unused.clear()
        for starting in list(self._servers.values()):
            starting.cancel()  # an import may take a minute; no effect on a fork server that was started
            await asyncio.wait([starting])
            self._retire(_started(starting))
        self._servers.clear()
        while self._retiring:
            await asyncio.gather(*self._retiring, return_exceptions=True)


def _started(starting: asyncio.Task[ForkServer]) -> ForkServer | None:
    """Return the fork server whose start has ended; None if the start failed or was cancelled."""
    return None if starting.cancelled() or starting.exception() else starting.result()


async def until_ready(process: TaskProcess | ForkServer, seconds: float) -> None:
    """Wait until a process that was started is ready, for a number of seconds.

    Raises:
        SystemFailure: the process ended, or was not ready in time.
        NotForkable: the process is a fork server, and processes cannot be forked on this system.
    """
    try:
        async with asyncio.timeout(seconds):
            await process.ready()
    except ProcessEnded as ended:
        text = f"a task's process ended while it started, with {ended.end}"
        raise no_process(f"{text}\n{ended.end.output}" if ended.end.output else text) from ended
    except TimeoutError as late:
        raise no_process(f"a task's process was not ready after {seconds:g} s") from late


def no_process(message: str) -> SystemFailure:
    """Return the error for a process that could not be started."""
    return SystemFailure(TaskError.of("ProcessNotStarted", message))
