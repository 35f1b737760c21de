"""Small client of the Kubernetes API for the test cluster and its tests."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from infra.testcluster.errors import ClusterError

T = TypeVar("T")


class Refused(ClusterError):
    """Error response of the API server."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """API client of one user. Proxies in the environment are ignored, because the server is local or accessed directly."""

    def __init__(
        self,
        server: str,
        token: str,
        ca_file: Path | None,
        *,
        agent: str = "testcluster",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.server = server
        self._headers = {"User-Agent": agent, "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        if certificate:
            context.load_cert_chain(*certificate)
        handler = urllib.request.HTTPSHandler(context=context)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)

    def request(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """Send a request and return the JSON response. Raise Refused for an error response, ClusterError without a response."""
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, **({"Content-Type": content_type} if data else {})}
        request = urllib.request.Request(self.server + path, data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read().decode(errors="replace")[:2000]) from None
        except OSError as error:
            raise ClusterError(f"{method} {self.server}{path}: {error}") from None
        return json.loads(text) if text.startswith(b"{") else text.decode()

    def get(self, path: str) -> Any:
        """Return the object at a path."""
        return self.request("GET", path)

    def find(self, path: str) -> Any | None:
        """Return the object at a path, or None if it does not exist."""
        try:
            return self.get(path)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def create(self, path: str, body: object) -> Any:
        """Create an object in a collection."""
        return self.request("POST", path, body)

    def delete(self, path: str) -> None:
        """Delete the object at a path if it exists."""
        try:
            self.request("DELETE", path)
        except Refused as error:
            if error.status != 404:
                raise

    def patch(self, path: str, body: object) -> Any:
        """Apply a strategic merge patch."""
        return self.request("PATCH", path, body, "application/strategic-merge-patch+json")


def eventually(what: str, look: Callable[[], T | None], seconds: float = 30) -> T:
    """Wait until `look` returns a true value, and return it. Raise ClusterError with the last error after the timeout."""
    until = time.monotonic() + seconds
    last: ClusterError | None = None
    while True:
        try:
            found = look()
        except ClusterError as error:
            last = error
        else:
            last = None
            if found:
                return found
        if time.monotonic() > until:
            raise ClusterError(f"not within {seconds:g} s: {what}" + (f" ({last})" if last else ""))
        time.sleep(0.02)
