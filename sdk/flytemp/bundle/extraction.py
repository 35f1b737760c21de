"""Extraction of code bundles: verified before each use, cached by digest, and only inside the folder of the bundle."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from flytemp import layout
from flytemp.bundle.archive import InvalidArchive, Member, read_archive
from flytemp.bundle.unpacked import State, remove_folder, restore_folder, state_of, write_folder
from flytemp.errors import CorruptData, NotFound, StoreError
from flytemp.spec.models import BundleRef
from flytemp.store.failures import store_error
from flytemp.store.object_store import ObjectStore

MAX_ARCHIVE_BYTES = 2**30
_UNFINISHED = ".unfinished-"
_ABANDONED_SECONDS = 3600.0
_MOST_TRIES = 5

_lock = threading.Lock()
_checked: dict[Path, State] = {}  # states of the folders that this process has compared with their archives


def extract(store: ObjectStore, ref: BundleRef, cache_dir: Path) -> Path:
    """Return the folder with the bundle's files. The folder has exactly the content that was registered.

    The folder is unpacked if it does not exist, read-only, with the archive next to it as ``<digest>.tar``. If the folder was
    changed since, its content is restored; see `flytemp.bundle.unpacked`. Several threads and processes may extract into one
    ``cache_dir`` at once. An incomplete folder is never visible.

    Raises:
        NotFound: the store does not have the bundle.
        CorruptData: the archive does not match ``ref``, or has entries that a bundle never has.
        StoreError: the store cannot be read, or the cache cannot be written.
    """
    uri = store.uri_of(layout.bundle_key(ref.digest))
    folder = cache_dir / ref.digest
    if not _is_unchanged(folder):
        state = _state_of_unchanged(store, ref, folder, uri)
        with _lock:
            _checked[folder] = state
    return folder


def _state_of_unchanged(store: ObjectStore, ref: BundleRef, folder: Path, uri: str) -> State:
    """Return the state of a bundle's folder that has its content, also while other processes change and restore it."""
    tries = 0
    while True:
        try:
            return _make_unchanged(store, ref, folder, uri)
        except OSError as error:
            tries += 1
            if tries == _MOST_TRIES or not isinstance(error, FileNotFoundError):
                raise store_error("extract a code bundle into", str(folder.parent), error) from error


def _is_unchanged(folder: Path) -> bool:
    """Return whether the folder has the state that it had when this process compared it with its archive."""
    with _lock:
        known = _checked.get(folder)
    if known is None or folder.is_symlink():
        return False
    try:
        return state_of(folder) == known
    except OSError:  # entries vanish while it is read
        return False


def _make_unchanged(store: ObjectStore, ref: BundleRef, folder: Path, uri: str) -> State:
    """Unpack a bundle, or compare its folder with the archive and restore it; return the state of the folder."""
    kept = folder.with_name(f"{ref.digest}.tar")
    archive = _cached(kept, ref)
    fetched = archive is None
    if archive is None:
        archive = _verified(_read(store, ref), ref, uri)
    try:
        members = read_archive(archive)
    except InvalidArchive as error:
        raise _invalid_archive(uri, str(error)) from error
    if folder.is_symlink() or not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder.parent)
        _unpack(members, folder)
    if fetched:
        _keep(kept, archive)
    with _repairing(kept):
        return restore_folder(folder, members)


def _cached(path: Path, ref: BundleRef) -> bytes | None:
    """Return the archive at ``path``; None if it does not exist or is not the one of ``ref``."""
    try:
        if path.stat().st_size != ref.size:
            return None
        archive = path.read_bytes()
    except OSError:
        return None
    return archive if hashlib.sha256(archive).hexdigest() == ref.digest else None


def _keep(path: Path, archive: bytes) -> None:
    temporary = path.with_name(f"{_UNFINISHED}{secrets.token_hex(8)}.tar")
    try:
        temporary.write_bytes(archive)
        temporary.chmod(0o444)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(store: ObjectStore, ref: BundleRef) -> bytes:
    data = store.read_or_none(layout.bundle_key(ref.digest))
    if data is None:
        raise NotFound(
            f"the code bundle {ref.digest[:12]} is not in the store {store.uri}",
            hint="register the program again; the bundle was deleted, or the program was registered in another store",
        )
    return data


def _verified(data: bytes, ref: BundleRef, uri: str) -> bytes:
    """Return the archive of compressed ``data``, of which at most ``ref.size`` bytes are decompressed.

    Raises:
        CorruptData: the archive does not match ``ref``.
    """
    hint = "remove that object and register the program again"
    if ref.size > MAX_ARCHIVE_BYTES:
        raise CorruptData(f"the spec of {uri} has a size of {ref.size} bytes; the limit is {MAX_ARCHIVE_BYTES}", hint=hint)
    inflater = zlib.decompressobj(wbits=31)  # gzip
    try:
        archive = inflater.decompress(data, ref.size + 1)
    except zlib.error as error:
        raise CorruptData(f"{uri} is not a gzip archive: {error}", hint=hint) from error
    if len(archive) > ref.size:
        raise CorruptData(f"{uri} has more than the {ref.size} bytes of its spec", hint=hint)
    if len(archive) < ref.size or hashlib.sha256(archive).hexdigest() != ref.digest:
        raise CorruptData(f"{uri} is damaged: the digest of its content is not the digest in its name", hint=hint)
    return archive


def _unpack(members: dict[str, Member], folder: Path) -> None:
    unfinished = folder.with_name(f"{_UNFINISHED}{folder.name[:12]}-{secrets.token_hex(8)}")
    try:
        unfinished.mkdir()
        write_folder(unfinished, members)
        if folder.is_symlink():
            folder.unlink(missing_ok=True)
        try:
            os.rename(unfinished, folder)
        except OSError:
            # Another process has extracted the same bundle.
            if not folder.is_dir():
                raise
    finally:
        remove_folder(unfinished)


@contextlib.contextmanager
def _repairing(path: Path) -> Iterator[None]:
    """Let one process at a time repair a folder, by a lock on its archive. Windows has no such locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_abandoned(cache_dir: Path) -> None:
    """Remove the unfinished folders of killed processes."""
    before = time.time() - _ABANDONED_SECONDS
    for path in cache_dir.glob(f"{_UNFINISHED}*"):
        try:
            abandoned = path.lstat().st_mtime < before
        except FileNotFoundError:
            continue
        if abandoned and path.is_dir():
            remove_folder(path)
        elif abandoned:
            path.unlink(missing_ok=True)


def _invalid_archive(uri: str, what: str) -> StoreError:
    return CorruptData(f"{uri} is not a code bundle: {what}", hint="remove that object and register the program again")
