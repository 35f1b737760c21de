"""Clients of fsspec by protocol.

fsspec runs its clients on one thread per process. The clients may be called from any thread. They do not work in a process
that was forked after the first call, because the thread is missing there. A process that forks others only imports the clients.
"""

from __future__ import annotations

import contextlib
import functools
import os
from typing import Any, Protocol

from flytemp.errors import NotSupported
from flytemp.store.failures import store_error

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_VARIABLES = (
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
    """Return the client of ``uri``, and the path in it. All URIs of one protocol and host share a client.

    Raises:
        NotSupported: the protocol is unknown, or its client is not installed.
        StoreError: the client cannot be set up.
    """
    protocol, _, rest = uri.partition("://")
    variables = tuple(os.environ.get(name) for name in _VARIABLES)
    found = _client(f"{protocol.lower()}://{rest.partition('/')[0]}", variables)
    # Not fsspec.url_to_fs, which reads "::" in a file's name as a chain of file systems.
    return found, found._strip_protocol(uri)


def import_client(protocol: str) -> None:
    """Import the client of a protocol, and start nothing. A client that cannot be imported is reported when it is used."""
    import fsspec

    with contextlib.suppress(ImportError, ValueError):
        fsspec.get_filesystem_class(protocol)


@functools.lru_cache(maxsize=64)
def _client(root: str, variables: tuple[str | None, ...]) -> Any:
    """Return a client. ``variables`` are the values that the client reads from the environment: other values, another client."""
    # fsspec caches a client per thread, and setting one up takes 0.1 s: one client serves all threads.
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
        message = f"{root}: the protocol {protocol!r} is unknown"
        raise NotSupported(message, hint="use file, s3, gs, memory, or a protocol of an fsspec client") from error
    except Exception as error:
        raise store_error("set up the client of", root, error) from error


def _install(protocol: str) -> str:
    if protocol in _EXTRAS:
        return f"pip install 'flytemp[{_EXTRAS[protocol]}]'"
    return f"pip install {_PACKAGES.get(protocol, 'the fsspec client of ' + protocol)}"
