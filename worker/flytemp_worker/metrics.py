"""Prometheus metrics and health checks of a worker, on one HTTP server.

The Temporal SDK serves its metrics itself. `serve` starts both servers and logs both addresses.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from flytemp.errors import ConfigError

MAX_CONNECTIONS = 32
"""Maximum number of open connections to the metrics server. A further one closes the oldest, which is idle or slow."""

IDLE_SECONDS = 10.0
"""Time after which a connection without data is closed."""


class WorkerMetrics:
    """Metrics of a worker. Names follow the conventions of Prometheus: base units, ``_total`` for counters, no ids as labels."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.tries = Counter(
            "flytemp_task_tries_total",
            "Tries of tasks that ended, by task and outcome",
            ["task", "outcome"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "flytemp_task_try_duration_seconds",
            "Time from the start of a try's activity to its result",
            ["task"],
            registry=self.registry,
            buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 28800, 86400),
        )
        self.running = Gauge(
            "flytemp_task_tries_running", "Tries that this worker supervises", registry=self.registry
        )
        self.slots = Gauge("flytemp_task_slots", "Maximum number of concurrent tries of this worker", registry=self.registry)
        info = Gauge("flytemp_build_info", "Constant 1, with the version as a label", ["version"], registry=self.registry)
        info.labels(version).set(1)

    def started(self, task: str) -> None:
        """Count a try of ``task`` that started; see `flytemp_activities.tasks.TryObserver`."""
        self.running.inc()

    def ended(self, task: str, outcome: str, seconds: float) -> None:
        """Count a try of ``task`` that ended or left this worker."""
        self.running.dec()
        self.tries.labels(task, outcome).inc()
        self.seconds.labels(task).observe(seconds)


class _BoundedServer(ThreadingHTTPServer):
    """HTTP server with a thread for each connection and a bounded number of connections."""

    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: dict[socket.socket, None] = {}  # the oldest first
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            oldest = next(iter(self._connections)) if len(self._connections) >= MAX_CONNECTIONS else None
            if oldest is not None:
                del self._connections[oldest]
            self._connections[request] = None
        if oldest is not None:
            with contextlib.suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end of the stream, and ends
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do not log a connection that the client or this server closed early."""


class MetricsServer:
    """HTTP server of ``/metrics``, ``/healthz`` (200 while the process runs) and ``/readyz`` (200 while it polls Temporal)."""

    def __init__(self, address: str, metrics: WorkerMetrics, ready: Callable[[], bool]) -> None:
        host, _, port = address.rpartition(":")
        handler = _handler(metrics, ready)
        try:
            self._server = _BoundedServer((host or "127.0.0.1", int(port)), handler)
        except (OSError, OverflowError, ValueError) as error:
            raise ConfigError(
                f"cannot listen on the metrics address {address!r}: {error}",
                hint="set another with --metrics-address or FLYTEMP_WORKER_METRICS_ADDRESS; port 0 takes a free one",
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="flytemp-metrics", daemon=True)

    @property
    def address(self) -> str:
        """The bound ``host:port``."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(metrics: WorkerMetrics, ready: Callable[[], bool]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE_SECONDS

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, generate_latest(metrics.registry), CONTENT_TYPE_LATEST)
            elif path == "/healthz":
                self._answer(200, b"ok\n", "text/plain")
            elif path == "/readyz":
                status, text = (200, b"ready\n") if ready() else (503, b"not ready\n")
                self._answer(status, text, "text/plain")
            else:
                self._answer(404, b"not found: try /metrics, /healthz or /readyz\n", "text/plain")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object, **named: object) -> None:
            """Do not log requests."""

    return Handler
