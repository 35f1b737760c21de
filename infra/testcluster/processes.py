"""Detached processes that other processes find by pid and start time.

A pid alone is not sufficient, because the system reuses pids. So a record also contains the start time
(`/proc/<pid>/stat`) and the boot id, and only a process that matches all three receives signals.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.testcluster.errors import ClusterError
from infra.testcluster.machine import PATH

# Kept until this process ends, because collecting a Popen of a running process causes a warning.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Identity:
    """Identity of a process: pid, start time and boot."""

    pid: int
    started: int  # in clock ticks since the boot
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Return the identity of a running process; None if it does not exist or is a zombie."""
        try:
            # The name, in parentheses, may hold spaces and parentheses itself.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        if fields[0] in "ZX":
            return None
        return cls(pid, int(fields[19]), _boot())

    @property
    def alive(self) -> bool:
        """Return whether this process runs."""
        return Identity.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if this process still runs."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait until the process has ended, and return whether it has."""
        until = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
            _reap()
        return True

    def end(self, patience: float = 10) -> None:
        """Send TERM, and KILL after `patience` seconds (0: KILL at once)."""
        if patience:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)  # a suspended process does not receive TERM
            if self.wait(patience):
                return
        self.signal(signal.SIGKILL)
        if not self.wait(10):
            raise ClusterError(f"process {self.pid} does not end, even by KILL")


class Processes:
    """Processes of one folder, each with a record and a log named by its part."""

    def __init__(self, folder: Path) -> None:
        self.records = folder / "processes"
        self.logs = folder / "logs"

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Identity:
        """Start a detached part with a minimal environment, without proxies and credentials of the caller."""
        self.records.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": PATH, "HOME": str(self.records.parent), **(environment or {})},
                cwd=self.records.parent,
                start_new_session=True,
            )
        _started.append(process)
        identity = Identity.of(process.pid)
        if identity is None:
            raise ClusterError(self.explain(name, "ended at once"))
        record = self.records / f"{name}.json"
        temporary = record.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(identity)))
        temporary.rename(record)
        return identity

    def find(self, name: str) -> Identity | None:
        """Return the process of a part if it runs."""
        try:
            identity = Identity(**json.loads((self.records / f"{name}.json").read_text()))
        except FileNotFoundError:
            return None
        return identity if identity.alive else None

    def names(self) -> list[str]:
        """Return all started parts, running or not."""
        return sorted(path.stem for path in self.records.glob("*.json"))

    def end(self, name: str, patience: float = 10) -> None:
        """Stop a part if it runs."""
        identity = self.find(name)
        if identity is not None:
            identity.end(patience)
        (self.records / f"{name}.json").unlink(missing_ok=True)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a part. Raise ClusterError if it does not run."""
        identity = self.find(name)
        if identity is None:
            raise ClusterError(f"{name} does not run")
        identity.signal(number)

    def log(self, name: str) -> Path:
        """Return the path of a part's log."""
        return self.logs / f"{name}.log"

    def explain(self, name: str, what: str) -> str:
        """Return an error message with the end of the part's log."""
        log = self.log(name)
        end = log.read_text(errors="replace")[-1500:].strip() if log.exists() else ""
        return f"{name} {what}; the end of {log}:\n{end}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _reap() -> None:
    """Reap ended child processes."""
    for process in list(_started):
        if process.poll() is not None:
            _started.remove(process)
