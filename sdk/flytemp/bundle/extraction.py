"""Extract a bundle for running tasks: verified, cached by digest, never touching anything outside its own folder."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import shutil
import tarfile
import time
import zlib
from pathlib import Path

from flytemp import layout
from flytemp.errors import CorruptData, NotFound, StoreError
from flytemp.spec.models import BundleRef
from flytemp.store.failures import store_error
from flytemp.store.object_store import ObjectStore

MAX_ARCHIVE_BYTES = 2**30
_UNFINISHED = ".unfinished-"
_ABANDONED_SECONDS = 3600.0


def extract(store: ObjectStore, ref: BundleRef, cache_dir: Path) -> Path:
    """The folder with the bundle's files; one ``stat`` when it was extracted before.

    Any number of processes may extract into one ``cache_dir`` at once. The folder appears complete or not at all.

    Raises:
        NotFound: when the store has no such bundle.
        CorruptData: when the archive is not what ``ref`` says, or holds what a bundle never holds.
        StoreError: when the store cannot be read or the cache cannot be written.
    """
    uri = store.uri_of(layout.bundle_key(ref.digest))
    target = cache_dir / ref.digest
    if target.is_dir():
        return target
    archive = _verified(_read(store, ref), ref, uri)
    unfinished = cache_dir / f"{_UNFINISHED}{ref.digest[:12]}-{secrets.token_hex(8)}"
    try:
        _remove_abandoned(cache_dir)
        unfinished.mkdir(parents=True)
        _unpack(archive, unfinished, uri)
        _publish(unfinished, target)
    except OSError as error:
        raise store_error("extract a code bundle into", str(cache_dir), error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _read(store: ObjectStore, ref: BundleRef) -> bytes:
    data = store.read_or_none(layout.bundle_key(ref.digest))
    if data is None:
        raise NotFound(
            f"the code bundle {ref.digest[:12]} is not in the store {store.uri}",
            hint="it was deleted, or the program was registered in another store: register it again",
        )
    return data


def _verified(data: bytes, ref: BundleRef, uri: str) -> bytes:
    """The archive of compressed ``data``; never more of it in memory than ``ref`` promises."""
    hint = "remove that object and register the program again"
    if ref.size > MAX_ARCHIVE_BYTES:
        raise CorruptData(
            f"{uri} claims {ref.size} bytes, more than a bundle may have ({MAX_ARCHIVE_BYTES})", hint=hint
        )
    inflater = zlib.decompressobj(wbits=31)  # gzip
    try:
        archive = inflater.decompress(data, ref.size + 1)
    except zlib.error as error:
        raise CorruptData(f"{uri} is not a gzip archive: {error}", hint=hint) from error
    if len(archive) > ref.size:
        raise CorruptData(f"{uri} holds more than the {ref.size} bytes that its spec says", hint=hint)
    if len(archive) < ref.size or hashlib.sha256(archive).hexdigest() != ref.digest:
        raise CorruptData(f"{uri} is damaged: its content does not have the digest that names it", hint=hint)
    return archive


def _unpack(archive: bytes, folder: Path, uri: str) -> None:
    """Write regular files, then links between folders: no file is ever written through a link.

    Done by hand, since not every Python 3.11 has tarfile's own filters, and a bundle needs less than they allow.
    """
    links: list[tarfile.TarInfo] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for member in tar:
                _check_name(member.name, uri)
                if member.issym():
                    links.append(member)
                elif member.isreg() and not member.issparse():
                    content = tar.extractfile(member)
                    assert content is not None  # it is a regular file
                    _write_file(folder / member.name, content.read(), bool(member.mode & 0o100), uri)
                elif not member.isdir():
                    raise _hostile(uri, f"{member.name!r} is neither a plain file nor a folder")
    except tarfile.TarError as error:
        raise _hostile(uri, f"it is no tar archive ({error})") from error
    _write_links(folder, links, uri)


def _check_name(name: str, uri: str) -> None:
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name or "\\" in name:
        raise _hostile(uri, f"it holds the path {name!r}")


def _write_file(path: Path, content: bytes, executable: bool, uri: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755 if executable else 0o644)
    except (FileExistsError, IsADirectoryError) as error:
        raise _hostile(uri, f"it holds {path.name!r} twice") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _write_links(folder: Path, links: list[tarfile.TarInfo], uri: str) -> None:
    root = os.path.realpath(folder)
    for link in links:
        path = os.path.join(root, link.name)
        parent = os.path.dirname(path)
        if os.path.realpath(parent) != parent:
            raise _hostile(uri, f"it holds {link.name!r} below a link")
        os.makedirs(parent, exist_ok=True)
        try:
            os.symlink(link.linkname, path)
        except FileExistsError as error:
            raise _hostile(uri, f"it holds {link.name!r} twice") from error
    # Checked when all are there: a link may change where an earlier one leads.
    for link in links:
        real = os.path.realpath(os.path.join(root, link.name))
        if os.path.isabs(link.linkname) or (real != root and not real.startswith(root + os.sep)):
            raise _hostile(uri, f"its link {link.name!r} leads to {link.linkname!r}, out of the bundle")


def _publish(unfinished: Path, target: Path) -> None:
    try:
        os.rename(unfinished, target)
    except OSError:
        # Another process was faster: what it extracted has the same digest.
        if not target.is_dir():
            raise


def _remove_abandoned(cache_dir: Path) -> None:
    """Remove what processes that were killed while extracting left behind."""
    if not cache_dir.is_dir():
        return
    before = time.time() - _ABANDONED_SECONDS
    for path in cache_dir.glob(f"{_UNFINISHED}*"):
        try:
            abandoned = path.stat().st_mtime < before
        except FileNotFoundError:
            continue
        if abandoned:
            shutil.rmtree(path, ignore_errors=True)


def _hostile(uri: str, what: str) -> StoreError:
    return CorruptData(f"{uri} is no code bundle: {what}", hint="remove that object and register the program again")
