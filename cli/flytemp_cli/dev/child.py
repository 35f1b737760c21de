"""Worker process of `flytemp dev`, restarted when it ends unexpectedly."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from flytemp_worker.devserver import answers_http, spawn_tethered

_FIRST_DELAY = 0.5
_MAX_DELAY = 10.0
_HEALTHY_SECONDS = 30.0  # after this time the start counts as successful and the pause is reset


class WorkerChild:
    """One worker process: start, supervision and stop.

    Args:
        arguments: arguments of ``flytemp worker``.
        folder: the working directory, which is the project's folder.
        log: the log file; None for this process's stderr.
        metrics_address: the address that serves the worker's readiness.
        report: called with a message when the worker ends unexpectedly and when it is restarted.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        log: Path | None,
        metrics_address: str,
        report: Callable[[str], None],
    ) -> None:
        self._arguments = list(arguments)
        self._folder = folder
        self._log = log
        self._metrics_address = metrics_address
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restart_delay = _FIRST_DELAY
        self._restart_at: float | None = None

    def start(self) -> None:
        """Start the worker; `is_ready` becomes True when it polls."""
        command = [sys.executable, "-m", "flytemp_cli", "worker", *self._arguments]
        if self._log is None:
            self._process = spawn_tethered(command, cwd=self._folder, stdin=subprocess.DEVNULL)
        else:
            with self._log.open("ab") as log:
                self._process = spawn_tethered(command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._started_at = time.monotonic()
        self._restart_at = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def is_ready(self) -> bool:
        """Return whether the worker polls its task queue."""
        host, _, port = self._metrics_address.rpartition(":")
        return answers_http(host, int(port), "/readyz")

    def restart_if_ended(self) -> None:
        """Restart the worker if it has ended, after a delay that grows with failed starts. Must be called periodically."""
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self.start()
                self._report(f"worker restarted (pid {self.pid})")
            return
        if not self.has_ended:
            return
        assert self._process is not None
        self._restart_delay = _FIRST_DELAY if now - self._started_at > _HEALTHY_SECONDS else self._restart_delay
        self._report(
            f"worker ended ({ending_text(self._process.returncode)}), restarting in {self._restart_delay:g} s{self._log_hint()}"
        )
        self._restart_at = now + self._restart_delay
        self._restart_delay = min(self._restart_delay * 2, _MAX_DELAY)

    def stop(self, timeout_seconds: float) -> None:
        """Send TERM, which drains the worker, and KILL after ``timeout_seconds``."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self._report(f"worker did not drain within {timeout_seconds:g} s and is killed")
                self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log_tail(self) -> list[str]:
        """Return the last lines of the log."""
        return [] if self._log is None else self._log.read_text(errors="replace").rstrip().splitlines()[-8:]

    def _log_hint(self) -> str:
        return "" if self._log is None else f"; its log is {self._log}"


def ending_text(code: int) -> str:
    """Return a description of a process's return code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
