"""The worker of `flytemp dev`: a child process that is started again when it ends by itself."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from flytemp_worker.devserver import spawn_tethered

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_HEALTHY_SECONDS = 30.0  # a worker that lived so long was no failed start: the next pause is short again


class WorkerChild:
    """Start, watch and stop one worker.

    Args:
        arguments: of ``flytemp worker``.
        folder: where it runs: the project's.
        log: the file its messages go to, None for this process's stderr.
        metrics_address: where it says whether it is ready.
        tell: called with a line when it ended by itself and when it is started again.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        log: Path | None,
        metrics_address: str,
        tell: Callable[[str], None],
    ) -> None:
        self._arguments = list(arguments)
        self._folder = folder
        self._log = log
        self._metrics_address = metrics_address
        self._tell = tell
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause = _FIRST_PAUSE
        self._start_again_at: float | None = None

    def start(self) -> None:
        """Start it; `is_ready` says when it serves."""
        command = [sys.executable, "-m", "flytemp_cli", "worker", *self._arguments]
        if self._log is None:
            self._process = spawn_tethered(command, cwd=self._folder, stdin=subprocess.DEVNULL)
        else:
            with self._log.open("ab") as log:
                self._process = spawn_tethered(command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._started_at = time.monotonic()
        self._start_again_at = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def is_ready(self) -> bool:
        """Whether it says that it polls its task queue."""
        host, _, port = self._metrics_address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def look_after(self) -> None:
        """Called again and again: notices an end, and starts it again after a pause that grows with failed starts."""
        now = time.monotonic()
        if self._start_again_at is not None:
            if now >= self._start_again_at:
                self.start()
                self._tell(f"worker started again (pid {self.pid})")
            return
        if not self.has_ended:
            return
        assert self._process is not None
        self._pause = _FIRST_PAUSE if now - self._started_at > _HEALTHY_SECONDS else self._pause
        self._tell(
            f"worker ended ({ending_text(self._process.returncode)}), starting it again in {self._pause:g} s{self._where()}"
        )
        self._start_again_at = now + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    def stop(self, patience: float) -> None:
        """TERM, which drains it, at most ``patience`` seconds, then KILL."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._tell(f"worker did not drain within {patience:g} s and is killed")
                self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> list[str]:
        """The end of its log."""
        return [] if self._log is None else self._log.read_text(errors="replace").rstrip().splitlines()[-8:]

    def _where(self) -> str:
        return "" if self._log is None else f"; its log is {self._log}"


def ending_text(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
