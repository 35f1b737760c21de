"""Pack a project into one archive whose bytes depend on nothing but the files' names, contents and executable bits."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from flytemp import layout
from flytemp.bundle.contents import Entry, collect
from flytemp.errors import InputError, NotFound
from flytemp.spec.models import BundleRef
from flytemp.store.object_store import ObjectStore

DEFAULT_LIMIT_BYTES = 50 * 2**20


@dataclass(frozen=True, slots=True)
class PackedBundle:
    """A bundle in memory.

    ``ref`` has digest and size of the tar archive itself: two machines whose zlib compress differently still give
    one digest. ``data`` is that archive, compressed; ``files`` are the names in it, sorted.
    """

    ref: BundleRef
    data: bytes = field(repr=False)
    files: tuple[str, ...]


def find_project_root(path: Path) -> Path:
    """The project that ``path``, a file or a folder, belongs to: the first folder upwards without ``__init__.py``.

    Raises:
        NotFound: when there is no such file or folder.
    """
    absolute = Path(os.path.abspath(path))
    if not absolute.exists():
        raise NotFound(f"there is no file or folder {str(path)!r}", hint="check the path")
    folder = absolute if absolute.is_dir() else absolute.parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def pack(root: Path, import_roots: Sequence[str] = (".",), limit_bytes: int = DEFAULT_LIMIT_BYTES) -> PackedBundle:
    """Pack every file below ``root`` that no ignore file excludes.

    Args:
        root: the project's folder.
        import_roots: folders relative to ``root`` that tasks find on ``sys.path``, in this order.
        limit_bytes: of the files together, uncompressed.

    Raises:
        InputError: for an import root that is none, or what `flytemp.bundle.contents.collect` refuses.
        LimitExceeded: for too many files or bytes, naming the largest.
    """
    real_root = Path(os.path.realpath(root))
    if not real_root.is_dir():
        raise NotFound(f"there is no folder {str(root)!r}", hint="check the path")
    roots = tuple(_import_root(real_root, text) for text in import_roots)
    entries = collect(real_root, limit_bytes)
    archive = _archive(entries)
    ref = BundleRef(digest=hashlib.sha256(archive).hexdigest(), size=len(archive), import_roots=roots)
    return PackedBundle(ref, gzip.compress(archive, mtime=0), tuple(entry.name for entry in entries))


def store_bundle(store: ObjectStore, bundle: PackedBundle) -> bool:
    """Put a bundle into the store; False when it is there already.

    Raises:
        StoreError: when the store refuses.
    """
    return store.create(layout.bundle_key(bundle.ref.digest), bundle.data)


def _import_root(root: Path, text: str) -> str:
    normal = PurePosixPath(os.path.normpath(text or "."))
    if normal.is_absolute() or ".." in normal.parts:
        raise InputError(
            f"the import root {text!r} lies outside {root}", hint="name a folder relative to the project's root"
        )
    if not (root / normal).is_dir():
        raise InputError(
            f"the import root {text!r} is no folder of {root}", hint="name a folder relative to the project's root"
        )
    return str(normal)


def _archive(entries: Sequence[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for entry in entries:
            # A TarInfo made by hand: owner, group and times stay 0 whatever the file has.
            member = tarfile.TarInfo(entry.name)
            if entry.link is not None:
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.link, 0o777
                tar.addfile(member)
                continue
            content = _content(entry)
            member.size = len(content)
            member.mode = 0o755 if entry.executable else 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _content(entry: Entry) -> bytes:
    try:
        return entry.path.read_bytes()
    except OSError as error:
        message = f"cannot read {entry.path}: {error.strerror or error}"
        raise InputError(message, hint="make it readable, or put it into .flytempignore") from error
