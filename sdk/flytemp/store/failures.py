"""Conversion of errors of the operating system and of cloud clients to `StoreError`, with a hint."""

from __future__ import annotations

import errno

from flytemp.errors import NotFound, StoreError
from flytemp.store.error_codes import is_denial, is_missing_bucket, is_unreachable
from flytemp.store.keys import local_path

_HINTS: dict[int, str] = {
    errno.EROFS: "it is mounted read-only: remount it, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.EACCES: "give this user permission to write there, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.EPERM: "give this user permission to write there, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.ENOSPC: "free some space there, or point FLYTEMP_STORE (or --store) at a larger disk",
    errno.EDQUOT: "this user's disk quota is exhausted: free some space, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.ENOTDIR: "a file is in the place of a folder: remove it, or point FLYTEMP_STORE (or --store) elsewhere",
    errno.ENAMETOOLONG: "use a shorter name, or a store at a shorter path",
    errno.EMFILE: "this process has too many open files: raise `ulimit -n`",
    errno.ENFILE: "this machine has too many open files",
    errno.EIO: "the disk reports a hardware or driver error: check the machine's log",
}
_NO_LINK_HINT = "the store needs hard links to create objects, and this file system has none: use another file system"
_EXCLUSIVE_LINK_ERRORS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_GENERIC_HINT = "check the store's address, the network, and the credentials in the environment of this process"
_BUCKET_HINT = "create the bucket, or correct its name (or the address of the server: for S3, AWS_ENDPOINT_URL)"
_DENIAL_HINT = (
    "check the credentials in the environment of this process (for S3, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a "
    "profile or a role), and their permissions to read, write, list and delete"
)
_UNREACHABLE_HINT = "check that the server runs, its address (for S3, AWS_ENDPOINT_URL), and the network"


def store_error(action: str, uri: str, error: BaseException) -> StoreError:
    """Return the error for a failed ``action`` ("read", "write", …) on ``uri``."""
    hint = _remote_hint(error) if local_path(uri) is None else _local_hint(error)
    if is_missing_bucket(error):
        return StoreError(f"cannot {action} {uri}: the bucket does not exist", hint=hint)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else _first_line(error)
    return StoreError(f"cannot {action} {uri}: {reason}", hint=hint)


def absence_error(action: str, uri: str, error: FileNotFoundError) -> NotFound | StoreError:
    """Return the error for a missing object at ``uri``, or for its missing bucket."""
    if is_missing_bucket(error):
        return store_error(action, uri, error)
    return NotFound(f"{uri} does not exist", hint="check the address; the data may have been deleted")


def link_error(uri: str, error: OSError) -> StoreError:
    """Return the error for a hard link that could not be created at ``uri``."""
    translated = store_error("create", uri, error)
    if error.errno in _EXCLUSIVE_LINK_ERRORS:
        translated.hint = _NO_LINK_HINT
    return translated


def _local_hint(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return _GENERIC_HINT if number is None else _HINTS.get(number, _GENERIC_HINT)


def _remote_hint(error: BaseException) -> str:
    # The clients' error numbers are imprecise: s3fs uses EIO for every answer without a number of its own.
    if is_missing_bucket(error):
        return _BUCKET_HINT
    if is_denial(error):
        return _DENIAL_HINT
    return _UNREACHABLE_HINT if is_unreachable(error) else _GENERIC_HINT


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:500]}" if text else type(error).__name__
