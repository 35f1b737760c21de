"""Tests of the metrics address when another worker uses the default address."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from flytemp.config import load_settings
from flytemp.errors import ConfigError
from flytemp_worker.metrics import MetricsServer, WorkerMetrics
from flytemp_worker.serve import metrics_server


def serve(folder: Path, environ: dict[str, str]) -> MetricsServer:
    server = metrics_server(load_settings(folder, environ=environ), WorkerMetrics("1"), lambda: True)
    server.start()
    return server


def test_second_worker_uses_a_free_port_by_default(tmp_path: Path) -> None:
    with closing(serve(tmp_path, {})) as first, closing(serve(tmp_path, {})) as second:
        assert first.address != second.address


def test_configured_address_in_use_is_an_error(tmp_path: Path) -> None:
    with (
        closing(serve(tmp_path, {"FLYTEMP_WORKER_METRICS_ADDRESS": "127.0.0.1:0"})) as first,
        pytest.raises(ConfigError, match=first.address),
    ):
        serve(tmp_path, {"FLYTEMP_WORKER_METRICS_ADDRESS": first.address})
