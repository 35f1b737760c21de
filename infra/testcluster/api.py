"""A small client of the Kubernetes API for what the test cluster and its tests do themselves: JSON over one URL."""

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
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """Requests of one user. Proxies in the environment are not asked: the server is on this machine or reached directly."""

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
        """One request; the answer's JSON. Raises Refused for an error of the server, ClusterError when there is none."""
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
        """The object at a path."""
        return self.request("GET", path)

    def find(self, path: str) -> Any | None:
        """The object at a path; None when there is none."""
        try:
            return self.get(path)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def create(self, path: str, body: object) -> Any:
        """A new object in a collection."""
        return self.request("POST", path, body)

    def delete(self, path: str) -> None:
        """Deletes what is at a path; nothing happens when there is nothing."""
        try:
            self.request("DELETE", path)
        except Refused as error:
            if error.status != 404:
                raise

    def patch(self, path: str, body: object) -> Any:
        """A strategic merge patch."""
        return self.request("PATCH", path, body, "application/strategic-merge-patch+json")


def eventually(what: str, look: Callable[[], T | None], seconds: float = 30) -> T:
    """Waits until `look` gives something true, and returns it. Raises ClusterError, with the last error, when it never does."""
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
