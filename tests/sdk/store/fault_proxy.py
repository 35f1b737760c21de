"""A proxy before an S3 server that drops answers or returns its own."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_HEADERS = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})


@dataclass(frozen=True)
class Request:
    method: str
    path: str

    @property
    def query(self) -> str:
        return urlsplit(self.path).query


@dataclass(frozen=True)
class Fault:
    """What happens to the next ``times`` requests that ``matches``.

    ``status`` 0: the server serves it, and its answer is lost with the connection. Else the proxy answers with
    ``status`` and ``code``, and the server hears of it only when ``served``.
    """

    matches: Callable[[Request], bool]
    status: int = 0
    code: str = ""
    times: int = 1
    served: bool = False
    more: str = ""
    """Further elements of the error's XML."""


@dataclass
class FaultProxy:
    target: int
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[tuple[Fault, list[int]]] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def add(self, fault: Fault) -> None:
        self._faults.append((fault, [fault.times]))

    def left(self) -> int:
        """Return the number of faults that have not happened."""
        return sum(left[0] for _, left in self._faults)

    def count(self, method: str, part: str = "") -> int:
        return sum(request.method == method and part in request.path for request in self.requests)

    def take(self, request: Request) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for fault, left in self._faults:
                if left[0] and fault.matches(request):
                    left[0] -= 1
                    return fault
        return None

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: FaultProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.proxy.take(Request(self.command, self.path))
        if fault is None or fault.served or not fault.status:
            status, headers, answer = self._forward(body)
        if fault is None:
            self._reply(status, headers, answer)
        elif fault.status:
            text = f"<Error><Code>{fault.code}</Code><Message>injected</Message>{fault.more}</Error>"
            self._reply(fault.status, [("Content-Type", "application/xml")], text.encode())
        else:
            self.close_connection = True  # without an answer

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.proxy.target, timeout=60)
        # The signature covers the Host header: it stays as the client sent it.
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        content = answer.read()
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_HEADERS]
        if self.command == "HEAD" and (length := answer.getheader("Content-Length")):
            headers.append(("Content-Length", length))
        connection.close()
        return answer.status, headers, content

    def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve

    def log_message(self, format: str, *args: object) -> None:
        return
