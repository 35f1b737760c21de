"""Packing of bundles: included, excluded and refused files, and reproducible bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import shutil
import socket
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from flytemp.bundle import find_project_root, pack
from flytemp.errors import InputError, LimitExceeded, NotFound


def _project(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "my project"
    folder.mkdir()
    return folder


def _members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as tar:
        return tar.getmembers()


# ----------------------------------------------------------------------------------------- project root


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("repo/my_lib/workflows/wf.py", "repo"),
        ("repo/my_lib/workflows", "repo"),
        ("repo/my_lib", "repo"),
        ("repo", "repo"),
        ("repo/scripts/one.py", "repo/scripts"),
        ("repo/scripts", "repo/scripts"),
    ],
)
def test_root_is_the_nearest_folder_without_init(tmp_path: Path, given: str, root: str) -> None:
    _project(
        tmp_path,
        {
            "repo/my_lib/__init__.py": "",
            "repo/my_lib/workflows/__init__.py": "",
            "repo/my_lib/workflows/wf.py": "",
            "repo/scripts/one.py": "",
        },
    )
    assert find_project_root(tmp_path / given) == tmp_path / root


def test_root_of_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _project(tmp_path, {"pkg/__init__.py": "", "pkg/wf.py": ""})
    monkeypatch.chdir(tmp_path / "pkg")
    assert find_project_root(Path("wf.py")) == tmp_path


def test_root_of_a_missing_path_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.py"):
        find_project_root(tmp_path / "absent.py")


# ----------------------------------------------------------------------------------------- determinism


def test_digest_and_size_are_of_the_uncompressed_archive(root: Path) -> None:
    _project(root, {"a.py": "x = 1\n"})
    packed = pack(root)
    archive = gzip.decompress(packed.data)
    assert packed.ref.digest == hashlib.sha256(archive).hexdigest()
    assert packed.ref.size == len(archive)
    assert packed.files == ("a.py",)
    assert packed.ref.import_roots == (".",)


def test_equal_files_give_equal_bytes(tmp_path: Path) -> None:
    first = _project(tmp_path / "one", {"a.py": "1", "pkg/b.py": "2", "ünï.txt": "3", f"{'d' * 120}/{'e' * 200}.py": "4"})
    second = tmp_path / "elsewhere" / "two"
    for name in ("ünï.txt", "pkg/b.py", "a.py", f"{'d' * 120}/{'e' * 200}.py"):  # another order of creation
        (second / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(first / name, second / name)
        os.utime(second / name, (1, 1))
        os.chmod(second / name, 0o600)
    os.chmod(first / "a.py", 0o664)
    assert pack(first) == pack(second)
    assert pack(first).data == pack(second).data


def test_members_do_not_depend_on_the_machine(root: Path) -> None:
    _project(root, {"a.py": "", "run.sh": ""})
    os.chmod(root / "run.sh", 0o711)
    packed = pack(root)
    members = _members(packed.data)
    assert [(m.name, m.mode) for m in members] == [("a.py", 0o644), ("run.sh", 0o755)]
    assert all((m.uid, m.gid, m.uname, m.gname, m.mtime) == (0, 0, "", "", 0) for m in members)
    assert packed.data[:2] == b"\x1f\x8b"
    assert packed.data[3:8] == b"\0\0\0\0\0"  # no file name, no time


@pytest.mark.parametrize("change", ["content", "name", "executable", "more"])
def test_change_of_a_file_changes_the_digest(root: Path, change: str) -> None:
    _project(root, {"a.py": "1"})
    before = pack(root).ref.digest
    match change:
        case "content":
            (root / "a.py").write_text("2")
        case "name":
            (root / "a.py").rename(root / "b.py")
        case "executable":
            os.chmod(root / "a.py", 0o755)
        case "more":
            (root / "b.py").write_text("")
    assert pack(root).ref.digest != before


# -------------------------------------------------------------------------------------------- ignoring


@pytest.mark.parametrize(
    "name",
    [
        ".git/config",
        "__pycache__/a.cpython-311.pyc",
        "pkg/__pycache__/a.pyc",
        "stray.pyc",
        ".venv/bin/python",
        "venv/x",
        ".flytemp/store/x",
        "node_modules/x/y.js",
        ".mypy_cache/x",
        ".pytest_cache/x",
        ".ruff_cache/x",
        ".hypothesis/x",
        "my.egg-info/PKG-INFO",
        ".DS_Store",
    ],
)
def test_excluded_files(root: Path, name: str) -> None:
    _project(root, {"a.py": "", name: "x"})
    assert pack(root).files == ("a.py",)


def test_virtual_environment_is_excluded(root: Path) -> None:
    _project(root, {"a.py": "", "py311/pyvenv.cfg": "", "py311/lib/x.py": ""})
    assert pack(root).files == ("a.py",)


@pytest.mark.parametrize(
    ("rules", "packed"),
    [
        ({".gitignore": "*.csv\n"}, {"a.py", "sub/b.py", "sub/keep/c.csv"} - {"sub/keep/c.csv"}),
        ({".gitignore": "*.csv\n!keep/\n!c.csv\n"}, {"a.py", "sub/b.py", "sub/keep/c.csv"}),
        ({".gitignore": "sub/\n"}, {"a.py", "data.csv"}),
        ({".gitignore": "/data.csv\n"}, {"a.py", "sub/b.py", "sub/keep/c.csv"}),
        ({".gitignore": "*.csv\n", "sub/.gitignore": "!*.csv\n"}, {"a.py", "sub/b.py", "sub/keep/c.csv"}),
        ({"sub/.gitignore": "/keep\n"}, {"a.py", "data.csv", "sub/b.py"}),
        (
            {".gitignore": "sub/\n", "sub/.gitignore": "!b.py\n"},
            {"a.py", "data.csv"},
        ),  # as git: excluded folders stay out
        ({".gitignore": "*.csv\n", ".flytempignore": "!data.csv\n"}, {"a.py", "data.csv", "sub/b.py"}),
        ({".flytempignore": "# comment\n\n*.csv\n"}, {"a.py", "sub/b.py"}),
        ({".flytempignore": "**/keep/**\n"}, {"a.py", "data.csv", "sub/b.py"}),
    ],
)
def test_ignore_files(root: Path, rules: dict[str, str], packed: set[str]) -> None:
    _project(root, {"a.py": "", "data.csv": "", "sub/b.py": "", "sub/keep/c.csv": "", **rules})
    assert set(pack(root).files) == packed | set(rules) - ({"sub/.gitignore"} if "sub/b.py" not in packed else set())


def test_ignore_files_of_the_repository_apply(tmp_path: Path) -> None:
    repo = _project(
        tmp_path / "repo",
        {".git/HEAD": "", ".gitignore": "/src/big/\n*.log\n", "src/a.py": "", "src/big/x": "", "src/sub/y.log": ""},
    )
    assert pack(repo / "src").files == ("a.py",)


def test_root_that_git_ignores_is_packed(tmp_path: Path) -> None:
    repo = _project(tmp_path / "repo", {".git/HEAD": "", ".gitignore": "/generated/\n", "generated/deep/a.py": ""})
    assert pack(repo / "generated" / "deep").files == ("a.py",)
    assert pack(repo / "generated").files == ("deep/a.py",)


def test_ignore_files_above_the_repository_do_not_apply(tmp_path: Path) -> None:
    _project(tmp_path, {".gitignore": "*.py\n", "repo/.git/HEAD": "", "repo/a.py": "", "plain/a.py": ""})
    assert pack(tmp_path / "repo").files == ("a.py",)
    assert pack(tmp_path / "plain").files == ("a.py",)


def test_invalid_pattern_is_refused(root: Path) -> None:
    (root / ".flytempignore").write_text("ok\n!\n")
    with pytest.raises(InputError, match="'!'") as caught:
        pack(root)
    assert caught.value.location is not None
    assert caught.value.location.line == 2


# ------------------------------------------------------------------------------------ links and devices


def test_link_to_a_file_becomes_the_file(root: Path) -> None:
    _project(root, {"real/a.py": "content"})
    (root / "b.py").symlink_to("real/a.py")
    (root / "c.py").symlink_to(root / "real" / "a.py")
    members = {member.name: member for member in _members(pack(root).data)}
    assert all(member.isreg() and member.size == 7 for member in members.values())
    assert sorted(members) == ["b.py", "c.py", "real/a.py"]


def test_link_to_a_folder_is_kept(root: Path) -> None:
    _project(root, {"real/pkg/a.py": ""})
    (root / "other").mkdir()
    (root / "other" / "pkg").symlink_to(root / "real" / "pkg")
    (root / "loop").symlink_to(".")
    members = {member.name: member.linkname for member in _members(pack(root).data)}
    assert members == {"loop": ".", "other/pkg": "../real/pkg", "real/pkg/a.py": ""}


@pytest.mark.parametrize("target", ["../outside", "../outside/a.py", "/etc", "/etc/hostname", "../absent"])
def test_link_out_of_the_root_is_refused(root: Path, target: str) -> None:
    _project(root.parent, {"outside/a.py": ""})
    (root / "sub").mkdir()
    (root / "sub" / "link").symlink_to(target if target.startswith("/") else f"../{target}")
    with pytest.raises(InputError, match="/sub/link") as caught:
        pack(root)
    assert "add '/sub/link' to" in (caught.value.hint or "")
    _project(root, {".flytempignore": "/sub/link\n"})
    assert pack(root).files == (".flytempignore",)


def test_link_through_a_link_out_of_the_root_is_refused(root: Path) -> None:
    _project(root.parent, {"outside/a.py": ""})
    (root / "hidden").mkdir()
    (root / "hidden" / "out").symlink_to(root.parent / "outside")
    (root / "a.py").symlink_to("hidden/out/a.py")
    _project(root, {".flytempignore": "/hidden/\n"})
    with pytest.raises(InputError, match=r"/a\.py"):
        pack(root)


def test_broken_links_are_left_out(root: Path) -> None:
    _project(root, {"a.py": ""})
    (root / "nowhere").symlink_to("absent")
    (root / "myself").symlink_to("myself")
    (root / ".#a.py").symlink_to("user@machine.1234")
    assert pack(root).files == ("a.py",)


def test_root_may_be_a_link(root: Path) -> None:
    _project(root, {"a.py": ""})
    (root.parent / "alias").symlink_to(root)
    assert pack(root.parent / "alias") == pack(root)


def test_pipes_and_sockets_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(InputError, match="/pipe") as caught:
        pack(root)
    assert "add '/pipe' to" in (caught.value.hint or "")
    (root / "pipe").unlink()
    monkeypatch.chdir(root)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(InputError, match="/s "):
            pack(root)


def test_link_to_a_device_is_refused(root: Path) -> None:
    (root / "null").symlink_to("/dev/null")
    with pytest.raises(InputError, match="/null"):
        pack(root)


# ---------------------------------------------------------------------------------------------- limits


def test_size_limit_names_the_largest_files(root: Path) -> None:
    _project(root, {"small.py": "x", "model.bin": "x" * 3_000_000, "data/train.csv": "y" * 20_000})
    with pytest.raises(LimitExceeded) as caught:
        pack(root, limit_bytes=1_000_000)
    text = str(caught.value)
    assert text.index("model.bin") < text.index("data/train.csv") < text.index("small.py")
    assert ".flytempignore" in (caught.value.hint or "")


def test_size_at_the_limit_is_packed(root: Path) -> None:
    _project(root, {"a": "x" * 1000})
    assert pack(root, limit_bytes=1000).files == ("a",)


def test_unreadable_file_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _project(root, {"a.py": ""})

    def forbidden(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(InputError, match=r"/a\.py\b.*Permission denied"):
        pack(root)


def test_path_that_is_too_deep_is_refused(root: Path) -> None:
    _project(root, {"a.py": "", "d/" * 99 + "deep.py": ""})
    assert len(pack(root).files) == 2
    _project(root, {"d/" * 100 + "deeper.py": ""})
    with pytest.raises(LimitExceeded, match="101 parts"):
        pack(root)
    _project(root, {".flytempignore": "/d/d/\n"})
    assert pack(root).files == (".flytempignore", "a.py")


def test_name_that_is_not_utf8_is_refused(root: Path) -> None:
    (root / "caf\udce9.csv").write_text("")
    with pytest.raises(InputError, match=r"caf\\xe9\.csv"):
        pack(root)
    _project(root, {".flytempignore": "caf*\n"})
    assert pack(root).files == (".flytempignore",)


def test_backslash_in_a_name_is_refused(root: Path) -> None:
    (root / "a\\b.py").write_text("")
    with pytest.raises(InputError, match="backslash"):
        pack(root)


# ---------------------------------------------------------------------------------------- import roots


def test_import_roots_are_kept_in_order(root: Path) -> None:
    _project(root, {"src/a.py": "", "lib/b.py": ""})
    assert pack(root, import_roots=("src", "./lib/", ".")).ref.import_roots == ("src", "lib", ".")


@pytest.mark.parametrize("text", ["..", "src/../..", "/abs", "absent", "src/a.py"])
def test_invalid_import_root_is_refused(root: Path, text: str) -> None:
    _project(root, {"src/a.py": ""})
    with pytest.raises(InputError, match=re.escape(repr(text))):
        pack(root, import_roots=(text,))


def test_root_must_be_a_folder(root: Path) -> None:
    with pytest.raises(NotFound):
        pack(root / "absent")
