"""Paths in outputs that are neither files nor folders, such as broken links and pipes, and the errors that name them."""

from __future__ import annotations

import os
import stat

from flytemp.errors import FlytempError, InputError, NotFound

_NOUNS = (
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
)


def noun_of(mode: int) -> str:
    """Return the noun of a kind of file with its article."""
    return next((noun for is_kind, noun in _NOUNS if is_kind(mode)), "neither a file nor a folder")


def not_a_file(path: str) -> FlytempError:
    """Return the error for a path that should be a file: it does not exist, is a broken link, a folder, a pipe, …"""
    return _error(path, "file", "return a folder as FlyteDirectory" if os.path.isdir(path) else None)


def not_a_folder(path: str) -> FlytempError:
    """Return the error for a path that should be a folder."""
    return _error(path, "folder", "return a file as FlyteFile" if os.path.isfile(path) else None)


def check_folder(folder: str) -> None:
    """Check that a folder has only files, folders and links to them, and that no link leads to a folder above it.

    Raises:
        InputError: an entry is something else; the message has its path and kind.
    """
    rest: list[tuple[str, tuple[str, ...]]] = [(folder, (os.path.realpath(folder),))]
    while rest:
        path, above = rest.pop()
        with os.scandir(path) as entries:
            for entry in entries:
                real = os.path.realpath(entry.path)
                if os.path.isdir(real):
                    if real in above:
                        message = f"the folder {folder!r} contains {entry.path!r}, a link to a folder above it"
                        raise InputError(message, hint="remove the link before the task returns the folder")
                    rest.append((entry.path, (*above, real)))
                elif not os.path.isfile(real):
                    raise _inside(folder, entry.path)


def _inside(folder: str, path: str) -> InputError:
    what = kind_of(path) or "neither a file nor a folder"
    return InputError(
        f"the folder {folder!r} contains {path!r}, which is {what} and cannot be stored",
        hint="remove it before the task returns the folder",
    )


def _error(path: str, wanted: str, hint: str | None) -> FlytempError:
    kind = kind_of(path)
    if kind is None:
        return NotFound(f"the {wanted} {path!r} does not exist", hint=f"create the {wanted} before the task returns it")
    return InputError(f"{path!r} is {kind}, not a {wanted}", hint=hint or f"return the path of a {wanted}")


def kind_of(path: str) -> str | None:
    """Return the kind of the entry at ``path`` as a noun; None if it does not exist."""
    try:
        return noun_of(os.stat(path).st_mode)
    except OSError:
        pass
    try:
        return f"a broken link to {os.readlink(path)!r}"
    except OSError:
        return None
