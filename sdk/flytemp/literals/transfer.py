"""Who moves files between this machine and the store while values become literals and back."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from flytemp.errors import InputError
from flytemp.store.keys import protocol_of

_current: ContextVar[FileTransfer | None] = ContextVar("flytemp_file_transfer", default=None)


@runtime_checkable
class FileTransfer(Protocol):
    """Decides where files go and come from. Bytes themselves are moved by `flytemp.store.raw`."""

    @property
    def working_directory(self) -> Path:
        """A directory of the running task alone."""
        ...

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        """Copy a file of this machine to ``target``, else to a fresh place; return its URI."""
        ...

    def upload_directory(self, local: str, target: str | None = None) -> str:
        """Copy a directory of this machine to ``target``, else to a fresh place; return its URI."""
        ...

    def fresh_uri(self, name: str) -> str:
        """A place in the store that nobody else writes to and whose last part is ``name``."""
        ...

    def download_path(self, uri: str) -> str:
        """A fresh path of this machine for what lies at ``uri``, with the same last part. Creates nothing."""
        ...


@dataclass(frozen=True)
class RawDataTransfer:
    """Uploads to ``<raw_data_prefix>/<random>/<name>``; downloads below ``working_directory``.

    ``name`` is the last part of the local path. A relative local path is taken from the process's directory.
    """

    raw_data_prefix: str
    working_directory: Path

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        """See `FileTransfer`.

        Raises:
            NotFound: when there is no such file.
            StoreError: when the store refuses it.
        """
        from flytemp.store import raw

        uri = target or self.fresh_uri(last_part(local))
        raw.upload_file(local, uri)
        return uri

    def upload_directory(self, local: str, target: str | None = None) -> str:
        """See `FileTransfer`; raises as `upload_file` does."""
        from flytemp.store import raw

        uri = target or self.fresh_uri(last_part(os.path.abspath(local)))
        raw.upload_directory(local, uri)
        return uri

    def fresh_uri(self, name: str) -> str:
        return f"{self.raw_data_prefix.rstrip('/')}/{secrets.token_hex(10)}/{name}"

    def download_path(self, uri: str) -> str:
        return _download_path(self.working_directory, uri)


@contextmanager
def use_transfer(files: FileTransfer | None) -> Iterator[None]:
    """Within the block, ``FlyteFile.new`` and its like use ``files``; the runtime wraps a task's call in it."""
    token = _current.set(files)
    try:
        yield
    finally:
        _current.reset(token)


def current_transfer() -> FileTransfer | None:
    """The transfer of the running task; None where plain Python calls plain Python."""
    return _current.get()


def new_local_path(name: str) -> str:
    """A path for a new file or directory of the running task. Its parent exists."""
    path = _directory() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def download_path_for(uri: str) -> str:
    """Where a download of ``uri`` goes, by the running task's transfer or, outside of tasks, a temporary place."""
    files = current_transfer()
    return files.download_path(uri) if files is not None else _download_path(_directory(), uri)


def new_random_path(name: str) -> str:
    """As `new_local_path`, where no other file can have the name."""
    return new_local_path(os.path.join(random_name(), name))


def check_file_name(name: str) -> str:
    """Return ``name`` if it is the name of one file, without a path.

    Raises:
        InputError: otherwise.
    """
    if name != last_part(name):
        raise InputError(f"{name!r} is no file name", hint="give a name without '/', such as 'data.csv'")
    return name


def random_name() -> str:
    """A name that nothing else has."""
    return secrets.token_hex(8)


def last_part(path_or_uri: str) -> str:
    """The name of a file or directory at a path or URI, usable as a file name; "data" where there is none."""
    text = path_or_uri
    if protocol_of(text) in ("http", "https"):
        text = urlsplit(text).path
    name = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return name if name not in ("", ".", "..") and not name.endswith(":") else "data"


def _download_path(directory: Path, uri: str) -> str:
    # A directory apart from what the task writes: an input must not be taken for an output of the same name.
    return str(directory / ".flytemp-inputs" / random_name() / last_part(uri))


def _directory() -> Path:
    files = current_transfer()
    return files.working_directory if files is not None else _temporary_directory()


@cache
def _temporary_directory() -> Path:
    """One directory per process. It stays: a script may print a path in it and end."""
    return Path(tempfile.mkdtemp(prefix="flytemp-"))
