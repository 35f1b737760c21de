"""Files of a project that belong in its code bundle."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from flytemp.bundle.ignore_rules import IgnoreRules, is_always_excluded
from flytemp.bundle.limits import MAX_DEPTH, MAX_FILES, MAX_PATH_BYTES
from flytemp.errors import InputError, LimitExceeded
from flytemp.store.irregular import noun_of

_LARGEST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a link to a folder. ``name`` is relative to the root, with "/"; ``size`` is in bytes."""

    name: str
    path: Path
    size: int
    executable: bool = False
    link: str | None = None  # target of a link to a folder, relative to the folder of the link


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file or folder that an ignore file of the user excludes. ``name`` is relative to the root, with "/"."""

    name: str
    is_folder: bool
    rule_file: Path


@dataclass(frozen=True, slots=True)
class Contents:
    """The entries of a bundle with a root, sorted by name, and what the user's ignore files exclude from it."""

    root: Path
    entries: tuple[Entry, ...]
    ignored: tuple[Ignored, ...]


def collect(root: Path, limit_bytes: int) -> Contents:
    """Return every file below ``root`` that is not ignored. A link to a file counts as a file.

    Raises:
        InputError: a link leaves the root, an entry is a device or socket, a name is not UTF-8, or a file cannot be read.
        LimitExceeded: more than ``limit_bytes``, `MAX_FILES` or `MAX_DEPTH`; the message has the largest files.
    """
    walk = _Walk(root)
    walk.folder(root, IgnoreRules.of_root(root))
    entries = sorted(walk.entries, key=lambda entry: entry.name)
    _check_size(root, entries, limit_bytes)
    _check_links(entries)
    return Contents(root, tuple(entries), tuple(walk.ignored))


class _Walk:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries: list[Entry] = []
        self.ignored: list[Ignored] = []

    def folder(self, folder: Path, rules: IgnoreRules) -> None:
        try:
            with os.scandir(folder) as found:
                items = sorted(found, key=lambda item: item.name)
        except OSError as error:
            raise _unreadable(folder, error) from error
        for item in items:
            path = folder / item.name
            if item.is_symlink():
                self._link(path, rules)
            elif not self._excludes(path, rules, is_folder=item.is_dir()):
                _check_path(self.root, path)
                if item.is_dir():
                    self.folder(path, rules.within(path))
                else:
                    self._file(path, path)

    def _excludes(self, path: Path, rules: IgnoreRules, *, is_folder: bool) -> bool:
        if is_always_excluded(path, is_folder=is_folder):
            return True
        rule_file = rules.excluded_by(path, is_folder=is_folder)
        if rule_file is None:
            return False
        self.ignored.append(Ignored(path.relative_to(self.root).as_posix(), is_folder, rule_file))
        return True

    def _file(self, path: Path, real: Path) -> None:
        try:
            status = real.stat()
        except OSError as error:
            raise _unreadable(path, error) from error
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path} is {noun_of(status.st_mode)}, not a file", hint=_ignore_hint(self.root, path))
        executable = bool(status.st_mode & stat.S_IXUSR)
        self._add(Entry(path.relative_to(self.root).as_posix(), real, status.st_size, executable))

    def _link(self, path: Path, rules: IgnoreRules) -> None:
        real = Path(os.path.realpath(path))
        is_folder = real.is_dir()
        # In git, the pattern "data/" does not match a link. Users expect that it matches a link to a folder, too.
        if self._excludes(path, rules, is_folder=False) or (is_folder and self._excludes(path, rules, is_folder=True)):
            return
        _check_path(self.root, path)
        if not real.is_relative_to(self.root):
            raise InputError(
                f"{path} is a link to {real}, outside the bundle's root {self.root}",
                hint=f"copy its target into the project, or {_ignore_hint(self.root, path)}",
            )
        if is_folder:
            target = os.path.relpath(real, path.parent).replace(os.sep, "/")
            self._add(Entry(path.relative_to(self.root).as_posix(), real, 0, link=target))
        elif real.exists():
            self._file(path, real)
        # A broken link is left out.

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        if len(self.entries) > MAX_FILES:
            raise LimitExceeded(
                f"{self.root} has more than {MAX_FILES} files, the limit of a code bundle",
                hint="move the program to its own folder, or list the files that it does not need in .flytempignore",
            )


def _check_path(root: Path, path: Path) -> None:
    name = path.relative_to(root).as_posix()
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise InputError(
            f"the name of {repr(os.fsencode(path))[1:]} is not UTF-8",
            hint="rename it, or exclude it in .flytempignore",
        ) from None
    if "\\" in name:
        raise InputError(f"the name of {path} has a backslash, which separates folders on Windows", hint=_ignore_hint(root, path))
    depth = name.count("/") + 1
    if depth > MAX_DEPTH or size > MAX_PATH_BYTES:
        raise LimitExceeded(
            f"{root} has a path of {depth} parts and {size} bytes: {name[:60]}…; "
            f"the limit of a code bundle is {MAX_DEPTH} parts and {MAX_PATH_BYTES} bytes",
            hint="move the folder out of the program's folder, or list it in .flytempignore",
        )


def _check_size(root: Path, entries: list[Entry], limit_bytes: int) -> None:
    total = sum(entry.size for entry in entries)
    if total <= limit_bytes:
        return
    largest = sorted(entries, key=lambda entry: (-entry.size, entry.name))[:_LARGEST_SHOWN]
    shown = ", ".join(f"{entry.name} ({_amount(entry.size)})" for entry in largest)
    raise LimitExceeded(
        f"the code bundle of {root} has {_amount(total)} in {len(entries)} files; the limit is {_amount(limit_bytes)}; "
        f"the largest: {shown}",
        hint="list the files that the program does not need in .flytempignore; pass data as FlyteFile",
    )


def _check_links(entries: list[Entry]) -> None:
    names = [entry.name for entry in entries]
    for entry in entries:
        if entry.link is None:
            continue
        target = os.path.normpath(os.path.join(os.path.dirname(entry.name), entry.link)).replace(os.sep, "/")
        if target != "." and not any(name.startswith(target + "/") for name in names):
            raise InputError(
                f"{entry.name} is a link to {target}, which is not in the bundle",
                hint=f"add '/{entry.name}' to .flytempignore, or remove {target} from the ignore files",
            )


def _amount(size: int) -> str:
    if size < 10_000:
        return f"{size} bytes"
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"


def _ignore_hint(root: Path, path: Path) -> str:
    return f"add '/{path.relative_to(root).as_posix()}' to {root / '.flytempignore'}"


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot read {path}: {error.strerror or error}", hint="make it readable, or ignore it")
