"""Raw data: files and folders of any size, at any URI, as tasks read and write them.

A *remote* text has a protocol (``s3://…``, ``https://…``, also ``file://…``); a text without one is a path of
this machine. ``file://`` URIs are taken as written: nothing in them is percent-decoded. ``http(s)`` is read-only.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from flytemp.errors import InputError, NotFound, NotSupported
from flytemp.store import web
from flytemp.store.error_codes import is_missing_bucket
from flytemp.store.failures import absence, store_error
from flytemp.store.filesystems import file_system
from flytemp.store.keys import TEMPORARY_PREFIX, local_path, protocol_of
from flytemp.store.retries import patiently


@dataclass(frozen=True, slots=True)
class RawEntry:
    """What lies directly in a folder. ``size`` is in bytes, None for a folder."""

    name: str
    uri: str
    is_directory: bool
    size: int | None


def is_remote(path_or_uri: str | os.PathLike[str]) -> bool:
    """Whether the text names a place by protocol, ``file://`` included, rather than a path of this machine."""
    return protocol_of(os.fspath(path_or_uri)) is not None


def join(uri: str, *parts: str) -> str:
    """``uri`` with ``parts`` below it."""
    return "/".join([uri.rstrip("/"), *parts])


def upload_file(local: str | Path, uri: str) -> None:
    """Copy a file of this machine to ``uri``, replacing what is there.

    Raises:
        NotFound: when there is no such file.
        StoreError: when the target refuses.
    """
    source = str(local)
    if not os.path.isfile(source):
        raise _missing_local(source, "file")
    target = local_path(uri)
    if target is not None:
        _copy_file(source, target, uri)
        return
    _refuse_web(uri)
    files, path = file_system(uri)
    try:
        patiently(lambda: files.put_file(source, path))
    except Exception as error:
        raise store_error("upload to", uri, error) from error


def upload_directory(local: str | Path, uri: str) -> None:
    """Copy a folder of this machine, and all below it, to ``uri``; links are followed.

    Buckets know no empty folders: on them an empty folder leaves nothing.

    Raises:
        NotFound: when there is no such folder.
        StoreError: when the target refuses.
    """
    source = str(local)
    if not os.path.isdir(source):
        raise _missing_local(source, "folder")
    target = local_path(uri)
    if target is not None:
        with _reported("upload to", uri):
            os.makedirs(target, exist_ok=True)
    for folder, folders, names in os.walk(source, followlinks=True, onerror=_raise):
        folders.sort()
        relative = os.path.relpath(folder, source)
        below = uri if relative == "." else join(uri, *relative.split(os.sep))
        below_local = local_path(below)
        if below_local is not None:
            with _reported("upload to", below):
                os.makedirs(below_local, exist_ok=True)
        for name in sorted(names):
            upload_file(os.path.join(folder, name), join(below, name))


def download_file(uri: str, local: str | Path) -> None:
    """Copy the file at ``uri`` to a path of this machine, which appears complete or not at all.

    Raises:
        NotFound: when there is no such file.
        StoreError: when the source cannot be read.
    """
    target = str(local)
    source = local_path(uri)
    if source is not None:
        if not os.path.isfile(source):
            raise _missing(uri)
        _copy_file(source, target, uri)
        return
    if web.is_web(uri):
        _replace(target, uri, lambda temporary: web.download(uri, temporary))
        return
    files, path = file_system(uri)

    def fetch(temporary: str) -> None:
        try:
            patiently(lambda: files.get_file(path, temporary))
        except FileNotFoundError as error:
            raise absence("download", uri, error) from error
        except Exception as error:
            raise store_error("download", uri, error) from error

    _replace(target, uri, fetch)


def download_directory(uri: str, local: str | Path) -> None:
    """Copy the folder at ``uri``, and all below it, to a folder of this machine.

    Raises:
        NotFound: when there is nothing at ``uri``.
        InputError: when an object's name would lead out of the folder.
        StoreError: when the source cannot be read.
    """
    target = Path(local)
    entries = list_directory(uri)
    with _reported("download", str(target)):
        target.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        if entry.name in (".", "..") or "/" in entry.name or "\\" in entry.name:
            raise InputError(f"{uri} holds the name {entry.name!r}, which is no file name", hint="rename that object")
        if entry.is_directory:
            download_directory(entry.uri, target / entry.name)
        else:
            download_file(entry.uri, target / entry.name)


