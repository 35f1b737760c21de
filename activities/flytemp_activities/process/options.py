"""Settings of the process backend."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def default_state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return ``$XDG_CACHE_HOME/flytemp``, or ``~/.cache/flytemp``."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "flytemp"


def new_worker_id() -> str:
    """Return a readable name of this process as a worker, from host and pid."""
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """Settings of `ProcessBackend`.

    Attributes:
        slots: maximum number of tasks at once.
        warm: number of fork servers that are started before the first task.
        grace_seconds: seconds between TERM and KILL.
        recycle_after: number of tasks per process, for tasks with ``reuse="process"``.
        fork_servers: maximum number of idle fork servers that are kept. Each has imported one module.
        deadlock_seconds: seconds between two looks at a forked process. It is ended if all its threads wait for locks for ever.
        pass_environment: names of the worker's variables that every task gets, in addition to those in
            `flytemp_activities.process.environment`. The process of a task reads and writes the store: for a store in a cloud,
            name the variables of its credentials, such as ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION`` and
            ``AWS_ENDPOINT_URL``. A store of files needs none.
        state_dir: folder of the unpacked code bundles.
        scratch_folder: parent of the tasks' scratch folders; None: the machine's folder for temporary files.
        log_limit_bytes: maximum length of the output of one try that is kept.
        log_chunk_bytes: length of the output at which a chunk is written.
        log_interval_seconds: seconds after which new output is written.
        start_timeout_seconds: seconds from the start of a process until it must be ready for a task.
        lease_seconds: duration of the worker's lease; see `flytemp_activities.process.leases`. The tasks survive a store that
            does not answer for less than 70 % of it. After the loss of a machine, other workers wait for its end.
    """

    slots: int = field(default_factory=lambda: os.cpu_count() or 1)
    warm: int = 1
    grace_seconds: float = 10.0
    recycle_after: int = 100
    fork_servers: int = 8
    deadlock_seconds: float = 5.0
    pass_environment: tuple[str, ...] = ()
    state_dir: Path = field(default_factory=default_state_dir)
    scratch_folder: Path | None = None
    log_limit_bytes: int = 16 * 2**20
    log_chunk_bytes: int = 256 * 2**10
    log_interval_seconds: float = 1.0
    start_timeout_seconds: float = 60.0
    lease_seconds: float = 90.0

    def __post_init__(self) -> None:
        if self.slots < 1 or self.recycle_after < 1:
            from flytemp.errors import ConfigError

            raise ConfigError("the process backend needs at least 1 slot and 1 task per process")

    @property
    def bundles(self) -> Path:
        """Folder of the unpacked code bundles, which all tasks share."""
        return self.state_dir / "bundles"
