"""Tests of a worker's metrics and health checks over HTTP."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from flytemp.errors import ConfigError
from flytemp_worker.metrics import MAX_CONNECTIONS, MetricsServer, WorkerMetrics
from tests.installation import eventually


class Worker:
    def __init__(self) -> None:
        self.ready = False
        self.metrics = WorkerMetrics("1.2.3")
        self.server = MetricsServer("127.0.0.1:0", self.metrics, lambda: self.ready)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.server.address}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def worker() -> Iterator[Worker]:
    running = Worker()
    running.server.start()
    yield running
    running.server.close()


def test_health_endpoints(worker: Worker) -> None:
    assert worker.get("/healthz") == (200, "ok\n")
    assert worker.get("/readyz") == (503, "not ready\n")
    worker.ready = True
    assert worker.get("/readyz?from=kubelet") == (200, "ready\n")
    assert worker.get("/elsewhere")[0] == 404


def test_metrics_are_served(worker: Worker) -> None:
    worker.metrics.started("m.t")
    worker.metrics.started("m.t")
    worker.metrics.ended("m.t", "succeeded", 0.2)
    status, text = worker.get("/metrics?name=x")

    assert status == 200
    assert 'flytemp_task_tries_total{outcome="succeeded",task="m.t"} 1.0' in text
    assert "flytemp_task_tries_running 1.0" in text
    assert 'flytemp_task_try_duration_seconds_bucket{le="0.5",task="m.t"} 1.0' in text
    assert 'flytemp_build_info{version="1.2.3"} 1.0' in text


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "127.0.0.1:", "no.such.host.invalid:0"])
def test_unusable_address_is_rejected(address: str) -> None:
    with pytest.raises(ConfigError, match=address) as caught:
        MetricsServer(address, WorkerMetrics("1"), lambda: True)
    assert caught.value.hint is not None


def test_address_in_use_is_rejected(worker: Worker) -> None:
    with pytest.raises(ConfigError, match=worker.server.address):
        MetricsServer(worker.server.address, WorkerMetrics("1"), lambda: True)


def test_idle_connections_do_not_keep_threads(worker: Worker) -> None:
    host, _, port = worker.server.address.rpartition(":")
    before = threading.active_count()
    idle = [socket.create_connection((host, int(port))) for _ in range(MAX_CONNECTIONS + 8)]
    try:
        assert worker.get("/healthz") == (200, "ok\n")
        assert idle[0].recv(1) == b""  # the server has closed the oldest
        eventually(lambda: threading.active_count() - before <= MAX_CONNECTIONS, "threads of closed connections end")
    finally:
        for one in idle:
            one.close()
