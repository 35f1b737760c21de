"""Texts of the errors about stores, raw data, code bundles and names."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import sys
from pathlib import Path

import pytest

from flytemp import layout
from flytemp.bundle import contents, extract, find_project_root, pack
from flytemp.names import EntityId, check_execution, check_project
from flytemp.spec.models import BundleRef
from flytemp.spec.pages import from_pages
from flytemp.store import open_store, raw
from tests.messages.golden import Case, check_golden


def test_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "flow.py").write_text("x" * 100)
    outside = tmp_path / "linked"
    outside.mkdir()
    (outside / "link").symlink_to("/etc")
    ignoring = tmp_path / "ignoring"
    (ignoring / "big").mkdir(parents=True)
    (ignoring / ".gitignore").write_text("/big/\n")
    (ignoring / "link").symlink_to("big")
    piping = tmp_path / "piping"
    piping.mkdir()
    os.mkfifo(piping / "pipe")
    store = open_store(str(tmp_path / "store"))

    def pack_with(name: str, content: bytes) -> Case:
        folder = tmp_path / f"with{name}"
        folder.mkdir()
        (folder / name).write_bytes(content)
        return lambda: pack(folder)

    def extract_archive(archive: bytes, size: int | None = None) -> Case:
        digest = hashlib.sha256(archive).hexdigest()
        store.write(layout.bundle_key(digest), gzip.compress(archive, mtime=0))
        return lambda: extract(store, BundleRef(digest=digest, size=size or len(archive)), tmp_path / "cache")

    def full(*arguments: object, **options: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write_to_a_full_disk() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            store.write("a", b"x")

    def download_without_the_client() -> None:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "gcsfs", None)
            raw.download_file("gs://bucket/x", tmp_path / "x")

    def pack_too_many_files() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(contents, "MAX_FILES", 0)
            pack(project)

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
        "a listing of the web": lambda: raw.list_directory("https://example.com/x"),
        "a listing of a file": lambda: raw.list_directory(str(project / "flow.py")),
        "a client that is not installed": download_without_the_client,
        "a project that does not exist": lambda: find_project_root(tmp_path / "absent"),
        "a bundle that is too large": lambda: pack(project, limit_bytes=10),
        "a link out of the project": lambda: pack(outside),
        "a link to an excluded folder": lambda: pack(ignoring),
        "a pipe in the project": lambda: pack(piping),
        "an ignore file that is not text": pack_with(".gitignore", b"\xff\xfe"),
        "an invalid pattern": pack_with(".flytempignore", b"ok\n!\n"),
        "too many files": pack_too_many_files,
        "an import root outside the project": lambda: pack(project, [".."]),
        "a bundle that is not in the store": lambda: extract(store, BundleRef(digest="0" * 64, size=1), tmp_path / "cache"),
        "a bundle over the size limit": extract_archive(b"y", 2**40),
        "a bundle that is not an archive": extract_archive(b"just text" * 200),
        "damaged pages of a plan": lambda: from_pages(["äöü"]),
        "an invalid project name": lambda: check_project("My Project"),
        "an invalid execution name": lambda: check_execution("a/b"),
        "an invalid identifier": lambda: EntityId.parse("tsk:a:b"),
    }
    check_golden("stores", cases, {str(tmp_path): "/tmp"})
