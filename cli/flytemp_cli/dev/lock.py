"""File lock that allows one `flytemp dev` per project. The kernel releases it when the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from flytemp.errors import AlreadyExists


class ProjectLock:
    """Lock held from `acquire` to `release`. The file contains the holder's pid."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "dev.lock"
        self._descriptor: int | None = None

    def acquire(self) -> Self:
        """Take the lock.

        Raises:
            AlreadyExists: another process holds the lock.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise AlreadyExists(
                f"flytemp dev is already running in this project{f' (pid {holder})' if holder else ''}",
                hint="other commands find it automatically; stop it with Ctrl-C in its terminal",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)  # closing releases the lock
            self._descriptor = None
