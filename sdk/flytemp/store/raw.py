"""Raw data: files and directories of any size, at any URI, that tasks read and write.

A URI has a protocol (``s3://…``, ``https://…``, also ``file://…``). A text without a protocol is a local path. ``file://``
URIs are not percent-decoded. ``http(s)`` is read-only.
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
from flytemp.request_retries import retry
from flytemp.store import web
from flytemp.store.error_codes import is_missing_bucket, is_transient
from flytemp.store.failures import absence_error, store_error
from flytemp.store.filesystems import file_system
from flytemp.store.irregular import check_folder, not_a_file, not_a_folder
from flytemp.store.keys import TEMPORARY_PREFIX, local_path, protocol_of
from flytemp.store.own_folders import check_target


@dataclass(frozen=True, slots=True)
class RawEntry:
    """A file or folder directly in a folder. ``size`` is in bytes, None for a folder."""

    name: str
    uri: str
    is_directory: bool
    size: int | None


def is_remote(path_or_uri: str | os.PathLike[str]) -> bool:
    """Return whether the text has a protocol, such as ``file://``, and is not a local path."""
    return protocol_of(os.fspath(path_or_uri)) is not None


def join(uri: str, *parts: str) -> str:
    """Return the URI of ``parts`` below ``uri``."""
    return "/".join([uri.rstrip("/"), *parts])


def upload_file(local: str | Path, uri: str, *, own_folder: bool = False) -> None:
    """Copy a local file to ``uri``, and replace an existing file.

    Args:
        local: path of the file.
        uri: the target.
        own_folder: whether flytemp has chosen the target, which may be in its own folders of the store.

    Raises:
        NotFound: the local file does not exist.
        InputError: the path is not a file, or the target is in one of the store's own folders.
        StoreError: the file cannot be written.
    """
    source = str(local)
    if not os.path.isfile(source):
        raise not_a_file(source)
    if not own_folder:
        check_target(uri)
    _upload_file(source, uri)


def _upload_file(source: str, uri: str) -> None:
    target = local_path(uri)
    if target is not None:
        _copy_file(source, target, uri)
        return
    _refuse_web(uri)
    files, path = file_system(uri)
    try:
        retry(lambda: files.put_file(source, path), is_transient)
    except Exception as error:
        raise store_error("upload to", uri, error) from error


def upload_directory(local: str | Path, uri: str, *, own_folder: bool = False) -> None:
    """Copy a local folder with its subfolders to ``uri``. Links are followed.

    A bucket has no empty folders: an empty folder is not copied there.

    Args:
        local: path of the folder.
        uri: the target.
        own_folder: as for `upload_file`.

    Raises:
        NotFound: the local folder does not exist.
        InputError: the folder has something that is not a file or folder, or the target is one of the store's own folders.
        StoreError: a file cannot be written.
    """
    source = str(local)
    if not os.path.isdir(source):
        raise not_a_folder(source)
    if not own_folder:
        check_target(uri, is_folder=True)
    with _store_errors("read", source):
        check_folder(source)
    target = local_path(uri)
    if target is not None:
        with _store_errors("upload to", uri):
            os.makedirs(target, exist_ok=True)
    for folder, folders, names in os.walk(source, followlinks=True, onerror=_raise):
        folders.sort()
        relative = os.path.relpath(folder, source)
        below = uri if relative == "." else join(uri, *relative.split(os.sep))
        below_local = local_path(below)
        if below_local is not None:
            with _store_errors("upload to", below):
                os.makedirs(below_local, exist_ok=True)
        for name in sorted(names):
            _upload_file(os.path.join(folder, name), join(below, name))


