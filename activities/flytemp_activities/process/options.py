"""What an operator sets for the process backend."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def default_state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """``$XDG_CACHE_HOME/flytemp``, else ``~/.cache/flytemp``."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "flytemp"


def new_worker_id() -> str:
    """A readable name for this process as a worker: host and pid."""
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """Settings of `ProcessBackend`.

    * ``slots``: processes at a time, idle ones included. ``warm`` of them are started before the first task.
    * ``grace_seconds``: from TERM to KILL. ``recycle_after``: tasks per process.
    * ``pass_environment``: names of the worker's variables that every task gets, beside the harmless ones that it
      always gets (`flytemp_activities.process.environment`). A store or raw-data prefix in a cloud needs its
      credentials named here (for S3 for instance ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``,
      ``AWS_ENDPOINT_URL``), because the task's process reads and writes it; a store of files needs none.
    * ``state_dir``: unpacked code bundles are kept below it.
    * ``log_limit_bytes``: of one try's output; the rest is not kept.
    """

    slots: int = field(default_factory=lambda: os.cpu_count() or 1)
    warm: int = 1
    grace_seconds: float = 10.0
    recycle_after: int = 100
    pass_environment: tuple[str, ...] = ()
    state_dir: Path = field(default_factory=default_state_dir)
    scratch_folder: Path | None = None  # None: the machine's folder for temporary files
    log_limit_bytes: int = 16 * 2**20
    log_chunk_bytes: int = 256 * 2**10
    log_interval_seconds: float = 1.0
    start_timeout_seconds: float = 60.0  # from starting a process until it is ready for a task

    def __post_init__(self) -> None:
        if self.slots < 1 or self.recycle_after < 1:
            from flytemp.errors import ConfigError

            raise ConfigError("the process backend needs at least 1 slot and 1 task per process")

    @property
    def bundles(self) -> Path:
        """Where code bundles are unpacked, once for all tasks."""
        return self.state_dir / "bundles"
