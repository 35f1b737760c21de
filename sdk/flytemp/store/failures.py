"""What the operating system or a cloud client says, as an error a person can act on."""

from __future__ import annotations

import errno

from flytemp.errors import StoreError

_HINTS: dict[int, str] = {
    errno.EROFS: "it is mounted read-only: remount it, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.EACCES: "give this user permission to write there, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.EPERM: "give this user permission to write there, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.ENOSPC: "free some space there, or point FLYTEMP_STORE (or --store) at a larger disk",
    errno.EDQUOT: "this user's disk quota is used up: free some space, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.ENOTDIR: "a file lies where a folder is needed: remove it, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.ENAMETOOLONG: "use a shorter name, or a store at a shorter path",
    errno.EMFILE: "this process has too many open files: raise `ulimit -n`",
    errno.ENFILE: "this machine has too many open files",
    errno.EIO: "the disk reports a hardware or driver error: check the machine's log",
}
_NO_LINK_HINT = "the file system there has no hard links, which creating an object needs: put the store on another one"
_EXCLUSIVE_LINK_ERRORS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_GENERIC_HINT = "check the store's address, and that this machine reaches it with the credentials of its environment"


def store_error(action: str, uri: str, error: BaseException) -> StoreError:
    """The error for ``error``, met while doing ``action`` ("read", "write", …) on ``uri``."""
    number = error.errno if isinstance(error, OSError) else None
    hint = _HINTS.get(number, _GENERIC_HINT) if number is not None else _GENERIC_HINT
    reason = error.strerror if isinstance(error, OSError) and error.strerror else _first_line(error)
    return StoreError(f"cannot {action} {uri}: {reason}", hint=hint)


def link_error(uri: str, error: OSError) -> StoreError:
    """The error for a hard link that could not be made at ``uri``."""
    translated = store_error("create", uri, error)
    if error.errno in _EXCLUSIVE_LINK_ERRORS:
        translated.hint = _NO_LINK_HINT
    return translated


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:500]}" if text else type(error).__name__
