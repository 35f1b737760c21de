"""Files at http(s) addresses, read with the standard library."""

from __future__ import annotations

import io
import shutil
import urllib.error
import urllib.request
from typing import IO, Any

from flytemp.errors import NotFound, StoreError
from flytemp.store.failures import store_error
from flytemp.store.web_addresses import opener

_TIMEOUT_SECONDS = 60.0  # of one read from the connection, not of the whole download


def is_web(uri: str) -> bool:
    """Return whether the URI is an http(s) address."""
    return uri.lower().startswith(("http://", "https://"))


def open_stream(uri: str, *, text: bool) -> IO[Any]:
    """Return a stream of the body at ``uri``.

    Raises:
        NotFound: the server answered 404 or 410.
        NotSupported: the address is one to which a download may not connect.
        StoreError: the server does not answer, or refuses the request.
    """
    body = _open(urllib.request.Request(uri, headers={"User-Agent": "flytemp"}))
    return io.TextIOWrapper(body, encoding="utf-8") if text else body


def download(uri: str, path: str) -> None:
    """Write the body at ``uri`` to ``path``; raises as `open_stream`."""
    with open_stream(uri, text=False) as body, open(path, "wb") as file:
        try:
            shutil.copyfileobj(body, file, 1 << 20)
        except OSError as error:
            raise store_error("download", uri, error) from error
        # http.client does not report an incomplete transfer.
        missing = getattr(body, "length", None)
    if missing:
        raise StoreError(f"cannot download {uri}: the connection ended {missing} bytes early", hint="try again")


def exists(uri: str) -> bool:
    """Return whether the server has a file at ``uri``; raises StoreError as `open_stream`."""
    try:
        _open(urllib.request.Request(uri, method="HEAD", headers={"User-Agent": "flytemp"})).close()
    except NotFound:
        return False
    return True


def _open(request: urllib.request.Request) -> Any:
    try:
        return opener().open(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (404, 410):
                message = f"{request.full_url} does not exist (the server answered {error.code})"
                raise NotFound(message, hint="check the address") from error
            message = f"cannot read {request.full_url}: the server answered {error.code} {error.reason}"
            raise StoreError(message, hint="check the address; it may require a login") from error
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, OSError) else error
        raise store_error("read", request.full_url, reason) from error