def list_directory(uri: str) -> list[RawEntry]:
    """What lies directly in the folder at ``uri``, sorted by name.

    Raises:
        NotFound: when there is no such folder; a bucket knows no empty one.
        InputError: when a folder in it has no name.
        StoreError: when it cannot be read.
    """
    folder = local_path(uri)
    if folder is not None:
        return _list_local(uri, folder)
    if web.is_web(uri):
        raise NotSupported(f"{uri}: a web address cannot be listed", hint="name the files, or use a bucket")
    files, path = file_system(uri)
    try:
        found = patiently(lambda: files.ls(path, detail=True))
    except FileNotFoundError as error:
        raise absence("list", uri, error) from error
    except Exception as error:
        raise store_error("list", uri, error) from error
    below = path.strip("/") + "/"
    entries: dict[str, RawEntry] = {}
    for item in found:
        whole = str(item["name"]).strip("/")
        if not whole.startswith(below):
            # The folder's own marker object; on S3, as a folder, what keys with "//" lie in, which no path can name.
            if item["type"] == "directory" and protocol_of(uri) in ("s3", "s3a"):
                raise InputError(f"{uri} holds a folder without a name", hint="rename the objects whose keys have '//'")
            continue
        name = whole[len(below) :]
        is_directory = item["type"] == "directory"
        entries[name] = RawEntry(name, join(uri, name), is_directory, None if is_directory else int(item["size"] or 0))
    if not entries and found and found[0]["type"] != "directory":
        raise NotFound(f"{uri} is a file, not a folder", hint="FlyteFile is the type of one file")
    return [entries[name] for name in sorted(entries)]


def exists(uri: str) -> bool:
    """Whether there is a file or a folder at ``uri``.

    Raises:
        StoreError: when that cannot be found out.
    """
    path = local_path(uri)
    if path is not None:
        return os.path.exists(path)
    if web.is_web(uri):
        return web.exists(uri)
    files, inside = file_system(uri)
    try:
        patiently(lambda: files.info(inside))
    except FileNotFoundError as error:
        if is_missing_bucket(error):
            raise store_error("look for", uri, error) from error
        return False
    except Exception as error:
        raise store_error("look for", uri, error) from error
    return True


def open_uri(uri: str, mode: str = "rb") -> IO[Any]:
    """A stream of the file at ``uri``: "rb", "r", "wb" or "w". Written data is there once the stream is closed.

    Raises:
        NotFound: when there is no such file to read.
        StoreError: when it cannot be opened.
    """
    path = local_path(uri)
    encoding = None if "b" in mode else "utf-8"
    try:
        if path is not None:
            if "r" not in mode:
                os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            return open(path, mode, encoding=encoding)
        if web.is_web(uri):
            if "r" not in mode:
                _refuse_web(uri)
            return web.open_stream(uri, text=encoding is not None)
        files, inside = file_system(uri)
        stream: IO[Any] = patiently(lambda: files.open(inside, mode))
    except FileNotFoundError as error:
        raise absence("open", uri, error) from error
    except OSError as error:
        raise store_error("open", uri, error) from error
    return stream


def _list_local(uri: str, folder: str) -> list[RawEntry]:
    entries: list[RawEntry] = []
    try:
        with os.scandir(folder) as found:
            for item in found:
                if item.name.startswith(TEMPORARY_PREFIX):
                    continue
                is_directory = item.is_dir()
                size = None if is_directory else item.stat().st_size
                entries.append(RawEntry(item.name, join(uri, item.name), is_directory, size))
    except FileNotFoundError as error:
        raise _missing(uri) from error
    except NotADirectoryError as error:
        raise NotFound(f"{uri} is a file, not a folder", hint="FlyteFile is the type of one file") from error
    except OSError as error:
        raise store_error("list", uri, error) from error
    return sorted(entries, key=lambda entry: entry.name)


def _copy_file(source: str, target: str, uri: str) -> None:
    if os.path.exists(target) and os.path.samefile(source, target):
        return
    _replace(target, uri, lambda temporary: _copy_bytes(source, temporary, uri))


def _copy_bytes(source: str, temporary: str, uri: str) -> None:
    with _reported("copy", uri):
        shutil.copyfile(source, temporary)


def _replace(target: str, uri: str, fill: Callable[[str], None]) -> None:
    """Let ``fill`` make a temporary file beside ``target``, then move it there."""
    folder = os.path.dirname(os.path.abspath(target))
    temporary = os.path.join(folder, TEMPORARY_PREFIX + secrets.token_hex(8))
    try:
        with _reported("write", uri):
            os.makedirs(folder, exist_ok=True)
        fill(temporary)
        with _reported("write", target):
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(temporary)


@contextlib.contextmanager
def _reported(action: str, uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise store_error(action, uri, error) from error


def _raise(error: OSError) -> None:
    raise store_error("read", str(error.filename), error) from error


def _missing(uri: str) -> NotFound:
    return NotFound(f"{uri} does not exist", hint="check the address; the data may have been deleted")


def _missing_local(path: str, noun: str) -> NotFound:
    return NotFound(
        f"there is no {noun} {path!r}", hint=f"a task must create the {noun} that it returns before it returns it"
    )


def _refuse_web(uri: str) -> None:
    if web.is_web(uri):
        raise NotSupported(f"cannot write to {uri}: a web address is read-only", hint="write to a bucket or a path")
