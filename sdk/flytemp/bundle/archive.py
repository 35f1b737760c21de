"""Reader of the archives of code bundles.

The archives are tar files with plain files and links between folders. `tarfile` is not used to read them: it accepts more than a
bundle needs, not every Python 3.11 has its filters, and a crafted size can make it loop for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flytemp.bundle.limits import MAX_DEPTH, MAX_FILES, MAX_PATH_BYTES

_BLOCK = 512
_NAME, _MODE, _SIZE, _CHECKSUM, _LINK, _PREFIX = (
    slice(0, 100), slice(100, 108), slice(124, 136), slice(148, 156), slice(157, 257), slice(345, 500),
)  # fmt: skip
_TYPE, _MAGIC = 156, slice(257, 263)
_LINK_TARGET = re.compile(r"\.|((\.\./)*([^/]+/)*[^/]+)")


class InvalidArchive(ValueError):
    """Error raised for an archive that is not a code bundle; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Member:
    """File of a bundle, or a link to a folder of the bundle. ``link`` is relative to the folder of the link."""

    content: memoryview
    executable: bool = False
    link: str | None = None


@dataclass(slots=True)
class _Extended:
    """Values of extended headers that replace those of the next header."""

    path: str | None = None
    linkpath: str | None = None
    size: int | None = None


def read_archive(archive: bytes) -> dict[str, Member]:
    """Return the files and links of an archive by their names, which are relative and use "/".

    Raises:
        InvalidArchive: the archive is not a tar file, exceeds the limits of a bundle, or has an entry that a bundle never has: a
            path or link that leads out of the bundle, a device, a hard link, a name that occurs twice.
    """
    members: dict[str, Member] = {}
    folders: set[str] = set()
    for name, member in _members(archive):
        _check_name(name)
        if name in members or name in folders:
            raise InvalidArchive(f"it has {name!r} twice")
        for folder in _parents(name):
            if folder in members:
                raise InvalidArchive(f"it has {name!r} below a {'link' if members[folder].link is not None else 'file'}")
            folders.add(folder)
        members[name] = member
        if len(members) > MAX_FILES:
            raise InvalidArchive(f"it has more than {MAX_FILES} files")
    for name, member in members.items():
        if member.link is not None:
            _check_link(name, member.link, members)
    return members


def _parents(name: str) -> Iterator[str]:
    end = name.find("/")
    while end >= 0:
        yield name[:end]
        end = name.find("/", end + 1)


def _check_name(name: str) -> None:
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name:
        raise InvalidArchive(f"it has the path {name[:200]!r}")
    if len(parts) > MAX_DEPTH or len(name.encode()) > MAX_PATH_BYTES:
        raise InvalidArchive(f"it has a path of {len(parts)} parts and {len(name)} characters: {name[:60]!r}…")


def _check_link(name: str, link: str, members: dict[str, Member]) -> None:
    """Check that a link leads to a place in the bundle, and through no other link."""
    parts = name.split("/")[:-1]
    steps = [] if link == "." else link.split("/")
    up = next((number for number, step in enumerate(steps) if step != ".."), len(steps))
    down = steps[up:]
    outside = _LINK_TARGET.fullmatch(link) is None or up > len(parts)
    if outside or any(step in (".", "..") for step in down) or "\\" in link:
        raise InvalidArchive(f"its link {name!r} leads to {link[:200]!r}, out of the bundle")
    reached = "/".join([*parts[: len(parts) - up], *down])
    for place in (*_parents(reached), reached):
        if place in members and members[place].link is not None:
            raise InvalidArchive(f"its link {name!r} leads through the link {place!r}")


