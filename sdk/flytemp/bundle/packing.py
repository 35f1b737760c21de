"""Packing of a project into an archive that depends only on the names, contents and executable bits of its files."""

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
from flytemp.bundle.contents import Contents, Entry, collect
from flytemp.errors import InputError, NotFound
from flytemp.spec.models import BundleRef
from flytemp.store.object_store import ObjectStore

DEFAULT_LIMIT_BYTES = 50 * 2**20


@dataclass(frozen=True, slots=True)
class PackedBundle:
    """A bundle in memory.

    ``ref`` has the digest and size of the uncompressed tar archive, so that the digest does not depend on the version of
    zlib. ``data`` is the compressed archive.
    """

    ref: BundleRef
    data: bytes = field(repr=False)
    contents: Contents = field(repr=False, compare=False)

    @property
    def files(self) -> tuple[str, ...]:
        """The sorted names of the files."""
        return tuple(entry.name for entry in self.contents.entries)


def find_project_root(path: Path) -> Path:
    """Return the project of a file or folder: the nearest parent folder without ``__init__.py``.

    Raises:
        NotFound: the file or folder does not exist.
    """
    absolute = Path(os.path.abspath(path))
    if not absolute.exists():
        raise NotFound(f"the file or folder {str(path)!r} does not exist", hint="check the path")
    folder = absolute if absolute.is_dir() else absolute.parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def pack(root: Path, import_roots: Sequence[str] = (".",), limit_bytes: int = DEFAULT_LIMIT_BYTES) -> PackedBundle:
    """Pack every file below ``root`` that no ignore file excludes.

    Args:
        root: the project's folder.
        import_roots: folders relative to ``root`` on the ``sys.path`` of tasks, in this order.
        limit_bytes: limit of the total size of the files, uncompressed.

    Raises:
        InputError: an import root is not a folder of the project, or `flytemp.bundle.contents.collect` refuses a file.
        LimitExceeded: the files are too many or too large; the message has the largest.
    """
    real_root = Path(os.path.realpath(root))
    if not real_root.is_dir():
        raise NotFound(f"the folder {str(root)!r} does not exist", hint="check the path")
    roots = tuple(_import_root(real_root, text) for text in import_roots)
    contents = collect(real_root, limit_bytes)
    archive = _archive(contents.entries)
    ref = BundleRef(digest=hashlib.sha256(archive).hexdigest(), size=len(archive), import_roots=roots)
    return PackedBundle(ref, gzip.compress(archive, mtime=0), contents)


def store_bundle(store: ObjectStore, bundle: PackedBundle) -> bool:
    """Store a bundle. Return False if the store already has it.

    Raises:
        StoreError: the store refuses the bundle.
    """
    return store.create(layout.bundle_key(bundle.ref.digest), bundle.data)


def _import_root(root: Path, text: str) -> str:
    normal = PurePosixPath(os.path.normpath(text or "."))
    if normal.is_absolute() or ".." in normal.parts:
        raise InputError(f"the import root {text!r} is outside {root}", hint="use a folder relative to the project's root")
    if not (root / normal).is_dir():
        raise InputError(
            f"the import root {text!r} is not a folder of {root}", hint="use a folder relative to the project's root"
        )
    return str(normal)


def _archive(entries: Sequence[Entry]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for entry in entries:
            # Not gettarinfo: owner, group and times must be 0.
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
        raise InputError(message, hint="make it readable, or add it to .flytempignore") from error
