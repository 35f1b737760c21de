"""A real installation for tests: Temporal's dev server, a store on disk, and worker processes.

The worker is started as users start it: `flytemp worker` in a process of its own, configured by ``FLYTEMP_*`` and
``TEMPORAL_*`` variables.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from flytemp.client import Client
from flytemp.config import Settings, load_settings
from flytemp_worker.devserver import DevServer, start_dev_server

T = TypeVar("T")

DEADLINE_SECONDS = 120.0
"""Seconds to wait for an event that must happen. Only a fault makes a test wait this long."""


def eventually(condition: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """Return the first true value of ``condition``; fail the test when there is none within ``seconds``."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"never happened: {what}"
        signal.sigtimedwait([], 0.02)
    return value


class Installation:
    """One server, one store, one task queue; any number of workers."""

    def __init__(self, folder: Path, server: DevServer) -> None:
        self.folder = folder
        self.server = server
        self.store = folder / "store"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.variables: Mapping[str, str] = {}  # of every process, beside those that point here

    @classmethod
    def start(cls, folder: Path) -> Installation:
        folder.mkdir(parents=True, exist_ok=True)
        server = start_dev_server(db=folder / "temporal.db", port=0, ui_port=None, log=folder / "temporal.log")
        return cls(folder, server)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables that connect a flytemp process to this installation."""
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("FLYTEMP_", "TEMPORAL_"))}
        return {
            **plain,
            "TEMPORAL_ADDRESS": self.server.address,
            "TEMPORAL_NAMESPACE": "default",
            "FLYTEMP_STORE": str(self.store),
            "FLYTEMP_TASK_QUEUE": "flytemp",
            "FLYTEMP_WORKER_SLOTS": "2",
            "FLYTEMP_WORKER_HEARTBEAT_SECONDS": "2",
            "FLYTEMP_WORKER_GRACE_SECONDS": "2",
            "FLYTEMP_WORKER_METRICS_ADDRESS": "127.0.0.1:0",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            **self.variables,
            **(extra or {}),
        }

    def settings(self, extra: Mapping[str, str] | None = None) -> Settings:
        return load_settings(self.folder, environ=self.environment(extra))

    def start_worker(self, extra: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker process. It is ready once it polls; a launch waits for that."""
        log = (self.folder / f"worker-{len(self.workers)}.log").open("wb")
        worker = subprocess.Popen(
            [sys.executable, "-m", "flytemp_cli", "worker"],
            cwd=self.folder,
            env=self.environment(extra),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        self.workers.append(worker)
        return worker

    def worker_logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("worker-*.log")))

    def flytemp(self, *arguments: str, cwd: Path | None = None, check: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a flytemp command here. ``check`` is the expected exit code; None accepts any."""
        done = subprocess.run(
            [sys.executable, "-m", "flytemp_cli", *arguments],
            cwd=cwd or self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        if check is not None:
            assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.worker_logs()[-4000:]}"
        return done

    def start_with(self, program: str) -> None:
        """Set up the server, start a worker, and register a program with this source text as version ``v1``."""
        file = self.folder / "program.py"
        file.write_text(textwrap.dedent(program))
        self.flytemp("setup")
        self.start_worker()
        self.flytemp("register", str(file), "--version", "v1")

    async def client(self) -> Client:
        return await Client.connect(self.settings())

    def stop(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.terminate()
        for worker in self.workers:
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self.server.stop()


def marked_processes(text: str) -> list[int]:
    """Return the ids of processes whose command line, environment or working directory contains ``text``.

    A worker erases its environment.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            known = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes() + os.readlink(entry / "cwd").encode()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if text.encode() in known and state != "Z":
            found.append(int(entry.name))
    return found
