"""Hints for exceptions that have their cause in the surroundings of tasks."""

from __future__ import annotations

import bdb
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flytemp.runtime import task_run
from flytemp.runtime.hints import hint_for
from flytemp.runtime.task_run import temporary_bundles
from flytemp.runtime.user_errors import user_error


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - whatever the code of a task raises
        return error
    raise AssertionError("nothing was raised")


def _from_file_error() -> None:
    try:
        os.stat("data/x.csv")
    except OSError as error:
        raise ValueError("no data") from error


class Odd(FileNotFoundError):
    @property
    def filename(self) -> str:  # type: ignore[override]
        raise RuntimeError("no name")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: Path("data/x.csv").read_bytes(), "__file__"),
        (lambda: os.stat(b"data/x.csv"), "FlyteFile"),
        (lambda: os.listdir("data"), "current folder of a task is empty"),
        (lambda: Path("data/x.csv").read_text(), "current folder of a task is empty"),
        (lambda: Path("/home/me/absent.csv").read_bytes(), "must exist on the machine"),
        (_from_file_error, "current folder of a task is empty"),
        (lambda: os.environ["ABSENT_VARIABLE"], "ABSENT_VARIABLE"),
        (lambda: os.environ.pop("ABSENT_VARIABLE"), "pass_environment"),
        (lambda: __import__("absent_module"), "root of the program"),
        (lambda: (_ for _ in ()).throw(bdb.BdbQuit()), "flytemp run --local"),
    ],
)
def test_hint(call: Callable[[], object], expected: str) -> None:
    error = raised(call)
    assert expected in (hint_for(error) or "")
    assert f"hint: {hint_for(error)}" in user_error(error).message


def test_hint_of_input_and_breakpoint() -> None:
    for code, expected in (("input()", "wait_for_input"), ("breakpoint()", "run --local")):
        program = f"""
from flytemp.runtime.hints import hint_for
def task():
    {code}
    return 1
try:
    task()
except BaseException as error:
    print("HINT", hint_for(error))
"""
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert expected in done.stdout, done.stderr


def test_hint_of_input_without_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert "wait_for_input" in (hint_for(raised(input)) or "")


def test_hints_of_files_in_the_bundle(tmp_path: Path) -> None:
    assert ".gitignore" in (hint_for(raised((tmp_path / "data" / "x.csv").read_bytes), tmp_path) or "")
    refused = PermissionError(13, "Permission denied", str(tmp_path / "cache.json"))
    assert "read-only" in (hint_for(refused, tmp_path) or "")


@pytest.mark.parametrize(
    "call",
    [
        lambda: {}["key"],
        lambda: os.stat("/proc/absent"),
        lambda: (_ for _ in ()).throw(FileNotFoundError()),
        lambda: (_ for _ in ()).throw(Odd()),
        lambda: (_ for _ in ()).throw(EOFError("end of the pipe")),
        lambda: io.BytesIO(b"").write(None),  # type: ignore[arg-type]
    ],
)
def test_errors_without_a_hint(call: Callable[[], object]) -> None:
    assert hint_for(raised(call)) is None


# ----------------------------------------------------------------------- the folder of unpacked bundles


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(task_run.tempfile, "tempdir", str(tmp_path))
    task_run._process_bundles.cache_clear()
    return tmp_path / f"flytemp-bundles-{os.getuid()}"


def test_folder_of_bundles_is_private_and_used_again(temporary: Path) -> None:
    assert temporary_bundles() == temporary_bundles() == temporary
    assert temporary.stat().st_mode & 0o777 == 0o700
    temporary.chmod(0o777)
    assert temporary_bundles() == temporary
    assert temporary.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["another user's", "link", "file"])
def test_folder_of_bundles_of_another_user_is_not_used(
    temporary: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "link":
        (tmp_path / "theirs").mkdir()
        temporary.symlink_to("theirs")
    elif kind == "file":
        temporary.write_text("")
    else:
        temporary.mkdir()
        monkeypatch.setattr(task_run.os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
        temporary.rename(tmp_path / f"flytemp-bundles-{os.stat(tmp_path).st_uid + 1}")
    folder = temporary_bundles()
    assert folder != temporary
    assert folder.parent == tmp_path
    assert folder.name.startswith("flytemp-bundles-")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert temporary_bundles() == folder
