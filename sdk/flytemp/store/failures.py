"""What the operating system or a cloud client says, as an error a person can act on."""

from __future__ import annotations

import errno

from flytemp.errors import NotFound, StoreError
from flytemp.store.error_codes import is_denial, is_missing_bucket, is_silence
from flytemp.store.keys import local_path

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
_BUCKET_HINT = "create the bucket, or correct its name (or the address of the server: for S3, AWS_ENDPOINT_URL)"
_DENIAL_HINT = (
    "check the credentials of this process's environment (for S3, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile "
    "or a role), and that they may read, write, list and delete there"
)
_SILENCE_HINT = (
    "nothing answers there: check that the server runs, the network, and its address (for S3, AWS_ENDPOINT_URL)"
)


def store_error(action: str, uri: str, error: BaseException) -> StoreError:
    """The error for ``error``, met while doing ``action`` ("read", "write", …) on ``uri``."""
    hint = _remote_hint(error) if local_path(uri) is None else _local_hint(error)
    if is_missing_bucket(error):
        return StoreError(f"cannot {action} {uri}: there is no such bucket", hint=hint)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else _first_line(error)
    return StoreError(f"cannot {action} {uri}: {reason}", hint=hint)


def absence(action: str, uri: str, error: FileNotFoundError) -> NotFound | StoreError:
    """The error for something at ``uri`` that is not there, as opposed to the bucket that is to hold it."""
    if is_missing_bucket(error):
        return store_error(action, uri, error)
    return NotFound(f"{uri} does not exist", hint="check the address; the data may have been deleted")


def link_error(uri: str, error: OSError) -> StoreError:
    """The error for a hard link that could not be made at ``uri``."""
    translated = store_error("create", uri, error)
    if error.errno in _EXCLUSIVE_LINK_ERRORS:
        translated.hint = _NO_LINK_HINT
    return translated


def _local_hint(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return _GENERIC_HINT if number is None else _HINTS.get(number, _GENERIC_HINT)


def _remote_hint(error: BaseException) -> str:
    # The clients' error numbers are a rough translation: EIO is any answer that s3fs has no number for.
    if is_missing_bucket(error):
        return _BUCKET_HINT
    if is_denial(error):
        return _DENIAL_HINT
    return _SILENCE_HINT if is_silence(error) else _GENERIC_HINT


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:500]}" if text else type(error).__name__
