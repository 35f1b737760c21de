"""fsspec's file systems, by protocol, with the errors that a user of a missing one understands.

fsspec runs its clients on a thread of its own, one for a process: they may be called from any thread, and not in a
process that was forked after the first call, which has no such thread. Processes that use a store are spawned.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Protocol

from flytemp.errors import NotSupported
from flytemp.store.failures import store_error

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_SURROUNDINGS = (
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
    "STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS",
)  # fmt: skip
_PACKAGES = {"abfs": "adlfs", "abfss": "adlfs", "az": "adlfs"}


class FileSystem(Protocol):
    """The part of ``fsspec.AbstractFileSystem`` that flytemp uses."""

    def cat_file(self, path: str, /, **options: Any) -> bytes: ...
    def pipe_file(self, path: str, value: bytes, /, **options: Any) -> None: ...
    def rm_file(self, path: str, /) -> None: ...
    def info(self, path: str, /, **options: Any) -> dict[str, Any]: ...
    def ls(self, path: str, /, detail: bool = ...) -> list[Any]: ...
    def find(self, path: str, /) -> list[str]: ...
    def get_file(self, source: str, target: str, /) -> None: ...
    def put_file(self, source: str, target: str, /) -> None: ...
    def open(self, path: str, /, mode: str = ...) -> Any: ...


def file_system(uri: str) -> tuple[FileSystem, str]:
    """The file system of ``uri``, and the path in it. One client serves all that lies at one protocol and host.

    Raises:
        NotSupported: when nothing installed knows the protocol.
        StoreError: when its client cannot be set up.
    """
    protocol, _, rest = uri.partition("://")
    surroundings = tuple(os.environ.get(name) for name in _SURROUNDINGS)
    found = _client(f"{protocol.lower()}://{rest.partition('/')[0]}", surroundings)
    # Not fsspec.url_to_fs: that takes a "::" in a file's name for a chain of file systems.
    return found, found._strip_protocol(uri)


@functools.lru_cache(maxsize=64)
def _client(root: str, surroundings: tuple[str | None, ...]) -> Any:
    """``surroundings`` are what the client reads of the environment when it is made: others are another client's."""
    # fsspec keeps a client for each thread, and setting one up takes a tenth of a second: hence the cache.
    import fsspec

    protocol = root.partition("://")[0]
    try:
        kind = fsspec.get_filesystem_class(protocol)
        # A listing cache would hide what other processes create.
        return kind(**{**kind._get_kwargs_from_urls(root), "use_listings_cache": False, "skip_instance_cache": True})
    except ImportError as error:
        message = f"{root} needs a client that is not installed ({error.name or error})"
        raise NotSupported(message, hint=_install(protocol)) from error
    except ValueError as error:
        message = f"{root}: no kind of storage is known as {protocol!r}"
        raise NotSupported(message, hint="file, s3, gs and memory are, and what fsspec has a client for") from error
    except Exception as error:
        raise store_error("set up the client of", root, error) from error


def _install(protocol: str) -> str:
    if protocol in _EXTRAS:
        return f"pip install 'flytemp[{_EXTRAS[protocol]}]'"
    return f"pip install {_PACKAGES.get(protocol, 'the fsspec client of ' + protocol)}"
