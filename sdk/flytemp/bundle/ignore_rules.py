"""Rules that exclude files from a code bundle."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

from pathspec import GitIgnoreSpec

from flytemp.errors import InputError, Location

IGNORE_FILES = (".gitignore", ".flytempignore")
"""Names of the ignore files, which are read in every folder. The last one has precedence."""

_FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", ".jj"),
        *(".flytemp", "__pycache__", "node_modules", ".venv", "venv", ".tox", ".nox", ".eggs", "__pypackages__"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".import_linter_cache"),
        *(".idea", ".vscode"),
    }
)
_FOLDER_PATTERNS = ("*.egg-info",)
# ".#name" is a lock of Emacs: a broken link with the names of the user and the machine.
_FILE_PATTERNS = ("*.pyc", "*.pyo", ".DS_Store", ".#*")


class IgnoreRules:
    """The rules of a folder: its own ignore files have precedence over those of its parents, as in git."""

    def __init__(self, folder: Path, parent: IgnoreRules | None = None) -> None:
        self._folder = folder
        self._parent = parent
        self._specs = [
            (folder / name, spec) for name in reversed(IGNORE_FILES) if (spec := _read(folder / name)) is not None
        ]

    @classmethod
    def of_root(cls, root: Path) -> IgnoreRules:
        """Return the rules at the root of a bundle. Inside a git repository, ignore files above the root apply, too.

        They do not apply if they exclude the root itself, because then the user bundles files that git ignores.
        """
        top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
        above: IgnoreRules | None = None
        folder = top
        for part in root.relative_to(top).parts:
            above = cls(folder, above)
            folder = folder / part
            if above.excludes(folder, is_folder=True):
                return cls(root)
        return cls(root, above)

    def within(self, folder: Path) -> IgnoreRules:
        """Return the rules of a folder directly in this one."""
        return IgnoreRules(folder, self)

    def excludes(self, path: Path, *, is_folder: bool) -> bool:
        """Return whether ``path``, directly in this folder, is excluded. A folder is excluded with its contents."""
        return is_always_excluded(path, is_folder=is_folder) or self.excluded_by(path, is_folder=is_folder) is not None

    def excluded_by(self, path: Path, *, is_folder: bool) -> Path | None:
        """Return the ignore file that excludes ``path``, directly in this folder; None if no ignore file does."""
        rules: IgnoreRules | None = self
        while rules is not None:
            relative = path.relative_to(rules._folder).as_posix() + ("/" if is_folder else "")
            for file, spec in rules._specs:
                include = spec.check_file(relative).include
                if include is not None:
                    return file if include else None
            rules = rules._parent
        return None


def is_always_excluded(path: Path, *, is_folder: bool) -> bool:
    """Return whether ``path`` never is in a bundle, such as caches and virtual environments."""
    name = path.name
    if not is_folder:
        return any(fnmatchcase(name, pattern) for pattern in _FILE_PATTERNS)
    if name in _FOLDERS or any(fnmatchcase(name, pattern) for pattern in _FOLDER_PATTERNS):
        return True
    return os.path.exists(path / "pyvenv.cfg")  # a virtual environment of any name


def _read(path: Path) -> GitIgnoreSpec | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}", hint="make it readable UTF-8 text, or remove it") from error
    lines = text.splitlines()
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        for number, line in enumerate(lines, start=1):
            try:
                GitIgnoreSpec.from_lines([line])
            except ValueError as wrong:
                where = Location(str(path), number)
                raise InputError(f"{line!r} is not a pattern: {wrong}", hint="see gitignore(5)", location=where) from wrong
        raise InputError(f"cannot read {path}: {error}", hint="see gitignore(5)") from error
