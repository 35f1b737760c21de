"""fsspec's file systems, by protocol, with the errors that a user of a missing one understands."""

from __future__ import annotations

from typing import Any, Protocol

from flytemp.errors import NotSupported
from flytemp.store.failures import store_error

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_PACKAGES = {"abfs": "adlfs", "abfss": "adlfs", "az": "adlfs"}


class FileSystem(Protocol):
    """The part of ``fsspec.AbstractFileSystem`` that flytemp uses."""

    def cat_file(self, path: str, /) -> bytes: ...
    def pipe_file(self, path: str, value: bytes, /, **options: Any) -> None: ...
    def rm_file(self, path: str, /) -> None: ...
    def info(self, path: str, /, **options: Any) -> dict[str, Any]: ...
    def ls(self, path: str, /, detail: bool = ...) -> list[Any]: ...
    def find(self, path: str, /) -> list[str]: ...
    def get_file(self, source: str, target: str, /) -> None: ...
    def put_file(self, source: str, target: str, /) -> None: ...
    def open(self, path: str, /, mode: str = ...) -> Any: ...


def file_system(uri: str) -> tuple[FileSystem, str]:
    """The file system of ``uri``, and the path in it.

    Raises:
        NotSupported: when nothing installed knows the protocol.
        StoreError: when its client cannot be set up.
    """
    import fsspec

    protocol = uri.partition("://")[0].lower()
    try:
        # A listing cache would hide what other processes create.
        found, path = fsspec.url_to_fs(uri, use_listings_cache=False)
    except ImportError as error:
        message = f"{uri} needs a client that is not installed ({error.name or error})"
        raise NotSupported(message, hint=_install(protocol)) from error
    except ValueError as error:
        message = f"{uri}: no kind of storage is known as {protocol!r}"
        raise NotSupported(message, hint="file, s3, gs and memory are, and what fsspec has a client for") from error
    except Exception as error:
        raise store_error("set up the client of", uri, error) from error
    return found, path


def _install(protocol: str) -> str:
    if protocol in _EXTRAS:
        return f"pip install 'flytemp[{_EXTRAS[protocol]}]'"
    return f"pip install {_PACKAGES.get(protocol, 'the fsspec client of ' + protocol)}"
