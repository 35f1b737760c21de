"""Clients by bucket, server and credentials."""

from __future__ import annotations

import pytest

from flytemp.store.filesystems import file_system

pytest.importorskip("s3fs")


def test_changed_environment_makes_another_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    first, _ = file_system("s3://bucket/a")
    assert file_system("s3://bucket/b")[0] is first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:2")
    second, _ = file_system("s3://bucket/a")
    assert second is not first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert file_system("s3://bucket/a")[0] is first
