"""Extraction of code bundles: verified, cached by digest, and only inside the folder of the bundle."""

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
    """Return the folder with the bundle's files, extracted if it does not exist.

    Several processes may extract into one ``cache_dir`` at once. An incomplete folder is never visible.

    Raises:
        NotFound: the store does not have the bundle.
        CorruptData: the archive does not match ``ref``, or has entries that a bundle never has.
        StoreError: the store cannot be read, or the cache cannot be written.
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


def _unpack(archive: bytes, folder: Path, uri: str) -> None:
    """Write the regular files, then the links between folders, so that no file is written through a link.

    tarfile's filters are not used: not every Python 3.11 has them, and they allow more than a bundle needs.
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
                    raise _invalid_archive(uri, f"{member.name!r} is neither a plain file nor a folder")
    except tarfile.TarError as error:
        raise _invalid_archive(uri, f"it is not a tar archive ({error})") from error
    _write_links(folder, links, uri)


def _check_name(name: str, uri: str) -> None:
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name or "\\" in name:
        raise _invalid_archive(uri, f"it has the path {name!r}")


def _write_file(path: Path, content: bytes, executable: bool, uri: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755 if executable else 0o644)
    except (FileExistsError, IsADirectoryError) as error:
        raise _invalid_archive(uri, f"it has {path.name!r} twice") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _write_links(folder: Path, links: list[tarfile.TarInfo], uri: str) -> None:
    root = os.path.realpath(folder)
    for link in links:
        path = os.path.join(root, link.name)
        parent = os.path.dirname(path)
        if os.path.realpath(parent) != parent:
            raise _invalid_archive(uri, f"it has {link.name!r} below a link")
        os.makedirs(parent, exist_ok=True)
        try:
            os.symlink(link.linkname, path)
        except FileExistsError as error:
            raise _invalid_archive(uri, f"it has {link.name!r} twice") from error
    # After all links exist, because a link may change the target of an earlier one.
    for link in links:
        real = os.path.realpath(os.path.join(root, link.name))
        if os.path.isabs(link.linkname) or (real != root and not real.startswith(root + os.sep)):
            raise _invalid_archive(uri, f"its link {link.name!r} leads to {link.linkname!r}, out of the bundle")


def _publish(unfinished: Path, target: Path) -> None:
    try:
        os.rename(unfinished, target)
    except OSError:
        # Another process has extracted the same bundle.
        if not target.is_dir():
            raise


def _remove_abandoned(cache_dir: Path) -> None:
    """Remove the unfinished folders of killed processes."""
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


def _invalid_archive(uri: str, what: str) -> StoreError:
    return CorruptData(f"{uri} is not a code bundle: {what}", hint="remove that object and register the program again")
