"""Errors of the operating system that mean that a process has used up its own resources."""

from __future__ import annotations

import errno
from collections.abc import Iterator

_RESOURCES = {
    errno.EMFILE: "file descriptors",
    errno.EFBIG: "allowed file size",
    errno.ENOMEM: "memory",
    errno.EAGAIN: "threads or processes",
}


def exhausted_resource(error: BaseException) -> str | None:
    """Return the resource of this process that is used up, such as "file descriptors"; None if ``error`` has another cause.

    The causes of the exception count, too.
    """
    return next((resource for resource in map(_resource, _chain(error)) if resource is not None), None)


def _resource(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return _RESOURCES[errno.ENOMEM]
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return _RESOURCES[errno.EAGAIN]
    # A socket that is not ready also raises EAGAIN, as a BlockingIOError.
    return _RESOURCES.get(error.errno or 0) if isinstance(error, OSError) and not isinstance(error, BlockingIOError) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and those that caused it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
