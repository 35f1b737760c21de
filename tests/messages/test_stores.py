"""Texts of the errors about stores, raw data, code bundles and names."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from flytemp.bundle import extract, find_project_root, pack
from flytemp.names import EntityId, check_execution, check_project
from flytemp.spec.models import BundleRef
from flytemp.store import open_store, raw
from tests.messages.golden import Case, check_golden


def test_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "flow.py").write_text("x" * 100)
    outside = tmp_path / "linked"
    outside.mkdir()
    (outside / "link").symlink_to("/etc")
    store = open_store(str(tmp_path / "store"))

    def full(*arguments: object, **options: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write_to_a_full_disk() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            store.write("a", b"x")

    cases: dict[str, Case] = {
        "a relative store": lambda: open_store("store"),
        "a store without a bucket": lambda: open_store("s3://"),
        "an unknown protocol": lambda: open_store("nosuch://bucket"),
        "a missing object": lambda: store.read("a/b"),
        "an invalid key": lambda: store.read("../a"),
        "a full disk": write_to_a_full_disk,
        "a download of a missing file": lambda: raw.download_file(str(tmp_path / "absent"), tmp_path / "x"),
        "an upload of a missing file": lambda: raw.upload_file(tmp_path / "absent", "memory://x/y"),
        "an upload to the web": lambda: raw.upload_file(project / "flow.py", "https://example.com/x"),
        "a project that does not exist": lambda: find_project_root(tmp_path / "absent"),
        "a bundle that is too large": lambda: pack(project, limit_bytes=10),
        "a link out of the project": lambda: pack(outside),
        "an import root outside the project": lambda: pack(project, [".."]),
        "a bundle that is not in the store": lambda: extract(store, BundleRef(digest="0" * 64, size=1), tmp_path / "cache"),
        "an invalid project name": lambda: check_project("My Project"),
        "an invalid execution name": lambda: check_execution("a/b"),
        "an invalid identifier": lambda: EntityId.parse("tsk:a:b"),
    }
    check_golden("stores", cases, {str(tmp_path): "/tmp"})
