"""The guard of a worker as a child process: its start, its messages, and its replacement if it has ended."""

from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
from pathlib import Path

from flytemp_activities.process import guard

_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

_log = logging.getLogger(__name__)


def library_paths() -> dict[str, str]:
    """Return the part of this process's environment that a Python executable may need to start."""
    return {name: os.environ[name] for name in _LIBRARY_PATHS if name in os.environ}


class GuardProcess:
    """Guard of this process. It gets no variable of this process's environment.

    Args:
        token: prefix of the markers of the worker's processes.
        folder: folder that the guard removes after the end of the worker.
    """

    def __init__(self, token: str, folder: Path) -> None:
        self._command = [sys.executable, "-I", "-S", guard.__file__, token, str(folder), str(os.getpid())]
        self._groups: set[int] = set()
        self._deadline = math.inf
        self._popen = self._start()

    @property
    def pid(self) -> int:
        """Pid of the guard."""
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """True if the guard has not ended."""
        return self._popen.poll() is None

    def _start(self) -> subprocess.Popen[bytes]:
        popen = subprocess.Popen(self._command, stdin=subprocess.PIPE, cwd="/", env=library_paths(), start_new_session=True)
        assert popen.stdin is not None
        os.set_blocking(popen.stdin.fileno(), False)  # a guard that is stopped must not stop the worker
        return popen

    def register(self, group: int) -> None:
        """Add a process group, before code of a user runs in it."""
        self._groups.add(group)
        self._send(f"+{group}\n")

    def unregister(self, group: int) -> None:
        """Remove a process group that has ended."""
        self._groups.discard(group)
        self._send(f"-{group}\n")

    def kill_at(self, deadline: float) -> None:
        """Set the time of `guard.now` at which the guard kills all processes. It replaces the previous time.

        A guard that has ended is replaced.
        """
        self._deadline = deadline
        self._send(f"={deadline}\n")

    def _send(self, lines: str) -> None:
        if not self._write(lines):
            self._replace()

    def _write(self, lines: str) -> bool:
        assert self._popen.stdin is not None
        data = lines.encode()
        try:
            return os.write(self._popen.stdin.fileno(), data) == len(data)
        except (BrokenPipeError, BlockingIOError):
            return False

    def _replace(self) -> None:
        self._popen.kill()
        _log.error("the guard of the tasks' processes has ended (%s); a new guard is started", self._popen.wait())
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen = self._start()
        self._write("".join(f"+{group}\n" for group in sorted(self._groups)) + f"={self._deadline}\n")

    def close(self) -> None:
        """End the guard and remove the folder. This call blocks."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait()
