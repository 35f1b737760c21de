"""Folders of unpacked bundles: written read-only, and compared with the archive before use.

A task runs as the user that owns the folder and can change it in spite of its modes. So the folder is checked again before each
use. The first check in a process compares each file with the archive, whose digest is part of the specs. The later checks compare
the state of each file (size, times, inode) with the state at that moment, which takes microseconds per file. A change is undone:
the folder gets the content of the archive again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from flytemp.bundle.archive import Member

logger = logging.getLogger(__name__)

_FOLDER_MODE, _WRITABLE_MODE = 0o555, 0o755
_MOST_CHECKS = 5
_BYTECODE = "__pycache__"
_SHOWN = 3

State = Mapping[str, tuple[int, ...]]
"""Mode, and for files and links inode, size and times, by the path of an entry relative to its folder."""


def write_folder(folder: Path, members: Mapping[str, Member]) -> None:
    """Write the files and links of a bundle to an existing empty folder.

    Raises:
        OSError: the file system refuses a file.
    """
    for name in sorted(_folders(members)):
        os.mkdir(folder / name)
    for name, member in members.items():
        _write(folder / name, member)
    for name in _folders(members):
        os.chmod(folder / name, _FOLDER_MODE)


def remove_folder(folder: Path) -> None:
    """Remove a folder with its content, which may be read-only."""
    for path, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(path, _WRITABLE_MODE)
    shutil.rmtree(folder, ignore_errors=True)


def state_of(folder: Path) -> State:
    """Return the state of a folder. Two equal states mean that no entry was changed in between.

    Raises:
        OSError: the folder cannot be read.
    """
    found: dict[str, tuple[int, ...]] = {"": (os.stat(folder).st_mode,)}
    for name, status in _entries(folder):
        mode = status.st_mode
        found[name] = (
            (mode,) if stat.S_ISDIR(mode) else (mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        )
    return found


def restore_folder(folder: Path, members: Mapping[str, Member]) -> State:
    """Give ``folder`` the content of the archive wherever it differs, and return its state.

    Processes that use the folder go on: each file is replaced at once.

    Raises:
        OSError: the folder cannot be restored.
    """
    if stat.S_IMODE(os.stat(folder).st_mode) != _FOLDER_MODE:  # the owner may be another user
        os.chmod(folder, _FOLDER_MODE)
    for _ in range(_MOST_CHECKS):
        before = state_of(folder)
        changed = _differences(folder, members)
        if not changed:
            return before
        shown = sorted(name for name in changed if _BYTECODE not in name.split("/"))
        if shown:
            more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
            logger.warning("the code bundle in %s was changed and is restored: %s%s", folder, ", ".join(shown[:_SHOWN]), more)
        _restore(folder, members, changed)
    raise OSError(f"the code bundle in {folder} is changed again and again by another process")


def _folders(members: Mapping[str, Member]) -> set[str]:
    found: set[str] = set()
    for name in members:
        parent = os.path.dirname(name)
        while parent and parent not in found:
            found.add(parent)
            parent = os.path.dirname(parent)
    return found


def _mode(member: Member) -> int:
    return 0o555 if member.executable else 0o444


def _write(path: Path, member: Member) -> None:
    if member.link is not None:
        os.symlink(member.link, path)
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(member.content)
    os.chmod(path, _mode(member))


def _entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the relative path and the status of each entry below ``folder``. Links are not followed."""
    root = os.fspath(folder)
    rest = [""]
    while rest:
        prefix = rest.pop()
        with os.scandir(f"{root}/{prefix}") as found:
            for entry in found:
                name = prefix + entry.name
                yield name, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    rest.append(name + "/")


def _differences(folder: Path, members: Mapping[str, Member]) -> set[str]:
    """Return the paths of entries that differ from the archive, that it lacks, or that the folder lacks."""
    folders = _folders(members)
    missing = set(members) | folders
    changed: set[str] = set()
    for name, status in _entries(folder):
        missing.discard(name)
        if name in folders:
            same = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == _FOLDER_MODE
        else:
            same = name in members and _is_same(folder / name, status, members[name])
        if not same:
            changed.add(name)
    return changed | missing


def _is_same(path: Path, status: os.stat_result, member: Member) -> bool:
    if member.link is not None:
        return stat.S_ISLNK(status.st_mode) and os.readlink(path) == member.link
    if not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) != _mode(member) or status.st_nlink != 1:
        return False
    return status.st_size == len(member.content) and path.read_bytes() == member.content


def _restore(folder: Path, members: Mapping[str, Member], changed: set[str]) -> None:
    folders = _folders(members)
    touched = {os.path.dirname(name) for name in changed}
    for name in sorted(touched | (changed & folders)):  # parents first
        path = folder / name
        if name and name not in folders:
            continue  # below an entry that is removed as a whole
        if name and (path.is_symlink() or not path.is_dir()):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            path.mkdir()
        os.chmod(path, _WRITABLE_MODE)
    for name in sorted(changed - folders):
        _replace(folder / name, members.get(name))
    for name in folders & (touched | changed):
        os.chmod(folder / name, _FOLDER_MODE)
    os.chmod(folder, _FOLDER_MODE)


def _replace(path: Path, member: Member | None) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_folder(path)
    elif member is None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
    if member is not None:
        temporary = path.with_name(f".{secrets.token_hex(8)}")
        _write(temporary, member)
        os.replace(temporary, path)
