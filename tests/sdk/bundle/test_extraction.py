"""Extraction of bundles: verification, atomicity, concurrent processes, hostile archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from flytemp import layout
from flytemp.bundle import PackedBundle, extract, extraction, pack, store_bundle
from flytemp.errors import CorruptData, NotFound, StoreError
from flytemp.spec.models import BundleRef
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def packed(tmp_path: Path) -> PackedBundle:
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "__init__.py").write_text("VALUE = 7\n")
    (root / "run.sh").write_text("#!/bin/sh\n")
    os.chmod(root / "run.sh", 0o755)
    (root / "alias").symlink_to("pkg")
    return pack(root)


def test_round_trip(store: ObjectStore, cache: Path, packed: PackedBundle) -> None:
    assert store_bundle(store, packed) is True
    assert store_bundle(store, packed) is False
    folder = extract(store, packed.ref, cache)
    assert (folder / "pkg" / "__init__.py").read_text() == "VALUE = 7\n"
    assert (folder / "alias" / "__init__.py").read_text() == "VALUE = 7\n"
    assert os.readlink(folder / "alias") == "pkg"
    assert os.access(folder / "run.sh", os.X_OK)
    assert sorted(path.name for path in cache.iterdir()) == [packed.ref.digest]


def test_extracted_bundle_is_not_read_again(store: ObjectStore, cache: Path, packed: PackedBundle) -> None:
    store_bundle(store, packed)
    folder = extract(store, packed.ref, cache)
    store.delete(layout.bundle_key(packed.ref.digest))
    assert extract(store, packed.ref, cache) == folder


def test_missing_bundle_is_not_found(store: ObjectStore, cache: Path, packed: PackedBundle) -> None:
    with pytest.raises(NotFound, match=packed.ref.digest[:12]) as caught:
        extract(store, packed.ref, cache)
    assert "register the program again" in (caught.value.hint or "")
    assert not cache.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-20],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"not gzip at all",
        lambda data: gzip.compress(b"something else", mtime=0),
        lambda data: gzip.compress(gzip.decompress(data)[:-1] + b"x", mtime=0),
        lambda data: gzip.compress(gzip.decompress(data) + b"x", mtime=0),
        lambda data: gzip.compress(bytes(200 * 2**20), compresslevel=1, mtime=0),
    ],
    ids=["no end", "half", "empty", "no gzip", "other", "one byte", "longer", "bomb"],
)
def test_damaged_bundle_is_refused(
    store: ObjectStore, cache: Path, packed: PackedBundle, damage: Callable[[bytes], bytes]
) -> None:
    key = layout.bundle_key(packed.ref.digest)
    store.write(key, damage(packed.data))
    with pytest.raises(CorruptData, match=key):
        extract(store, packed.ref, cache)
    assert not cache.exists()


# ------------------------------------------------------------------------------------ hostile archives


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"x") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    member.size = len(content) if kind == tarfile.REGTYPE else 0
    return member


def _hostile(store: ObjectStore, members: Sequence[tarfile.TarInfo]) -> BundleRef:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return _as_bundle(store, buffer.getvalue())


def _as_bundle(store: ObjectStore, archive: bytes) -> BundleRef:
    digest = hashlib.sha256(archive).hexdigest()
    store.create(layout.bundle_key(digest), gzip.compress(archive, mtime=0))
    return BundleRef(digest=digest, size=len(archive))


SYM, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([_member("../evil")], id="parent"),
        pytest.param([_member("a/../../evil")], id="parent inside"),
        pytest.param([_member("/tmp/flytemp-evil")], id="absolute"),
        pytest.param([_member("./evil")], id="dot"),
        pytest.param([_member("a//evil")], id="empty part"),
        pytest.param([_member("a\\..\\evil")], id="backslash"),
        pytest.param([_member("..", tarfile.DIRTYPE)], id="folder"),
        pytest.param([_member("out", SYM, "../outside")], id="link to the parent"),
        pytest.param([_member("out", SYM, "/etc")], id="absolute link"),
        pytest.param([_member("a/out", SYM, "../../outside")], id="deep link"),
        pytest.param([_member("out", SYM, ".."), _member("out/evil")], id="file through a link"),
        pytest.param([_member("a/f"), _member("in", SYM, "a"), _member("in/f2", SYM, "f")], id="link through a link"),
        pytest.param([_member("p/f"), _member("trick", SYM, "p/q/../.."), _member("p/q", SYM, "..")], id="link changed later"),
        pytest.param([_member("hard", HARD, "/etc/passwd")], id="hard link out"),
        pytest.param([_member("a"), _member("hard", HARD, "a")], id="hard link in"),
        pytest.param([_member("null", tarfile.CHRTYPE)], id="character device"),
        pytest.param([_member("disk", tarfile.BLKTYPE)], id="block device"),
        pytest.param([_member("pipe", tarfile.FIFOTYPE)], id="pipe"),
        pytest.param([_member("sparse", tarfile.GNUTYPE_SPARSE)], id="sparse"),
        pytest.param([_member("a"), _member("a")], id="twice"),
        pytest.param([_member("a"), _member("a", SYM, "b")], id="file and link"),
    ],
)
def test_hostile_archive_is_refused(store: ObjectStore, tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    (tmp_path / "outside").mkdir()
    ref = _hostile(store, members)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(CorruptData, match=ref.digest[:12]) as caught:
        extract(store, ref, tmp_path / "cache")
    assert "register the program again" in (caught.value.hint or "")
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "cache"}
    assert not Path("/tmp/flytemp-evil").exists()


def test_empty_project(store: ObjectStore, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    packed = pack(tmp_path / "empty")
    store_bundle(store, packed)
    assert list(extract(store, packed.ref, cache).iterdir()) == []


# ------------------------------------------------------------------------------------------ the cache


def test_full_disk_leaves_nothing(store: ObjectStore, cache: Path, packed: PackedBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    store_bundle(store, packed)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(StoreError, match="No space left on device") as caught:
        extract(store, packed.ref, cache)
    assert "free some space" in (caught.value.hint or "")
    assert list(cache.iterdir()) == []


def test_cache_below_a_file_is_an_error(store: ObjectStore, tmp_path: Path, packed: PackedBundle) -> None:
    store_bundle(store, packed)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/cache"):
        extract(store, packed.ref, tmp_path / "file" / "cache")


def test_slower_of_two_processes_uses_the_existing_folder(
    store: ObjectStore, cache: Path, packed: PackedBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_bundle(store, packed)
    real = os.rename

    def rename(source: Path, target: Path) -> None:
        (target / "pkg").mkdir(parents=True)
        (target / "pkg" / "__init__.py").write_text("VALUE = 7\n")
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    folder = extract(store, packed.ref, cache)
    assert (folder / "pkg" / "__init__.py").exists()
    assert [path.name for path in cache.iterdir()] == [packed.ref.digest]


def test_old_unfinished_folders_are_removed(store: ObjectStore, cache: Path, packed: PackedBundle) -> None:
    store_bundle(store, packed)
    old, young = cache / f"{extraction._UNFINISHED}old", cache / f"{extraction._UNFINISHED}young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "x").write_text("")
    os.utime(old, (1, 1))
    extract(store, packed.ref, cache)
    assert sorted(path.name for path in cache.iterdir()) == [young.name, packed.ref.digest]


def test_many_processes_extract_at_once(store: ObjectStore, cache: Path, packed: PackedBundle, tmp_path: Path) -> None:
    store_bundle(store, packed)
    program = Path(__file__).with_name("race_extraction.py")
    arguments = [store.uri, packed.ref.model_dump_json(), str(cache), "30"]
    done = subprocess.run([sys.executable, str(program), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for number in range(30):
        assert [path.name for path in (cache / str(number)).iterdir()] == [packed.ref.digest]
