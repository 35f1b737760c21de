"""Files and folders at URIs: local, in a bucket (fsspec's memory), on the web."""

from __future__ import annotations

import errno
import http.server
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flytemp.errors import InputError, NotFound, NotSupported, StoreError
from flytemp.store import raw


@pytest.fixture(params=["path", "file", "memory"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    place = tmp_path / "raw data"
    return {
        "path": str(place),
        "file": f"file://{place}",
        "memory": f"memory://{tmp_path.name}-{id(request)}/raw data",
    }[request.param]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "sub" / "deeper").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "sub" / "b c%20.bin").write_bytes(b"bb")
    (folder / "sub" / "deeper" / "c").write_bytes(b"")
    return folder


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        ("s3://bucket/x", True),
        ("file:///x", True),
        ("https://example.org/x", True),
        ("memory://x", True),
        ("/abs/path", False),
        ("relative/path", False),
        ("c:/windows", False),
        ("C://odd", False),
        ("", False),
        ("strange:name", False),
    ],
)
def test_is_remote(text: str, remote: bool) -> None:
    assert raw.is_remote(text) is remote


def test_is_remote_accepts_a_path_object() -> None:
    assert raw.is_remote(Path("/x")) is False


def test_file_round_trip(base: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"\x00data")
    uri = raw.join(base, "deep", "file.bin")
    raw.upload_file(tmp_path / "in", uri)
    raw.download_file(uri, tmp_path / "new" / "out")
    assert (tmp_path / "new" / "out").read_bytes() == b"\x00data"
    assert raw.exists(uri)
    assert not raw.exists(uri + "x")


def test_upload_replaces(base: str, tmp_path: Path) -> None:
    uri = raw.join(base, "file")
    for content in (b"one", b"two"):
        (tmp_path / "in").write_bytes(content)
        raw.upload_file(tmp_path / "in", uri)
    with raw.open_uri(uri) as stream:
        assert stream.read() == b"two"


def test_file_uploaded_to_itself_is_kept(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"data")
    raw.upload_file(tmp_path / "in", f"file://{tmp_path}/in")
    assert (tmp_path / "in").read_bytes() == b"data"


def test_folder_round_trip(base: str, tree: Path, tmp_path: Path) -> None:
    raw.upload_directory(tree, base)
    raw.download_directory(base, tmp_path / "back")
    assert _contents(tmp_path / "back") == _contents(tree)


def test_list_directory(base: str, tree: Path) -> None:
    raw.upload_directory(tree, base)
    assert [(entry.name, entry.is_directory, entry.size) for entry in raw.list_directory(base)] == [
        ("a.txt", False, 1),
        ("sub", True, None),
    ]
    below = raw.list_directory(raw.join(base, "sub"))
    assert [entry.name for entry in below] == ["b c%20.bin", "deeper"]
    with raw.open_uri(below[0].uri) as stream:
        assert stream.read() == b"bb"


def test_open_uri_writes_and_reads_text(base: str) -> None:
    uri = raw.join(base, "x", "text")
    with raw.open_uri(uri, "w") as stream:
        stream.write("grün\n")
    with raw.open_uri(uri, "r") as stream:
        assert stream.read() == "grün\n"
    with raw.open_uri(uri, "rb") as stream:
        assert stream.read() == "grün\n".encode()


@pytest.mark.parametrize(
    "call",
    [
        lambda uri, tmp: raw.download_file(uri, tmp / "out"),
        lambda uri, tmp: raw.download_directory(uri, tmp / "out"),
        lambda uri, tmp: raw.list_directory(uri),
        lambda uri, tmp: raw.open_uri(uri),
    ],
)
def test_missing_files_are_not_found(base: str, tmp_path: Path, call: Callable[[str, Path], object]) -> None:
    with pytest.raises(NotFound, match="/absent") as caught:
        call(raw.join(base, "absent"), tmp_path)
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_file_is_not_a_folder(base: str, tree: Path) -> None:
    raw.upload_directory(tree, base)
    with pytest.raises(NotFound, match=r"/a\.txt"):
        raw.list_directory(raw.join(base, "a.txt"))


def test_upload_of_a_missing_file_is_an_error(base: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="/absent"):
        raw.upload_file(tmp_path / "absent", raw.join(base, "x"))
    with pytest.raises(NotFound, match="/absent"):
        raw.upload_directory(tmp_path / "absent", raw.join(base, "x"))


def test_failed_download_leaves_nothing(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match=os.strerror(errno.ENOSPC)):
        raw.download_file(f"file://{tree}/a.txt", tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_upload_below_a_file_is_an_error(tree: Path) -> None:
    with pytest.raises(StoreError) as caught:
        raw.upload_file(tree / "a.txt", f"file://{tree}/a.txt/x")
    assert caught.value.hint


def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = raw.RawEntry("..\\evil", "memory://x/evil", False, 1)
    monkeypatch.setattr(raw, "list_directory", lambda uri: [entry])
    with pytest.raises(InputError, match="evil"):
        raw.download_directory("memory://x", tmp_path / "out")


def test_missing_client_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(NotSupported) as caught:
        raw.download_file("gs://bucket/x", tmp_path / "x")
    assert caught.value.hint == "pip install 'flytemp[gcs]'"


# --------------------------------------------------------------------------------------------- the web


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/data":
            self._answer(200, b"from the web", 12)
        elif self.path == "/cut":
            self._answer(200, b"from the", 12)
        elif self.path == "/secret":
            self._answer(403, b"", 0)
        else:
            self._answer(404, b"", 0)

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_web_address_is_read(site: str, tmp_path: Path) -> None:
    raw.download_file(f"{site}/data", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"from the web"
    with raw.open_uri(f"{site}/data", "r") as stream:
        assert stream.read() == "from the web"
    assert raw.exists(f"{site}/data")
    assert not raw.exists(f"{site}/absent")


@pytest.mark.parametrize(
    ("page", "kind", "text"),
    [
        ("absent", NotFound, "404"),
        ("secret", StoreError, "403"),
        ("cut", StoreError, "4 bytes"),
    ],
)
def test_missing_web_address_is_not_found(site: str, tmp_path: Path, page: str, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        raw.download_file(f"{site}/{page}", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_unreachable_web_server_is_an_error(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match=os.strerror(errno.ECONNREFUSED)):
        raw.download_file("http://127.0.0.1:1/x", tmp_path / "out")


def test_web_address_cannot_be_written(tree: Path) -> None:
    with pytest.raises(NotSupported, match=r"https://example\.org/x"):
        raw.upload_file(tree / "a.txt", "https://example.org/x")
    with pytest.raises(NotSupported, match=r"https://example\.org/x"):
        raw.open_uri("https://example.org/x", "w")
    with pytest.raises(NotSupported, match=r"https://example\.org/x"):
        raw.list_directory("https://example.org/x")


def test_folder_without_a_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bucket:
        """A bucket that lists "d/" (a marker object of a console), "d//y" and "d/x", as s3fs does."""

        entries = [("b/d/", "file"), ("b/d/", "directory"), ("b/d/x", "file")]

        def ls(self, path: str, /, detail: bool = True) -> list[dict[str, object]]:
            return [{"name": name, "type": kind, "size": 0} for name, kind in self.entries]

    bucket = Bucket()
    monkeypatch.setattr(raw, "file_system", lambda uri: (bucket, "b/d"))
    with pytest.raises(InputError, match="s3://b/d"):
        raw.download_directory("s3://b/d", tmp_path)
    bucket.entries = [("b/d/", "file"), ("b/d/x", "file")]
    assert [entry.name for entry in raw.list_directory("s3://b/d")] == ["x"]
