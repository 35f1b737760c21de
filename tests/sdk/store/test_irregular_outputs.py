"""Outputs that are neither files nor folders are refused with the kind of thing that they are."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from flytemp.errors import InputError, NotFound
from flytemp.store import raw


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


IRREGULAR: dict[str, Callable[[Path], None]] = {
    "a broken link to 'absent'": lambda path: path.symlink_to("absent"),
    "a pipe (FIFO)": os.mkfifo,
    "a link to a pipe, a pipe (FIFO)": lambda path: (os.mkfifo(path.with_name("pipe")), path.symlink_to("pipe"))[1],
    "a socket": _socket,
    "a character device": lambda path: path.symlink_to("/dev/null"),
    "a broken link to": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", IRREGULAR)
def test_irregular_output_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "output"
    IRREGULAR[kind](path)
    for upload in (raw.upload_file, raw.upload_directory):
        with pytest.raises(InputError) as caught:
            upload(path, f"file://{tmp_path}/target")
        assert kind.rpartition(", ")[2] in caught.value.message
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("kind", IRREGULAR)
def test_irregular_entry_of_a_folder_is_named(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "output" / "inner"
    folder.mkdir(parents=True)
    (folder / "a").write_text("")
    IRREGULAR[kind](folder / "z")
    with pytest.raises(InputError) as caught:
        raw.upload_directory(tmp_path / "output", f"file://{tmp_path}/target")
    assert kind.rpartition(", ")[2] in caught.value.message
    assert "inner/" in caught.value.message
    assert not (tmp_path / "target").exists()


def test_link_to_a_folder_above_is_refused(tmp_path: Path) -> None:
    (tmp_path / "output" / "inner").mkdir(parents=True)
    (tmp_path / "output" / "inner" / "up").symlink_to("..")
    with pytest.raises(InputError, match="a link to a folder above it"):
        raw.upload_directory(tmp_path / "output", f"file://{tmp_path}/target")


def test_folder_in_the_place_of_a_file_and_the_reverse(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a folder, not a file") as caught:
        raw.upload_file(tmp_path, f"file://{tmp_path}/x")
    assert "FlyteDirectory" in (caught.value.hint or "")
    with pytest.raises(InputError, match="a file, not a folder"):
        raw.upload_directory(tmp_path / "file", f"file://{tmp_path}/x")
    with pytest.raises(NotFound):
        raw.upload_file(tmp_path / "absent", f"file://{tmp_path}/x")
