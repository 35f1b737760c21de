"""Extraction of bundles: verification, atomicity, concurrent processes, hostile archives."""

from __future__ import annotations

import errno
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
from flytemp.bundle.archive import Member, read_archive
from flytemp.bundle.limits import MAX_FILES
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
    assert sorted(path.name for path in cache.iterdir()) == [packed.ref.digest, f"{packed.ref.digest}.tar"]


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
    store.create(layout.bundle_key(digest), gzip.compress(archive, compresslevel=1, mtime=0))
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
        pytest.param([_member("a"), _member("a/b")], id="file below a file"),
        pytest.param([_member("a/b"), _member("a")], id="file in the place of a folder"),
        pytest.param([_member("d/" * 2_000 + "deep")], id="too deep"),
        pytest.param([_member("n" * 2_000)], id="too long"),
        pytest.param([_member("caf\udce9")], id="name is not UTF-8"),
        pytest.param([_member("d/f"), _member("l", SYM, "d"), _member("m", SYM, "l")], id="link to a link"),
    ],
)
def test_hostile_archive_is_refused(store: ObjectStore, tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    (tmp_path / "outside").mkdir()
    ref = _hostile(store, members)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(CorruptData, match=ref.digest[:12]) as caught:
        extract(store, ref, tmp_path / "cache")
    assert "register the program again" in (caught.value.hint or "")
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/flytemp-evil").exists()


def _header(name: bytes = b"a", size: bytes = b"00000000000", kind: bytes = b"0", mode: bytes = b"0000644") -> bytes:
    """Header of a tar member, with fields as given."""
    header = bytearray(512)
    header[0:100], header[100:108], header[124:136] = name.ljust(100, b"\0"), mode.ljust(8, b"\0"), size.ljust(12, b"\0")
    header[156:157], header[257:265] = kind, b"ustar\x0000"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _record(key: str, value: str) -> bytes:
    text = f" {key}={value}\n".encode()
    return next(b"%d%s" % (size, text) for size in range(len(text), len(text) + 9) if len(b"%d%s" % (size, text)) == size)


def _extended(records: bytes, kind: bytes = b"x") -> bytes:
    return _header(b"x", b"%011o" % len(records), kind) + records.ljust(-(-len(records) // 512) * 512, b"\0")


END = bytes(1024)


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(_header(), id="no end of the archive"),
        pytest.param(_header(size=b"00000001000"), id="content is cut off"),
        pytest.param(_header()[:300], id="header is cut off"),
        pytest.param(_header(size=b"\x80" + bytes(10) + b"\x01") + END, id="binary size"),
        pytest.param(_header(size=b"\xff" * 12) + END, id="negative size"),
        pytest.param(_header(size=b"-0000000512") + END, id="size with a sign"),
        pytest.param(_header(size=b"00000000009") + END, id="size is not octal"),
        pytest.param(_extended(_record("size", "-512")) + _header() + END, id="negative size in an extended header"),
        pytest.param(_extended(_record("path", "../up")) + _header() + END, id="path in an extended header"),
        pytest.param(_extended(_record("path", "a\0b")) + _header() + END, id="NUL in a path"),
        pytest.param(_extended(_record("GNU.sparse.major", "1")) + _header() + END, id="sparse file of POSIX"),
        pytest.param(_extended(_record("path", "a"), b"g") + _header() + END, id="path of all files"),
        pytest.param(_extended(b"9999 path=a\n") + _header() + END, id="record is cut off"),
        pytest.param(_extended(b"path=a\n") + _header() + END, id="record without a length"),
        pytest.param(_header(b"x", b"00000001000", b"x") * 5 + END, id="headers of headers"),
        pytest.param(bytes(_header()[:148]) + b"0000000\0" + bytes(_header()[156:]) + END, id="wrong sum"),
        pytest.param(_header(b"\xe9") + END, id="name in Latin-1"),
        pytest.param(b"not a tar archive".ljust(1024, b"!"), id="no tar"),
    ],
)
def test_odd_tar_is_refused(store: ObjectStore, cache: Path, archive: bytes) -> None:
    with pytest.raises(CorruptData, match="is not a code bundle"):
        extract(store, _as_bundle(store, archive), cache)
    assert not cache.exists()


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(lambda: b"".join(_header(b"f%d" % number) for number in range(MAX_FILES + 1)), id="files"),
        pytest.param(lambda: _header(b"d", kind=b"5") * (3 * MAX_FILES + 1), id="folders"),
    ],
)
def test_archive_with_too_many_entries_is_refused(store: ObjectStore, cache: Path, archive: Callable[[], bytes]) -> None:
    with pytest.raises(CorruptData, match="more than"):
        extract(store, _as_bundle(store, archive() + END), cache)
    assert not cache.exists()


