"""Where a worker serves its metrics when another worker of the machine does so already."""

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


def test_two_workers_of_a_machine_need_no_configuration(tmp_path: Path) -> None:
    with closing(serve(tmp_path, {})) as first, closing(serve(tmp_path, {})) as second:
        assert first.address != second.address


def test_an_address_that_was_chosen_is_not_another(tmp_path: Path) -> None:
    with (
        closing(serve(tmp_path, {"FLYTEMP_WORKER_METRICS_ADDRESS": "127.0.0.1:0"})) as first,
        pytest.raises(ConfigError, match=first.address),
    ):
        serve(tmp_path, {"FLYTEMP_WORKER_METRICS_ADDRESS": first.address})
