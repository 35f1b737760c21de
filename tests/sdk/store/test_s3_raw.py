"""Files and folders in a bucket of a real S3 server."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flytemp.errors import NotFound, StoreError
from flytemp.store import raw
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile
from infra.testcluster.s3 import S3Server

pytestmark = pytest.mark.e2e

_NAMES = ["plain.txt", "a b.txt", "ä.bin", "a%20b", "a+b", "a#b", "a?b", "a::b", "[1].txt", "*", "sub/inner.txt", "sub/deep/x"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    for number, name in enumerate(_NAMES):
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    return made


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_folder_round_trip(s3_prefix: str, folder: Path, tmp_path: Path) -> None:
    raw.upload_directory(folder, f"{s3_prefix}/d")
    raw.download_directory(f"{s3_prefix}/d", tmp_path / "back")
    assert _contents(tmp_path / "back") == _contents(folder)
    assert len(_contents(folder)) == len(_NAMES)


def test_folder_is_listed_in_order(s3_prefix: str, folder: Path) -> None:
    raw.upload_directory(folder, f"{s3_prefix}/d")
    entries = raw.list_directory(f"{s3_prefix}/d")
    assert [entry.name for entry in entries] == sorted({name.partition("/")[0] for name in _NAMES})
    assert [(entry.name, entry.size) for entry in entries if entry.is_directory] == [("sub", None)]
    assert all(entry.size in (1, 2) for entry in entries if not entry.is_directory)
    assert [entry.uri for entry in raw.list_directory(f"{s3_prefix}/d/sub")] == [
        f"{s3_prefix}/d/sub/deep",
        f"{s3_prefix}/d/sub/inner.txt",
    ]


def test_large_file_is_moved_in_parts(s3_prefix: str, tmp_path: Path) -> None:
    data = os.urandom(2**20) * 130
    (tmp_path / "large").write_bytes(data)
    raw.upload_file(tmp_path / "large", f"{s3_prefix}/large")
    raw.download_file(f"{s3_prefix}/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


def test_missing_source_is_not_found(s3_prefix: str, tmp_path: Path) -> None:
    assert raw.exists(f"{s3_prefix}/no") is False
    with pytest.raises(NotFound, match="/no "):
        raw.download_file(f"{s3_prefix}/no", tmp_path / "no")
    with pytest.raises(NotFound, match="/no "):
        raw.download_directory(f"{s3_prefix}/no", tmp_path / "no")
    with pytest.raises(NotFound, match="/no "):
        raw.open_uri(f"{s3_prefix}/no").read()
    assert list(tmp_path.iterdir()) == []


def test_file_is_not_a_folder(s3_prefix: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    raw.upload_file(tmp_path / "a", f"{s3_prefix}/a")
    assert raw.exists(f"{s3_prefix}/a") is True
    with pytest.raises(NotFound):
        raw.list_directory(f"{s3_prefix}/a")


def test_missing_bucket_is_an_error(s3_server: S3Server, s3_prefix: str, tmp_path: Path) -> None:
    uri = s3_prefix.replace(s3_server.bucket, "bucket-of-nobody")
    (tmp_path / "a").write_bytes(b"x")
    for act in (
        lambda: raw.exists(uri),
        lambda: raw.upload_file(tmp_path / "a", uri),
        lambda: raw.download_file(uri, tmp_path / "b"),
        lambda: raw.list_directory(uri),
        lambda: raw.open_uri(uri, "rb"),
    ):
        with pytest.raises(StoreError, match="the bucket does not exist") as caught:
            act()
        assert "create the bucket" in (caught.value.hint or "")


def test_streams(s3_prefix: str) -> None:
    with raw.open_uri(f"{s3_prefix}/t", "w") as stream:
        stream.write("grüße\n")
    with raw.open_uri(f"{s3_prefix}/t", "r") as stream:
        assert stream.read() == "grüße\n"
    with raw.open_uri(f"{s3_prefix}/t", "rb") as stream:
        assert stream.read() == "grüße\n".encode()


def test_many_threads_move_files(s3_prefix: str, tmp_path: Path) -> None:
    def move(number: int) -> bytes:
        (tmp_path / f"{number}").write_bytes(b"%d" % number)
        raw.upload_file(tmp_path / f"{number}", f"{s3_prefix}/{number}")
        raw.download_file(f"{s3_prefix}/{number}", tmp_path / f"{number}-back")
        return (tmp_path / f"{number}-back").read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(move, range(40))) == [b"%d" % number for number in range(40)]


def test_file_and_folder_of_a_task(s3_prefix: str, folder: Path) -> None:
    raw.upload_directory(folder, f"{s3_prefix}/d")
    file = FlyteFile(f"{s3_prefix}/d/plain.txt")
    assert Path(file.download()).read_bytes() == b"0"
    directory = FlyteDirectory(f"{s3_prefix}/d")
    assert _contents(Path(directory.download())) == _contents(folder)