def _members(archive: bytes) -> Iterator[tuple[str, Member]]:
    view = memoryview(archive)
    offset, entries = 0, 0
    extended = _Extended()
    while offset + _BLOCK <= len(archive):
        header = archive[offset : offset + _BLOCK]
        offset += _BLOCK
        if not header.strip(b"\0"):
            return
        entries += 1
        if entries > 3 * MAX_FILES:  # a file may have two headers before its own
            raise InvalidArchive(f"it has more than {3 * MAX_FILES} entries")
        _check_sum(header)
        kind = header[_TYPE : _TYPE + 1]
        size = _octal(header[_SIZE])
        if extended.size is not None and kind not in b"xgLK":
            size = extended.size
        if kind in (b"2", b"5"):
            size = 0
        if offset + size > len(archive):
            raise InvalidArchive("it ends too early")
        content = view[offset : offset + size]
        offset += -(-size // _BLOCK) * _BLOCK
        if kind in (b"x", b"g", b"L", b"K"):
            _extend(extended, kind, bytes(content))
            continue
        name = extended.path if extended.path is not None else _name(header)
        link = extended.linkpath if extended.linkpath is not None else _text(header[_LINK])
        extended = _Extended()
        if kind == b"5" or (kind == b"\0" and name.endswith("/")):
            _check_name(name.rstrip("/"))
        elif kind in (b"0", b"\0"):
            yield name, Member(content, executable=bool(_octal(header[_MODE]) & 0o100))
        elif kind == b"2":
            yield name, Member(view[:0], link=link)
        else:
            raise InvalidArchive(f"{name[:200]!r} is neither a plain file nor a folder")
    raise InvalidArchive("it is not a tar archive: it has no end")


def _check_sum(header: bytes) -> None:
    stated = header[_CHECKSUM]
    if _octal(stated) != sum(header) - sum(stated) + len(stated) * ord(" "):
        raise InvalidArchive("it is not a tar archive: a header is damaged")


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits.isdigit() and digits:
        raise InvalidArchive("it is not a tar archive: a number in a header is not octal")
    try:
        return int(digits or b"0", 8)
    except ValueError:
        raise InvalidArchive("it is not a tar archive: a number in a header is not octal") from None


def _text(field: bytes) -> str:
    try:
        text = field.partition(b"\0")[0].decode()
    except UnicodeDecodeError:
        raise InvalidArchive("a name in it is not UTF-8") from None
    return text


def _name(header: bytes) -> str:
    name, prefix = _text(header[_NAME]), _text(header[_PREFIX])
    return f"{prefix}/{name}" if prefix and header[_MAGIC] == b"ustar\0" else name


def _extend(extended: _Extended, kind: bytes, content: bytes) -> None:
    """Read an extended header of POSIX (x; g applies to all files and may only have other keys) or of GNU (L, K)."""
    if kind == b"L":
        extended.path = _text(content)
        return
    if kind == b"K":
        extended.linkpath = _text(content)
        return
    for key, value in _records(content):
        if key.startswith("GNU.sparse") or (kind == b"g" and key in ("path", "linkpath", "size")):
            raise InvalidArchive(f"it has the header {key!r}")
        if "\0" in value and key in ("path", "linkpath"):
            raise InvalidArchive(f"it has the path {value[:200]!r}")
        match key:
            case "path":
                extended.path = value
            case "linkpath":
                extended.linkpath = value
            case "size":
                if re.fullmatch(r"[0-9]{1,12}", value) is None:
                    raise InvalidArchive(f"it has the size {value[:40]!r}")
                extended.size = int(value)


def _records(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of an extended header: ``<length of the record> <key>=<value>\\n``."""
    start, end = 0, len(content.rstrip(b"\0"))
    while start < end:
        digits, _, _ = content[start : start + 12].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = content[start + len(digits) + 1 : start + length]
        if start + length > end or not record.endswith(b"\n") or b"=" not in record:
            raise InvalidArchive("it is not a tar archive: an extended header is damaged")
        key, _, value = record[:-1].partition(b"=")
        try:
            yield key.decode(), value.decode()
        except UnicodeDecodeError:
            raise InvalidArchive("a name in it is not UTF-8") from None
        start += length
