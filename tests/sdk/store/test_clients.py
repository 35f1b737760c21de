"""One client for a bucket, and another where the environment says another server or other credentials."""

from __future__ import annotations

import pytest

from flytemp.store.filesystems import file_system

pytest.importorskip("s3fs")


def test_a_client_belongs_to_what_its_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    first, _ = file_system("s3://bucket/a")
    assert file_system("s3://bucket/b")[0] is first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:2")
    second, _ = file_system("s3://bucket/a")
    assert second is not first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert file_system("s3://bucket/a")[0] is first
