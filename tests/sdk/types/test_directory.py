"""`FlyteDirectory` as input and output."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from flytemp.errors import InputError, NotFound
from flytemp.literals.convert import from_literal, to_literal
from flytemp.literals.transfer import RawDataTransfer, use_transfer
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile


@pytest.fixture
def files(tmp_path: Path) -> RawDataTransfer:
    (tmp_path / "work").mkdir()
    return RawDataTransfer(f"file://{tmp_path}/raw", tmp_path / "work")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    (path / "sub" / "deep").mkdir(parents=True)
    (path / "b.txt").write_text("b")
    (path / "a.txt").write_text("a")
    (path / "sub" / "c.txt").write_text("c")
    (path / "sub" / "deep" / "d.txt").write_text("dd")
    return path


def test_directory_output_is_uploaded_and_read_back(folder: Path, files: RawDataTransfer) -> None:
    literal = to_literal(FlyteDirectory["txt"](folder), FlyteDirectory["txt"], files)
    assert literal["format"] == "txt"
    assert literal["uri"].startswith(files.raw_data_prefix)
    assert literal["uri"].endswith("/folder")
    read = from_literal(literal, FlyteDirectory["txt"], files)
    assert sorted(os.listdir(read)) == ["a.txt", "b.txt", "sub"]
    assert (Path(read.download()) / "sub" / "deep" / "d.txt").read_text() == "dd"
    assert Path(read).is_relative_to(files.data_directory)


def test_path_is_uploaded_and_uri_is_passed_unchanged(folder: Path, files: RawDataTransfer) -> None:
    assert to_literal(folder, FlyteDirectory, files)["uri"].startswith(files.raw_data_prefix)
    assert to_literal(f"file://{folder}", FlyteDirectory, files)["uri"] == f"file://{folder}"
    assert to_literal(FlyteDirectory(folder, remote_directory=False), FlyteDirectory, files)["uri"] == str(folder)


def test_trailing_slash_keeps_the_name(folder: Path, files: RawDataTransfer) -> None:
    assert to_literal(f"{folder}/", FlyteDirectory, files)["uri"].endswith("/folder")


def test_remote_directory(folder: Path, tmp_path: Path, files: RawDataTransfer) -> None:
    target = f"file://{tmp_path}/chosen"
    directory = FlyteDirectory(folder, remote_directory=target)
    assert directory.remote_directory == target
    assert to_literal(directory, FlyteDirectory, files)["uri"] == target
    assert (tmp_path / "chosen" / "sub" / "c.txt").read_text() == "c"


@pytest.mark.parametrize("remote", [False, True])
def test_listdir_and_crawl_download_nothing(folder: Path, files: RawDataTransfer, remote: bool) -> None:
    place = f"file://{folder}" if remote else str(folder)
    with use_transfer(files):
        directory = FlyteDirectory(place)
        listed = FlyteDirectory.listdir(directory)
        assert listed == [
            FlyteFile(f"{place}/a.txt"),
            FlyteFile(f"{place}/b.txt"),
            FlyteDirectory(f"{place}/sub"),
        ]
        with listed[0].open() as stream:  # type: ignore[union-attr]
            assert stream.read() == "a"
        names = ["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt"]
        assert list(directory.crawl()) == [(place, name) for name in names]
        assert [name for _, name in directory.crawl(maxdepth=2)] == names[:3]
        assert [name for _, name in directory.crawl(topdown=False)] == [
            "sub/deep/d.txt",
            "sub/c.txt",
            "a.txt",
            "b.txt",
        ]
        details = [detail for _, detail in directory.crawl(detail=True)]
        assert details[3] == {
            "sub/deep/d.txt": {"name": f"{place}/sub/deep/d.txt", "size": 2, "type": "file"},
        }
    assert list(files.working_directory.iterdir()) == []


def test_missing_directory_is_an_error() -> None:
    with pytest.raises(NotFound):
        list(FlyteDirectory("/nowhere/at/all").crawl())
    with pytest.raises(NotFound):
        FlyteDirectory("file:///nowhere/at/all").download()


def test_new_directory_is_in_the_working_directory(files: RawDataTransfer) -> None:
    with use_transfer(files):
        directory = FlyteDirectory.new("out")
        with directory.new_file("sub/a.txt").open("w") as stream:
            stream.write("a")
        with open(directory.new_dir("inner").new_file("b.txt"), "w") as stream:
            stream.write("b")
        assert os.path.isdir(directory.new_dir())
    assert directory.path == str(files.working_directory / "out")
    literal = to_literal(directory, FlyteDirectory, files)
    assert (Path(literal["uri"].removeprefix("file://")) / "inner" / "b.txt").read_text() == "b"


def test_new_remote_directory_is_in_the_raw_data(files: RawDataTransfer) -> None:
    with use_transfer(files):
        directory = FlyteDirectory.new_remote("out")
        with directory.new_file("a.txt").open("w") as stream:
            stream.write("a")
        with directory.new_dir("inner").new_file("b.txt").open("w") as stream:
            stream.write("b")
    assert [name for _, name in directory.crawl()] == ["a.txt", "inner/b.txt"]
    assert to_literal(directory, FlyteDirectory, files)["uri"] == directory.remote_source


def test_new_remote_directory_outside_of_tasks_is_local() -> None:
    directory = FlyteDirectory.new_remote()
    assert directory.remote_source is None
    assert os.listdir(directory) == []


def test_input_cannot_be_written(folder: Path, files: RawDataTransfer) -> None:
    directory = from_literal({"uri": f"file://{folder}"}, FlyteDirectory, files)
    for write in (directory.new_file, directory.new_dir):
        with pytest.raises(InputError) as caught:
            write("x")
        assert "FlyteDirectory.new" in (caught.value.hint or "")
    with pytest.raises(InputError):
        FlyteDirectory.listdir(directory)[0].open("w")  # type: ignore[union-attr]


def test_pickle_and_formats() -> None:
    directory = FlyteDirectory["png"]("s3://b/d")
    copy = pickle.loads(pickle.dumps(directory))
    assert copy == directory
    assert type(copy) is FlyteDirectory["png"]
    assert FlyteDirectory["png"].extension() == "png"
    assert FlyteDirectory["png"] is not FlyteFile["png"]
