"""The contract of every kind of store."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec.registry  # noqa: F401 - `fsspec.registry` is shadowed by a mapping of that name
import pytest

from flytemp.errors import InputError, InvalidName, NotFound, NotSupported, StoreError
from flytemp.store import open_store
from flytemp.store.keys import TEMPORARY_PREFIX
from flytemp.store.object_store import ObjectStore
from tests.sdk.store.conftest import forget_clients


@pytest.fixture(params=["file", "memory", pytest.param("s3", marks=pytest.mark.e2e)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "file":
        return open_store(str(tmp_path / "a store"))
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3_prefix"))
    return open_store(f"memory://{tmp_path.name}-{id(request)}/prefix")


def test_create_is_exclusive_and_keeps_the_first_content(store: ObjectStore) -> None:
    assert store.create("a/b.json", b"first") is True
    assert store.create("a/b.json", b"second") is False
    assert store.read("a/b.json") == b"first"


def test_write_replaces(store: ObjectStore) -> None:
    store.write("a/b", b"one")
    store.write("a/b", b"two")
    assert store.read("a/b") == b"two"


def test_absent_object(store: ObjectStore) -> None:
    assert store.read_or_none("a/b") is None
    assert store.exists("a/b") is False
    store.delete("a/b")
    with pytest.raises(NotFound, match="/a/b "):
        store.read("a/b")


def test_folder_is_not_an_object(store: ObjectStore) -> None:
    store.create("a/b/c", b"")
    assert store.exists("a/b/c") is True
    assert store.exists("a/b") is False
    assert store.read_or_none("a/b") is None


def test_name_that_no_object_can_have_is_absent(store: ObjectStore) -> None:
    store.create("a/b", b"")
    assert store.read_or_none("a/b/c") is None
    assert store.read_or_none("x" * 300) is None


def test_list_names_direct_children_sorted(store: ObjectStore) -> None:
    for key in ("f/b", "f/a", "f/c/d", "f/c/e", "fg/x"):
        store.create(key, b"x")
    assert store.list("f") == ["a", "b", "c"]
    assert store.list("f", limit=2) == ["a", "b"]
    assert store.list("absent") == []
    assert store.list("f/a") == []


def test_delete_removes_empty_folders(store: ObjectStore) -> None:
    store.create("a/b/c", b"")
    store.create("a/d", b"")
    store.delete("a/b/c")
    assert store.list("a/b") == []
    if store.uri.startswith("s3:"):
        return  # SeaweedFS lists an empty folder for a while; AWS has no folders
    assert store.list("a") == ["d"]


def test_large_and_empty_objects(store: ObjectStore) -> None:
    large = os.urandom(3 * 2**20)
    assert store.create("large", large)
    assert store.create("empty", b"")
    assert store.read("large") == large
    assert store.read("empty") == b""


def test_uri_of(store: ObjectStore) -> None:
    assert store.uri_of("a/b") == store.uri + "/a/b"


@pytest.mark.parametrize(
    "key",
    [
        *("", "/a", "a/", "a//b", "..", "a/../b", "a/..", "./a", "a/.", "a\\b", "a\nb", "a/\0", TEMPORARY_PREFIX + "x"),
        *("a/\ud800", "a" * 1_001),
    ],
)
@pytest.mark.parametrize("call", ["read", "read_or_none", "exists", "delete", "list", "uri_of", "write", "create"])
def test_invalid_key_is_refused_by_every_method(store: ObjectStore, key: str, call: str) -> None:
    method: Callable[..., Any] = getattr(store, call)
    arguments = (key, b"") if call in ("write", "create") else (key,)
    with pytest.raises(InvalidName):
        method(*arguments)


def test_exactly_one_of_many_threads_creates(store: ObjectStore) -> None:
    # On SeaweedFS each loser waits a second for a lock.
    rounds = 2 if store.uri.startswith("s3:") else 50
    with ThreadPoolExecutor(8) as pool:
        for number in range(rounds):
            key = f"race/{number}"
            won = list(pool.map(lambda i, key=key: store.create(key, b"%d" % i), range(8)))
            assert sum(won) == 1
            assert store.read(key) == b"%d" % won.index(True)


def test_check_writable_removes_its_object(store: ObjectStore, tmp_path: Path) -> None:
    store.check_writable()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("/srv/x", "file:///srv/x"),
        ("/srv/x/", "file:///srv/x"),
        ("//srv/x", "file:///srv/x"),
        ("file:///srv/x/", "file:///srv/x"),
        ("file://localhost/srv/x", "file:///srv/x"),
        ("local:///srv/x", "file:///srv/x"),
        ("/srv/with space%20", "file:///srv/with space%20"),
        ("memory://a/b/", "memory://a/b"),
        ("memory:///a/b", "memory://a/b"),
    ],
)
def test_spellings_of_an_address_open_one_store(given: str, normal: str) -> None:
    assert open_store(given).uri == normal
    assert open_store(given) is open_store(normal)


@pytest.mark.parametrize("uri", ["", "relative/path", "file://relative", "memory://", "s3://", "~/store"])
def test_invalid_address_is_refused(uri: str) -> None:
    with pytest.raises(InputError) as caught:
        open_store(uri)
    assert caught.value.hint


def test_unknown_protocol_is_refused() -> None:
    with pytest.raises(NotSupported, match="'nosuch'"):
        open_store("nosuch://bucket/x")


def test_missing_client_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_clients()
    monkeypatch.delitem(sys.modules["fsspec.registry"].__dict__["_registry"], "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(NotSupported) as caught:
        open_store("s3://bucket-of-nobody/x")
    assert caught.value.hint == "pip install 'flytemp[s3]'"


def test_local_store_does_not_import_fsspec(tmp_path: Path) -> None:
    program = (
        "import sys; from flytemp.store import open_store;"
        f"s = open_store({str(tmp_path)!r}); s.create('a', b'1'); s.list('x');"
        "assert not {'fsspec', 'pydantic', 'temporalio'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# ------------------------------------------------------------------------------- faults of a local store


def _store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _failing(number: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("call", "number", "hint"),
    [
        ("open", errno.EROFS, "read-only"),
        ("open", errno.EACCES, "permission"),
        ("open", errno.ENOSPC, "free some space"),
        ("write", errno.ENOSPC, "free some space"),
        ("write", errno.EDQUOT, "quota"),
        ("write", errno.EIO, "hardware"),
        ("open", errno.EMFILE, "open files"),
    ],
)
@pytest.mark.parametrize("method", ["write", "create"])
def test_disk_errors_have_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, hint: str, method: str
) -> None:
    store = _store(tmp_path)
    store.create("there", b"")
    monkeypatch.setattr(os, call, _failing(number))
    with pytest.raises(StoreError) as caught:
        getattr(store, method)("a/b", b"data")
    monkeypatch.undo()
    assert store.uri_of("a/b") in caught.value.message
    assert os.strerror(number) in caught.value.message
    assert hint in (caught.value.hint or "")
    assert _files(tmp_path) == [tmp_path / "store" / "there"]


@pytest.mark.parametrize(("method", "call"), [("write", "replace"), ("create", "link"), ("delete", "unlink")])
def test_failure_at_the_last_step_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, call: str) -> None:
    store = _store(tmp_path)
    store.create("a", b"old")
    arguments = ("a",) if method == "delete" else ("b", b"new")
    monkeypatch.setattr(os, call, _failing(errno.EROFS))
    with pytest.raises(StoreError) as caught:
        getattr(store, method)(*arguments)
    monkeypatch.undo()
    assert "read-only" in (caught.value.hint or "")
    assert store.list("x") == []
    assert store.read("a") == b"old"
    assert not store.exists("b")


def test_file_system_without_hard_links_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _failing(errno.EOPNOTSUPP))
    with pytest.raises(StoreError) as caught:
        _store(tmp_path).check_writable()
    assert "hard links" in (caught.value.hint or "")
    assert _files(tmp_path) == []


def test_repeated_link_request_counts_as_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def link(source: str, target: str) -> None:
        real(source, target)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", link)
    store = _store(tmp_path)
    assert store.create("a", b"mine") is True
    assert store.read("a") == b"mine"


def test_store_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = open_store(str(tmp_path / "file" / "store"))
    for call in (store.check_writable, lambda: store.read("a"), lambda: store.list("a"), lambda: store.write("a", b"")):
        with pytest.raises(StoreError) as caught:
            call()
        assert "in the place of a folder" in (caught.value.hint or "")


def test_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:3]))
    store = _store(tmp_path)
    store.write("a", b"ten bytes!")
    assert store.read("a") == b"ten bytes!"


def test_folder_removed_by_another_process_is_created_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.makedirs
    removed: list[str] = []

    def makedirs(name: str, exist_ok: bool = False) -> None:
        real(name, exist_ok=exist_ok)
        if len(removed) < 3:
            os.rmdir(name)
            removed.append(name)

    monkeypatch.setattr(os, "makedirs", makedirs)
    store = _store(tmp_path)
    assert store.create("a/b", b"x") is True
    assert len(removed) == 3
    assert store.read("a/b") == b"x"


def test_folder_that_is_always_removed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "makedirs", lambda name, exist_ok=False: None)
    with pytest.raises(StoreError, match="/store/a"):
        _store(tmp_path).write("a/b", b"x")


def test_unfinished_write_is_not_listed(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.create("a/b", b"")
    (tmp_path / "store" / "a" / f"{TEMPORARY_PREFIX}0000").write_bytes(b"half")
    assert store.list("a") == ["b"]
