"""Processes of `flytemp dev`: starts and prepares Temporal, starts the worker, supervises and stops both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from flytemp.config import dev_state
from flytemp.config.dev_state import DevState
from flytemp.errors import FlytempError, TemporalUnavailable
from flytemp_cli.dev.child import WorkerChild
from flytemp_cli.dev.lock import ProjectLock
from flytemp_worker.devserver import (
    DEFAULT_PORT,
    DEFAULT_UI_PORT,
    NAMESPACE,
    DevServer,
    free_ports,
    port_is_free,
    start_dev_server,
)

if TYPE_CHECKING:
    from flytemp.client.setup import SetupStep
    from flytemp.config import Settings

_POLL_SECONDS = 0.25
_READY_SECONDS = 60.0
_STOP_MARGIN = 10.0  # added to the worker's own drain and grace times


@dataclass(frozen=True, slots=True)
class DevOptions:
    """Options of `flytemp dev`. A port of None means the default port, or a free one if the default is in use."""

    ephemeral: bool = False
    port: int | None = None
    ui_port: int | None = None
    ui: bool = True
    slots: int | None = None
    verbose: bool = False


class DevStack:
    """All processes of `flytemp dev` in one project.

    Args:
        settings: the project's settings.
        options: the options of the command.
        report: called with each message for the user.
    """

    def __init__(self, settings: Settings, options: DevOptions, report: Callable[[str], None]) -> None:
        self._settings = settings
        self._options = options
        self._report = report
        self._state = settings.state_dir
        self._logs = self._state / "logs"
        self._stop = threading.Event()
        self._stop_requests = 0
        self._server: DevServer | None = None
        self._worker: WorkerChild | None = None

    def run(self, show: Callable[[DevState], None]) -> int:
        """Run until TERM, INT or HUP and return the exit code; call ``show`` when everything is ready.

        Raises:
            AlreadyExists: another `flytemp dev` runs in this project.
            ConfigError, TemporalUnavailable, StoreError: the start failed.
        """
        self._state.mkdir(parents=True, exist_ok=True)
        _write_gitignore(self._state)
        with contextlib.ExitStack() as stack:
            lock = ProjectLock(self._state).acquire()
            stack.callback(lock.release)
            stack.enter_context(_handling_signals(self._on_signal))
            self._logs.mkdir(exist_ok=True)
            state = self._start(stack)
            if not self._stop.is_set():
                show(state)
            return self._watch()

    # ---------------------------------------------------------------------------------------- start

    def _start(self, stack: contextlib.ExitStack) -> DevState:
        store = self._store(stack)
        metrics_address = self._metrics_address()
        stack.callback(dev_state.remove, self._settings.project_dir, os.getpid())

        def announce(server: DevServer) -> None:
            # Written before the server answers: until then, no other command can use its address with another store.
            starting = replace(self._dev_state(server, store, metrics_address), is_starting=True)
            dev_state.write(self._settings.project_dir, starting)

        server = self._server = self._start_server(stack, announce)
        state = self._dev_state(server, store, metrics_address)
        self._prepare(state)
        # Written before the worker starts, because the worker reads this file too.
        dev_state.write(self._settings.project_dir, state)
        self._start_worker(stack, state, metrics_address)
        return state

    def _dev_state(self, server: DevServer, store: str, metrics_address: str) -> DevState:
        return DevState(
            pid=os.getpid(),
            address=server.address,
            namespace=NAMESPACE,
            store=store,
            task_queue=self._settings.task_queue,
            ui_url=server.ui_url,
            metrics_url=f"http://{metrics_address}/metrics",
        )

    def _store(self, stack: contextlib.ExitStack) -> str:
        """Return the configured store; with --ephemeral and no configured store, a temporary folder."""
        if not self._options.ephemeral or self._settings.origins.get("store", "default") != "default":
            return self._settings.store
        folder = Path(tempfile.mkdtemp(prefix="ephemeral-", dir=self._state))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return f"file://{folder}"

    def _start_server(self, stack: contextlib.ExitStack, announce: Callable[[DevServer], None]) -> DevServer:
        options = self._options
        ui_port = _port(options.ui_port, DEFAULT_UI_PORT) if options.ui else None
        log = self._logs / "temporal.log"
        log.write_bytes(b"")
        server = start_dev_server(
            db=None if options.ephemeral else self._state / "temporal.db",
            port=_port(options.port, DEFAULT_PORT),
            ui_port=ui_port,
            log=log,
            announce=announce,
        )
        stack.callback(server.stop)
        return server

    def _prepare(self, state: DevState) -> None:
        failed = [step for step in asyncio.run(_setup(self._settings_for(state))) if step.outcome == "failed"]
        if failed:
            details = "; ".join(f"{step.subject}: {step.detail}" for step in failed)
            raise TemporalUnavailable(f"cannot prepare the Temporal server: {details}")

    def _settings_for(self, state: DevState) -> Settings:
        """Return the settings with this server's address; the project's profile and address are ignored."""
        return replace(
            self._settings, address=state.address, namespace=state.namespace, store=state.store, profile=None, dev=state
        )

    def _start_worker(self, stack: contextlib.ExitStack, state: DevState, metrics_address: str) -> None:
        arguments = ["--metrics-address", metrics_address, "--task-queue", state.task_queue, "--store", state.store]
        arguments += ["--address", state.address, "--namespace", state.namespace]
        if self._options.slots is not None:
            arguments += ["--slots", str(self._options.slots)]
        log = None if self._options.verbose else self._logs / "worker.log"
        if log is not None:
            log.write_bytes(b"")
        worker = self._worker = WorkerChild(
            arguments, folder=self._settings.project_dir, log=log, metrics_address=metrics_address, report=self._report
        )
        worker.start()
        stack.callback(self._stop_worker)
        self._await_worker(worker)

    def _await_worker(self, worker: WorkerChild) -> None:
        """Wait until the worker polls.

        Raises:
            _WorkerFailed: the worker ended during its start. It is not restarted, because it would fail again.
        """
        for _ in range(int(_READY_SECONDS / _POLL_SECONDS)):
            if worker.is_ready():
                return
            if worker.has_ended:
                raise _WorkerFailed(worker.log_tail())
            if self._stop.wait(_POLL_SECONDS):
                return
        raise _WorkerFailed([f"the worker is not ready after {_READY_SECONDS:.0f} s", *worker.log_tail()])

    def _metrics_address(self) -> str:
        """Return the worker's metrics address: the configured one, or a free port if the default port is in use."""
        wanted = self._settings.worker.metrics_address
        host, _, port = wanted.rpartition(":")
        chosen = self._settings.origins.get("worker.metrics_address", "default") != "default"
        if port not in ("", "0") and (chosen or port_is_free(int(port), host)):
            return wanted
        return f"127.0.0.1:{free_ports(1)[0]}"

    # ---------------------------------------------------------------------------------------- watch

    def _watch(self) -> int:
        assert self._server is not None
        assert self._worker is not None
        while not self._stop.wait(_POLL_SECONDS):
            self._worker.restart_if_ended()
            if not self._server.is_running:
                self._restart_server(self._server)
        return 0

    def _restart_server(self, server: DevServer) -> None:
        if self._options.ephemeral:
            raise TemporalUnavailable(
                "the Temporal server ended and its state is lost, because --ephemeral keeps it in memory",
                hint=f"see its log: {server.log}",
            )
        self._report(f"Temporal server ended, restarting it; its log is {server.log}")
        server.restart()
        self._report(f"Temporal server restarted at {server.address}")

    # ----------------------------------------------------------------------------------------- stop

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requests += 1
        self._stop.set()
        if self._stop_requests > 1 and self._worker is not None:
            # The second signal stops the worker without draining. No work is lost, because another worker continues it.
            self._worker.kill()

    def _stop_worker(self) -> None:
        assert self._worker is not None
        timeout_seconds = self._settings.worker.drain_seconds + self._settings.worker.grace_seconds
        if not self._worker.has_ended:
            self._report(f"stopping (running tasks have {timeout_seconds:g} s to finish; press Ctrl-C again to stop at once)")
        self._worker.stop(timeout_seconds + _STOP_MARGIN)


class _WorkerFailed(FlytempError):
    """Error of a worker that did not start; contains the end of its log."""

    code = "worker-failed"

    def __init__(self, log_tail: list[str]) -> None:
        text = "\n".join(f"  {line}" for line in log_tail) or "  no log output; see the messages above"
        super().__init__(f"the worker did not start:\n{text}")


async def _setup(settings: Settings) -> list[SetupStep]:
    from flytemp.client.client import Client
    from flytemp.client.setup import setup_temporal

    client = await Client.connect(settings)
    try:
        return await setup_temporal(client)
    finally:
        await client.close()


def _port(requested: int | None, default: int) -> int:
    """Return the requested port, or the default, or 0 (any free port) if the default is in use."""
    if requested is not None:
        return requested
    return default if port_is_free(default) else 0


def _write_gitignore(folder: Path) -> None:
    marker = folder / ".gitignore"
    if not marker.exists():
        marker.write_text("*\n")


@contextlib.contextmanager
def _handling_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
