"""Files and directories in plain Python calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flytemp import current_context, dynamic, task, workflow
from flytemp.errors import InputError, NotSupported, TypeMismatch
from flytemp.literals.transfer import RawDataTransfer, use_transfer
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "local.txt"
    path.write_text("text")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "a.txt").write_text("a")
    return path


@task
def file_of(path: str, remote: str | None = None) -> FlyteFile:
    return FlyteFile(path, remote_path=remote)


@task
def directory_of(path: str, remote: str | None = None) -> FlyteDirectory:
    return FlyteDirectory(path, remote_directory=remote)


@task
def text_of(file: FlyteFile) -> str:
    return Path(file).read_text()


@task
def names_in(folder: FlyteDirectory) -> list[str]:
    return sorted(os.listdir(folder))


def test_remote_path_is_honoured(local: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "out" / "copy.txt")
    assert file_of(path=str(local), remote=target).path == target
    assert Path(target).read_text() == "text"
    assert file_of(path=str(local)).path == str(local)
    uri = f"file://{tmp_path}/out/uri.txt"
    assert text_of(file=file_of(path=str(local), remote=uri)) == "text"


def test_remote_directory_is_honoured(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "copy"
    assert directory_of(path=str(folder), remote=str(target)).path == str(target)
    assert (target / "a.txt").read_text() == "a"
    assert directory_of(path=str(folder)).path == str(folder)


def test_remote_paths_in_workflows_and_dynamic_tasks(local: Path, tmp_path: Path) -> None:
    @workflow
    def wf(path: str, remote: str) -> str:
        return text_of(file=file_of(path=path, remote=remote))

    @dynamic
    def generated(path: str, remote: str) -> str:
        return text_of(file=FlyteFile(path, remote_path=remote))

    for number, call in enumerate((wf, generated)):
        target = tmp_path / f"{number}.txt"
        assert call(path=str(local), remote=str(target)) == "text"
        assert target.read_text() == "text"


@task
def file_from_path(path: str) -> FlyteFile:
    return Path(path)  # type: ignore[return-value]


@task
def directory_from_path(path: str) -> FlyteDirectory:
    return Path(path)  # type: ignore[return-value]


@task
def path_from_path(path: str) -> Path:
    return Path(path)


@pytest.mark.parametrize("make", [file_of, file_from_path, path_from_path])
def test_a_directory_or_a_missing_file_is_not_a_file(make: Callable[..., Any], folder: Path) -> None:
    for wrong in (folder, folder / "missing"):
        with pytest.raises(TypeMismatch):
            make(path=str(wrong))


@pytest.mark.parametrize("make", [directory_of, directory_from_path])
def test_a_file_or_a_missing_directory_is_not_a_directory(make: Callable[..., Any], local: Path, folder: Path) -> None:
    for wrong in (local, folder / "missing"):
        with pytest.raises(TypeMismatch):
            make(path=str(wrong))


def test_missing_inputs_are_refused(local: Path, folder: Path) -> None:
    @workflow
    def wf(file: FlyteFile) -> str:
        return text_of(file=file)

    for call in (wf, text_of):
        assert call(file=local) == "text"
        with pytest.raises(TypeMismatch):
            call(file=str(folder))
        with pytest.raises(TypeMismatch):
            call(file="/nowhere/x")
    with pytest.raises(TypeMismatch):
        names_in(folder=str(local))  # type: ignore[arg-type]


def test_a_returned_path_is_copied(local: Path, folder: Path) -> None:
    file, path = file_from_path(path=str(local)), path_from_path(path=str(local))
    directory = directory_from_path(path=str(folder))
    local.write_text("changed")
    (folder / "a.txt").write_text("changed")
    assert [Path(file).read_text(), path.read_text(), (directory / "a.txt").read_text()] == ["text", "text", "a"]
    assert path.name == local.name


def test_new_files_are_below_the_working_directory() -> None:
    @task
    def written(text: str) -> FlyteFile:
        file = FlyteFile.new("out.txt")
        assert Path(file.path).is_relative_to(current_context().working_directory)
        with open(file, "w") as stream:
            stream.write(text)
        return file

    outside = current_context().working_directory
    assert Path(FlyteFile.new("a.txt").path).parent == Path(outside)
    assert Path(FlyteDirectory.new("d").path).parent == Path(outside)
    first, second = written(text="first"), written(text="second")
    assert Path(first.path).is_relative_to(outside)
    assert (Path(first).read_text(), Path(second).read_text()) == ("first", "second"), "each call has a directory of its own"


def test_a_new_directory_is_empty() -> None:
    first = FlyteDirectory.new("twice")
    (first / "a.txt").write_text("a")
    assert os.listdir(FlyteDirectory.new("twice")) == []


@pytest.mark.parametrize("new", [FlyteFile.new, FlyteDirectory.new])
def test_the_path_of_a_new_file_is_relative(new: Callable[[str], object]) -> None:
    with pytest.raises(InputError):
        new("/tmp/absolute")


def test_paths_in_a_directory(folder: Path) -> None:
    directory = FlyteDirectory(folder)
    assert (directory / "a.txt").read_text() == "a"
    assert directory / "sub" / "b.txt" == folder / "sub" / "b.txt"
    assert (directory.sep, FlyteDirectory("s3://b/d").sep) == (os.sep, "/")
    assert directory.new_file().path != directory.new_file().path
    remote = FlyteDirectory(f"file://{folder}")
    assert not (remote / "a.txt").exists()
    remote.download()
    assert (remote / "a.txt").read_text() == "a"


def test_arguments_of_flytekit(local: Path) -> None:
    with FlyteFile(local).open("rb", cache_type="readahead", cache_options={}) as stream:
        assert stream.read() == b"text"
    with pytest.raises(NotSupported):
        FlyteFile(local, metadata={"a": "b"})


def test_alternative_bucket() -> None:
    with use_transfer(RawDataTransfer("s3://bucket/raw", Path("/tmp/none"))):
        file, directory = FlyteFile.new_remote_file("x", alt="other"), FlyteDirectory.new_remote(stem="d", alt="other")
    for blob, name in ((file, "x"), (directory, "d")):
        assert blob.remote_source is not None
        assert blob.remote_source.startswith("s3://other/raw/")
        assert blob.remote_source.endswith(f"/{name}")


def test_a_downloader_writes_the_file_at_its_first_use(tmp_path: Path) -> None:
    calls: list[int] = []
    path = tmp_path / "lazy.txt"

    def write() -> None:
        calls.append(1)
        path.write_text("lazy")

    @task
    def lazy() -> FlyteFile:
        return FlyteFile(str(path), downloader=write)

    file = FlyteFile(str(path), write)
    assert (file.path, file.downloaded, calls) == (str(path), False, [])
    with file.open() as stream:
        assert stream.read() == Path(file).read_text() == "lazy"
    path.unlink()
    assert (file.download(), file.downloaded, calls) == (str(path), True, [1])
    assert Path(lazy()).read_text() == "lazy"
