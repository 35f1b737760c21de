"""Processes that outlive the one that started them, and are found again by any other: by pid and time of start.

A pid alone is not enough: after the process has ended, the system gives its number to somebody else. So a record holds
the start time that the kernel knows (`/proc/<pid>/stat`) and the boot it counts from, and only a process that has both is
signalled.
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

# Kept for the life of this process: a Popen that is collected while its process runs warns.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Identity:
    """One process of one boot of this machine."""

    pid: int
    started: int  # in clock ticks since the boot
    boot: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of a process that runs now; None when there is none, or only its remains."""
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
        """Whether this very process runs."""
        return Identity.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, if this very process still runs."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Waits until the process has ended; whether it has."""
        until = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
            _reap()
        return True

    def end(self, patience: float = 10) -> None:
        """TERM, and KILL when that does not help in `patience` seconds (0: KILL at once)."""
        if patience:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)  # a process that was paused gets no TERM
            if self.wait(patience):
                return
        self.signal(signal.SIGKILL)
        if not self.wait(10):
            raise ClusterError(f"process {self.pid} does not end, even by KILL")


class Processes:
    """The processes of one folder: a record and a log each, named by their part."""

    def __init__(self, folder: Path) -> None:
        self.records = folder / "processes"
        self.logs = folder / "logs"

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Identity:
        """Starts a part, detached, with a small environment of its own: no proxy, no credentials of whoever starts it."""
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
        """The process of a part, if it runs."""
        try:
            identity = Identity(**json.loads((self.records / f"{name}.json").read_text()))
        except FileNotFoundError:
            return None
        return identity if identity.alive else None

    def names(self) -> list[str]:
        """Every part that was started here, running or not."""
        return sorted(path.stem for path in self.records.glob("*.json"))

    def end(self, name: str, patience: float = 10) -> None:
        """Ends a part; nothing happens when it does not run."""
        identity = self.find(name)
        if identity is not None:
            identity.end(patience)
        (self.records / f"{name}.json").unlink(missing_ok=True)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to a part. Raises ClusterError when it does not run."""
        identity = self.find(name)
        if identity is None:
            raise ClusterError(f"{name} does not run")
        identity.signal(number)

    def log(self, name: str) -> Path:
        """Where a part writes."""
        return self.logs / f"{name}.log"

    def explain(self, name: str, what: str) -> str:
        """An error's message with the end of the part's log."""
        log = self.log(name)
        end = log.read_text(errors="replace")[-1500:].strip() if log.exists() else ""
        return f"{name} {what}; the end of {log}:\n{end}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _reap() -> None:
    """Takes the exit codes of ended children of this process, so that none stays as a zombie."""
    for process in list(_started):
        if process.poll() is not None:
            _started.remove(process)
