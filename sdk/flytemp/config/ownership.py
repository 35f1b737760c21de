"""Ownership of configuration files: a file that another user placed in a parent folder is not obeyed."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def foreign_owner(path: Path, start: Path) -> str | None:
    """Return the name of the user that owns ``path``, if the file or folder must not be obeyed; else None.

    This user, root and the owner of the current folder are trusted. In the current folder itself everything is trusted, unless
    every user may write there.

    Args:
        path: the file or folder, which exists.
        start: the current folder, which may not exist.
    """
    if not hasattr(os, "getuid"):
        return None
    here = start.stat() if start.exists() else None
    if here is not None and path.parent == start and not here.st_mode & stat.S_IWOTH:
        return None
    trusted = {os.getuid(), 0} if here is None else {os.getuid(), 0, here.st_uid}
    # The owner of a link decides where it leads.
    return next((_name(owner) for owner in (path.lstat().st_uid, path.stat().st_uid) if owner not in trusted), None)


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