def download_file(uri: str, local: str | Path) -> None:
    """Copy the file at ``uri`` to a local path. An incomplete file never appears at the path.

    Raises:
        NotFound: the file does not exist.
        StoreError: the file cannot be read.
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
            retry(lambda: files.get_file(path, temporary), is_transient)
        except FileNotFoundError as error:
            raise absence_error("download", uri, error) from error
        except Exception as error:
            raise store_error("download", uri, error) from error

    _replace(target, uri, fetch)


def download_directory(uri: str, local: str | Path) -> None:
    """Copy the folder at ``uri`` with its subfolders to a local folder.

    Raises:
        NotFound: the folder does not exist.
        InputError: the name of an object would lead out of the local folder.
        StoreError: a file cannot be read.
    """
    target = Path(local)
    entries = list_directory(uri)
    with _store_errors("download", str(target)):
        target.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        if entry.name in (".", "..") or "/" in entry.name or "\\" in entry.name:
            raise InputError(f"{uri} has an object {entry.name!r}, which is not a file name", hint="rename that object")
        if entry.is_directory:
            download_directory(entry.uri, target / entry.name)
        else:
            download_file(entry.uri, target / entry.name)


def list_directory(uri: str) -> list[RawEntry]:
    """Return the files and folders directly in the folder at ``uri``, sorted by name.

    Raises:
        NotFound: the folder does not exist; a bucket has no empty folders.
        InputError: a folder in it has no name.
        StoreError: the folder cannot be read.
    """
    folder = local_path(uri)
    if folder is not None:
        return _list_local(uri, folder)
    if web.is_web(uri):
        raise NotSupported(f"{uri}: a web address cannot be listed", hint="pass the files one by one, or use a bucket")
    files, path = file_system(uri)
    try:
        found = retry(lambda: files.ls(path, detail=True), is_transient)
    except FileNotFoundError as error:
        raise absence_error("list", uri, error) from error
    except Exception as error:
        raise store_error("list", uri, error) from error
    below = path.strip("/") + "/"
    entries: dict[str, RawEntry] = {}
    for item in found:
        whole = str(item["name"]).strip("/")
        if not whole.startswith(below):
            # The folder's own marker object. On S3, also the folder of keys with "//", which has no path.
            if item["type"] == "directory" and protocol_of(uri) in ("s3", "s3a"):
                raise InputError(f"{uri} has a folder without a name", hint="rename the objects whose keys have '//'")
            continue
        name = whole[len(below) :]
        is_directory = item["type"] == "directory"
        entries[name] = RawEntry(name, join(uri, name), is_directory, None if is_directory else int(item["size"] or 0))
    if not entries and found and found[0]["type"] != "directory":
        raise NotFound(f"{uri} is a file, not a folder", hint="declare a file as FlyteFile")
    return [entries[name] for name in sorted(entries)]


def exists(uri: str) -> bool:
    """Return whether there is a file or a folder at ``uri``.

    Raises:
        StoreError: the store cannot be read.
    """
    path = local_path(uri)
    if path is not None:
        return os.path.exists(path)
    if web.is_web(uri):
        return web.exists(uri)
    files, inside = file_system(uri)
    try:
        retry(lambda: files.info(inside), is_transient)
    except FileNotFoundError as error:
        if is_missing_bucket(error):
            raise store_error("look for", uri, error) from error
        return False
    except Exception as error:
        raise store_error("look for", uri, error) from error
    return True


def open_uri(uri: str, mode: str = "rb") -> IO[Any]:
    """Open the file at ``uri`` in the mode "rb", "r", "wb" or "w". Written data is visible when the stream is closed.

    Raises:
        NotFound: the file to read does not exist.
        InputError: the file to write is in one of the store's own folders.
        StoreError: the file cannot be opened.
    """
    path = local_path(uri)
    encoding = None if "b" in mode else "utf-8"
    if "r" not in mode and protocol_of(uri) is not None:
        check_target(uri)
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
        stream: IO[Any] = retry(lambda: files.open(inside, mode), is_transient)
    except FileNotFoundError as error:
        raise absence_error("open", uri, error) from error
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
        raise NotFound(f"{uri} is a file, not a folder", hint="declare a file as FlyteFile") from error
    except OSError as error:
        raise store_error("list", uri, error) from error
    return sorted(entries, key=lambda entry: entry.name)


def _copy_file(source: str, target: str, uri: str) -> None:
    if os.path.exists(target) and os.path.samefile(source, target):
        return
    _replace(target, uri, lambda temporary: _copy_bytes(source, temporary, uri))


def _copy_bytes(source: str, temporary: str, uri: str) -> None:
    with _store_errors("copy", uri):
        shutil.copyfile(source, temporary)


def _replace(target: str, uri: str, fill: Callable[[str], None]) -> None:
    """Call ``fill`` with a temporary file in the folder of ``target``, then move the file to ``target``."""
    folder = os.path.dirname(os.path.abspath(target))
    temporary = os.path.join(folder, TEMPORARY_PREFIX + secrets.token_hex(8))
    try:
        with _store_errors("write", uri):
            os.makedirs(folder, exist_ok=True)
        fill(temporary)
        with _store_errors("write", target):
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(temporary)


@contextlib.contextmanager
def _store_errors(action: str, uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise store_error(action, uri, error) from error


def _raise(error: OSError) -> None:
    raise store_error("read", str(error.filename), error) from error


def _missing(uri: str) -> NotFound:
    return NotFound(f"{uri} does not exist", hint="check the address; the data may have been deleted")


def _refuse_web(uri: str) -> None:
    if web.is_web(uri):
        raise NotSupported(f"cannot write to {uri}: a web address is read-only", hint="write to a bucket or a path")
