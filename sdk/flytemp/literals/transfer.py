"""Transfer of files between this machine and the store during the conversion of values."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable
from urllib.parse import urlsplit

from flytemp.context_value import ContextValue
from flytemp.errors import InputError
from flytemp.store.keys import protocol_of

_current: ContextVar[FileTransfer | None] = ContextVar("flytemp_file_transfer", default=None)
_call_directory: ContextVar[CallDirectory | None] = ContextVar("flytemp_call_directory", default=None)
_inline: ContextVar[bool] = ContextVar("flytemp_inline_values", default=False)


@runtime_checkable
class FileTransfer(Protocol):
    """The targets of uploads and downloads. `flytemp.store.raw` moves the bytes."""

    @property
    def working_directory(self) -> Path:
        """Directory of the running task only."""
        ...

    @property
    def data_directory(self) -> Path:
        """Directory of inputs and of files that converters write. It is not inside `working_directory`."""
        ...

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        """Copy a local file to ``target``, by default to a fresh URI, and return the URI."""
        ...

    def upload_directory(self, local: str, target: str | None = None) -> str:
        """Copy a local directory to ``target``, by default to a fresh URI, and return the URI."""
        ...

    def fresh_uri(self, name: str) -> str:
        """Return a URI in the store whose last part is ``name``, and that no other value uses."""
        ...

    def download_path(self, uri: str) -> str:
        """Return a fresh local path for the file at ``uri``, with the same last part. Nothing is created."""
        ...


@dataclass(frozen=True)
class RawDataTransfer:
    """Transfer with uploads to ``<raw_data_prefix>/<random>/<name>`` and downloads to a directory next to ``working_directory``.

    A task that returns its working directory does not return its inputs with it. ``name`` is the last part of the local path. A
    relative local path is relative to the directory of the process.
    """

    raw_data_prefix: str
    working_directory: Path
    own_folder: ClassVar[bool] = False  # whether targets may be in the store's own folders

    @property
    def data_directory(self) -> Path:
        return self.working_directory.with_name(f"{self.working_directory.name}-inputs")

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        """Upload a file, see `FileTransfer`.

        Raises:
            NotFound: the file does not exist.
            InputError: the path is not a file, or the target is in one of the store's own folders.
            StoreError: the store refuses the file.
        """
        from flytemp.store import raw

        uri = target or self.fresh_uri(last_part(local))
        raw.upload_file(local, uri, own_folder=self.own_folder)
        return uri

    def upload_directory(self, local: str, target: str | None = None) -> str:
        """Upload a directory, see `FileTransfer`; raises as `upload_file`."""
        from flytemp.store import raw

        uri = target or self.fresh_uri(last_part(os.path.abspath(local)))
        raw.upload_directory(local, uri, own_folder=self.own_folder)
        return uri

    def fresh_uri(self, name: str) -> str:
        return f"{self.raw_data_prefix.rstrip('/')}/{secrets.token_hex(10)}/{name}"

    def download_path(self, uri: str) -> str:
        return _download_path(self.data_directory, uri)


class LocalFiles:
    """Transfer of plain Python calls: a file stays where it is unless the value has a target."""

    @property
    def working_directory(self) -> Path:
        return working_directory()

    @property
    def data_directory(self) -> Path:
        return _temporary_directory() / "inputs"

    def upload_file(self, local: str, format: str = "", target: str | None = None) -> str:  # noqa: A002
        """Copy a file to ``target`` if it is given; raises as `RawDataTransfer.upload_file`."""
        from flytemp.store import raw

        if target is None:
            return local
        raw.upload_file(local, target)
        return target

    def upload_directory(self, local: str, target: str | None = None) -> str:
        """Copy a directory to ``target`` if it is given; raises as `RawDataTransfer.upload_file`."""
        from flytemp.store import raw

        if target is None:
            return local
        raw.upload_directory(local, target)
        return target

    def fresh_uri(self, name: str) -> str:
        path = Path(_download_path(self.data_directory, name))
        path.parent.mkdir(parents=True)
        return str(path)

    def download_path(self, uri: str) -> str:
        return download_path_for(uri)


LOCAL_FILES = LocalFiles()


class CallDirectory:
    """Working directory of one task in a plain Python call, which is created when it is first used."""

    @cached_property
    def path(self) -> Path:
        return Path(tempfile.mkdtemp(dir=_temporary_directory()))


def own_working_directory() -> ContextValue[CallDirectory | None]:
    """Return the context in which the task of a plain Python call has a working directory of its own."""
    return ContextValue(_call_directory, CallDirectory())


def use_transfer(files: FileTransfer | None) -> ContextValue[FileTransfer | None]:
    """Return the context in which `FlyteFile` uses a transfer. The runtime calls a task inside such a context."""
    return ContextValue(_current, files)


def current_transfer() -> FileTransfer | None:
    """Return the transfer of the running task, or None outside of tasks."""
    return _current.get()


def inline_values() -> ContextValue[bool]:
    """Return the context in which encoded values of any size are inside their literals, as a document requires."""
    return ContextValue(_inline, True)


def are_values_inline() -> bool:
    """Return True in the context of `inline_values`."""
    return _inline.get()


def new_local_path(name: str) -> str:
    """Return a path for a new file or directory of the running task. The parent directory exists.

    Raises:
        InputError: the name is an absolute path.
    """
    if os.path.isabs(name):
        raise InputError(
            f"the path of a new file or directory must be relative, not {name!r}",
            hint="it is relative to the task's working directory; for another path use FlyteFile(path)",
        )
    path = working_directory() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def download_path_for(uri: str) -> str:
    """Return the local path for a download of ``uri``, outside of tasks in a temporary directory."""
    files = current_transfer()
    return files.download_path(uri) if files is not None else _download_path(_temporary_directory() / "inputs", uri)


def new_random_path(name: str) -> str:
    """Return a path as `new_local_path` does, in a directory with a random name."""
    return new_local_path(os.path.join(random_name(), name))


def new_remote_location(name: str | None, bucket: str | None) -> str:
    """Return a fresh URI in the run's raw data, or outside of tasks a path in a temporary directory.

    Args:
        name: the last part, by default "data".
        bucket: the bucket to use instead of that of the raw data.

    Raises:
        InputError: the name is not a file name.
    """
    files = current_transfer()
    last = _check_file_name(name or "data")
    return new_random_path(last) if files is None else _in_bucket(files.fresh_uri(last), bucket)


def _check_file_name(name: str) -> str:
    """Return ``name`` if it is a file name without a path.

    Raises:
        InputError: the name is not a file name.
    """
    if name != last_part(name):
        raise InputError(f"{name!r} is not a file name", hint="use a name without '/', such as 'data.csv'")
    return name


def _in_bucket(uri: str, bucket: str | None) -> str:
    """Return a URI of a bucket with another bucket; paths, and URIs of files, stay as they are."""
    protocol = protocol_of(uri)
    if bucket is None or protocol in (None, "file", "local"):
        return uri
    _, _, key = uri.removeprefix(f"{protocol}://").partition("/")
    return f"{protocol}://{bucket}/{key}"


def random_name() -> str:
    """Return a random name."""
    return secrets.token_hex(8)


def last_part(path_or_uri: str) -> str:
    """Return the last part of a path or URI as a file name, or "data" if there is none."""
    text = path_or_uri
    if protocol_of(text) in ("http", "https"):
        text = urlsplit(text).path
    name = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return name if name not in ("", ".", "..") and not name.endswith(":") else "data"


def _download_path(directory: Path, uri: str) -> str:
    return str(directory / random_name() / last_part(uri))


def working_directory() -> Path:
    """Return the working directory of the running task, or a temporary directory of this process outside of tasks."""
    files, call = current_transfer(), _call_directory.get()
    if files is not None:
        return files.working_directory
    return call.path if call is not None else _temporary_directory()


@cache
def _temporary_directory() -> Path:
    """Return a directory of this process. It is not removed, because a script may print a path in it."""
    return Path(tempfile.mkdtemp(prefix="flytemp-"))
