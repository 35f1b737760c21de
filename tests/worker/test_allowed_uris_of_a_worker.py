"""URIs that a worker lets a launch name, from its settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flytemp.config import load_settings
from flytemp.config.dev_state import DevState
from flytemp.literals.allowed_uris import AllowedUris
from flytemp_worker.serve import resolved_settings


def test_raw_data_uploads_and_listed_prefixes_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "flytemp.toml").write_text('store = "s3://team/flytemp"\nallowed_uri_prefixes = ["s3://datasets"]\n')
    allowed = AllowedUris(resolved_settings(load_settings(tmp_path, environ={})).allowed_uris)
    permitted = ("s3://team/flytemp/data/x", "s3://team/flytemp/uploads/x", "s3://datasets/x")
    refused = ("s3://team/flytemp/registry/x", "s3://team/flytemp/executions/x", "s3://other/x", "file:///etc/passwd", "http://x/y")
    assert [uri for uri in (*permitted, *refused) if allowed.permits(uri)] == list(permitted)


def test_raw_data_outside_of_the_store_is_allowed(tmp_path: Path) -> None:
    variables = {"FLYTEMP_STORE": str(tmp_path / "store"), "FLYTEMP_RAW_DATA_PREFIX": "gs://raw/data"}
    allowed = AllowedUris(resolved_settings(load_settings(tmp_path, environ=variables)).allowed_uris)
    assert allowed.permits("gs://raw/data/x")
    assert allowed.permits(f"file://{tmp_path}/store/uploads/x")
    assert not allowed.permits(f"file://{tmp_path}/store/registry/x")


def test_each_uri_is_allowed_with_flytemp_dev(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    dev = DevState(pid=1, address="localhost:1", namespace="default", store=settings.store, task_queue="q")
    assert resolved_settings(replace(settings, dev=dev)).allowed_uris is None