def test_archives_of_other_programs_are_read(store: ObjectStore, cache: Path) -> None:
    long_name = f"{'d' * 150}/{'f' * 120}.py"
    for number, form in enumerate((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form, pax_headers={"comment": "by git archive"}) as tar:
            for name, kind in (("d", tarfile.DIRTYPE), ("d/ünï.py", tarfile.REGTYPE), (long_name, tarfile.REGTYPE)):
                tar.addfile(_member(name, kind), io.BytesIO(b"x"))
        folder = extract(store, _as_bundle(store, buffer.getvalue()), cache / str(number))
        assert (folder / "d" / "ünï.py").read_text() == (folder / long_name).read_text() == "x"


def test_long_extended_header_takes_linear_time(store: ObjectStore, cache: Path) -> None:
    header = _extended(b"6 a=b\n" * 200_000)
    folder = extract(store, _as_bundle(store, header + _header(b"f") + END), cache)
    assert [path.name for path in folder.iterdir()] == ["f"]


def test_empty_project(store: ObjectStore, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    packed = pack(tmp_path / "empty")
    store_bundle(store, packed)
    assert list(extract(store, packed.ref, cache).iterdir()) == []


# --------------------------------------------------------------------------------- verified before use


def test_unpacked_bundle_is_read_only(store: ObjectStore, cache: Path, packed: PackedBundle) -> None:
    store_bundle(store, packed)
    folder = extract(store, packed.ref, cache)
    for path in (folder, *folder.rglob("*")):
        assert path.is_symlink() or not path.stat().st_mode & 0o222


def _write_module(folder: Path) -> None:
    (folder / "pkg" / "__init__.py").chmod(0o644)
    (folder / "pkg" / "__init__.py").write_text("VALUE = 8\n")


def _write_same_size_and_time(folder: Path) -> None:
    path = folder / "pkg" / "__init__.py"
    before = path.stat()
    _write_module(folder)
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _add(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "json.py").write_text("raise SystemExit\n")


def _add_bytecode(folder: Path) -> None:
    (folder / "pkg").chmod(0o755)
    (folder / "pkg" / "__pycache__").mkdir()
    (folder / "pkg" / "__pycache__" / "__init__.cpython-311.pyc").write_bytes(b"evil")


def _remove(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "run.sh").unlink()


def _folder_to_link(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "pkg").rename(folder / "other")
    (folder / "pkg").symlink_to("other")


def _file_to_folder(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "run.sh").unlink()
    (folder / "run.sh" / "deep").mkdir(parents=True)


def _other_link(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "alias").unlink()
    (folder / "alias").symlink_to("/etc")


def _link_for_the_folder(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to("moved")


CHANGES = [
    _write_module, _write_same_size_and_time, _add, _add_bytecode, _remove, _folder_to_link, _file_to_folder, _other_link,
    _link_for_the_folder,
]  # fmt: skip


@pytest.mark.parametrize("known", [True, False], ids=["same process", "new process"])
@pytest.mark.parametrize("change", CHANGES)
def test_changed_bundle_is_restored_before_use(
    store: ObjectStore, cache: Path, packed: PackedBundle, change: Callable[[Path], None], known: bool
) -> None:
    store_bundle(store, packed)
    folder = extract(store, packed.ref, cache)
    before = _content(folder)
    change(folder)
    if not known:
        extraction._checked.clear()
    store.delete(layout.bundle_key(packed.ref.digest))  # the archive in the cache suffices
    assert extract(store, packed.ref, cache) == folder
    assert not folder.is_symlink()
    assert _content(folder) == before
    assert not folder.stat().st_mode & 0o222


def _content(folder: Path) -> dict[str, object]:
    return {
        path.relative_to(folder).as_posix(): os.readlink(path)
        if path.is_symlink()
        else (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in sorted(folder.rglob("*"))
    }


def test_changed_archive_in_the_cache_is_not_trusted(store: ObjectStore, cache: Path, packed: PackedBundle) -> None:
    store_bundle(store, packed)
    folder = extract(store, packed.ref, cache)
    kept = cache / f"{packed.ref.digest}.tar"
    kept.chmod(0o644)
    kept.write_bytes(kept.read_bytes().replace(b"VALUE = 7", b"VALUE = 9"))
    _write_module(folder)
    extract(store, packed.ref, cache)
    assert (folder / "pkg" / "__init__.py").read_text() == "VALUE = 7\n"
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == packed.ref.digest


def test_bundle_whose_archive_vanishes_meanwhile_is_extracted(
    store: ObjectStore, cache: Path, packed: PackedBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_bundle(store, packed)
    extract(store, packed.ref, cache)
    extraction._checked.clear()
    kept = cache / f"{packed.ref.digest}.tar"
    reads: list[bytes] = []

    def read_and_remove(archive: bytes) -> dict[str, Member]:
        if not reads:
            kept.unlink()
        reads.append(archive)
        return read_archive(archive)

    monkeypatch.setattr(extraction, "read_archive", read_and_remove)
    extract(store, packed.ref, cache)
    assert len(reads) == 2
    assert kept.is_file()


def test_unchanged_bundle_of_another_user_is_used(
    store: ObjectStore, cache: Path, packed: PackedBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_bundle(store, packed)
    folder = extract(store, packed.ref, cache)
    extraction._checked.clear()

    def refuse(path: object, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "chmod", refuse)
    assert extract(store, packed.ref, cache) == folder


def test_unchanged_bundle_is_not_compared_with_its_archive_again(
    store: ObjectStore, cache: Path, packed: PackedBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_bundle(store, packed)
    extract(store, packed.ref, cache)
    monkeypatch.setattr(extraction, "restore_folder", None)
    extract(store, packed.ref, cache)


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
    assert sorted(path.name for path in cache.iterdir()) == [packed.ref.digest, f"{packed.ref.digest}.tar"]


def test_old_unfinished_folders_are_removed(store: ObjectStore, cache: Path, packed: PackedBundle) -> None:
    store_bundle(store, packed)
    old, young = cache / f"{extraction._UNFINISHED}old", cache / f"{extraction._UNFINISHED}young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "x").write_text("")
    os.utime(old, (1, 1))
    extract(store, packed.ref, cache)
    assert {path.name for path in cache.iterdir()} == {young.name, packed.ref.digest, f"{packed.ref.digest}.tar"}


def test_many_processes_extract_at_once(store: ObjectStore, cache: Path, packed: PackedBundle, tmp_path: Path) -> None:
    store_bundle(store, packed)
    program = Path(__file__).with_name("race_extraction.py")
    arguments = [store.uri, packed.ref.model_dump_json(), str(cache), "30"]
    done = subprocess.run([sys.executable, str(program), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for number in range(30):
        assert {path.name for path in (cache / str(number)).iterdir()} == {packed.ref.digest, f"{packed.ref.digest}.tar"}
