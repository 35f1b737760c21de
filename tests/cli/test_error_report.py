"""Error messages and exit codes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import pytest

from flytemp.errors import (
    AlreadyExists,
    ExecutionAborted,
    ExecutionFailed,
    FlytempBug,
    InputError,
    Location,
    NotFound,
    Problem,
    ProgramError,
    StoreError,
    TemporalUnavailable,
    WaitTimeout,
)
from flytemp_cli.error_report import InputUsageError, exit_code, report
from flytemp_cli.session import Session
from tests.messages.golden import check_golden

from .conftest import Cli

HERE = Location("src/wf.py", 12)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x is wrong"), 1),
        (NotFound("no such"), 1),
        (ProgramError([Problem("bad")]), 1),
        (TemporalUnavailable("none"), 1),
        (click.UsageError("what"), 2),
        (click.BadParameter("what"), 2),
        (InputUsageError("what"), 2),
        (ExecutionFailed("it failed", execution="e"), 3),
        (ExecutionAborted("it was stopped", execution="e"), 4),
        (WaitTimeout("too long"), 5),
        (ValueError("not ours"), 1),
    ],
)
def test_exit_codes(error: Exception, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (
            AlreadyExists("v1 exists", hint="take another"),
            ["error: v1 exists", "hint: take another"],
        ),
        (
            StoreError("the store is full", hint="make room"),
            [
                "error: the store is full",
                "hint: make room",
                "note: the operator of Temporal and the store must act; the workflow's code is not the cause",
            ],
        ),
        (
            FlytempBug("a node ended twice"),
            [
                "error: a node ended twice",
                "note: this is a bug in flytemp; please report it with the output of -v",
            ],
        ),
        (
            ProgramError([Problem("x is not an input", HERE, "did you mean y?", traceback="Traceback …")]),
            ["error: src/wf.py:12: x is not an input", "hint: did you mean y?"],
        ),
        (
            ProgramError([Problem("first", HERE, "do this"), Problem("second", Location("src/wf.py", 30))]),
            ["error: the program has 2 problems", "src/wf.py:12: first", "  hint: do this", "src/wf.py:30: second"],
        ),
        (
            ZeroDivisionError("division by zero"),
            [
                "error: unexpected ZeroDivisionError: division by zero",
                "hint: repeat the command with -v to see the traceback",
                "note: this is a bug in flytemp; please report it with the output of -v",
            ],
        ),
        (
            FileNotFoundError(2, "No such file or directory", "data.csv"),
            ["error: data.csv: No such file or directory"],
        ),
        (click.UsageError("No such thing."), ["error: no such thing"]),
        (
            InputUsageError("missing input: --x", hint="the inputs are x: int"),
            ["error: missing input: --x", "hint: the inputs are x: int"],
        ),
    ],
)
def test_messages(error: Exception, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    report(error, Session(color="never"))

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == lines


def test_verbose_shows_code_and_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise StoreError("the store is full")

    code = report(raised(fail), Session(color="never", verbose=True))

    err = capsys.readouterr().err
    assert code == 1
    assert "code: store-unavailable" in err
    assert "Traceback (most recent call last)" in err
    assert 'raise StoreError("the store is full")' in err


def test_verbose_shows_the_users_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    report(ProgramError([Problem("import failed", HERE, traceback="File wf.py line 12")]), Session(color="never", verbose=True))

    assert "  File wf.py line 12" in capsys.readouterr().err.splitlines()


def test_color_option(capsys: pytest.CaptureFixture[str]) -> None:
    report(NotFound("nothing"), Session(color="always"))

    assert "\x1b[31m" in capsys.readouterr().err


BAD_COMMAND_LINES = [
    ["lunch"],
    ["list", "execs"],
    ["list", "executions", "--limit", "0"],
    ["get", "execution"],
    ["--project", "Not A Name", "config", "view"],
    ["launch", "--x", "3", "wf"],
    ["run", "--x", "3", "wf.py"],
    ["run", "nothing.py"],
    ["check", "nothing.py"],
    ["graph", "a", "b", "c"],
    ["launch", "nothing"],
    ["get", "workflow", "nothing"],
    ["get", "entity", "wf:x"],
    ["set-input", "nightly-1", "threshold"],
    ["list", "executions", "--address", "127.0.0.1:1"],
    ["list", "executions", "--profile", "nowhere"],
]


def test_texts_of_bad_command_lines(flytemp: Cli, project: Path) -> None:
    def text(arguments: list[str]) -> str:
        result = flytemp(*arguments)
        assert result.out == ""
        return f"exit code {result.code}\n{result.err}"

    cases = {" ".join(arguments): partial(text, arguments) for arguments in BAD_COMMAND_LINES}
    check_golden("command-lines", cases, {str(project.parent): "<folder>"})


def test_unknown_store_protocol_is_an_error(flytemp: Cli) -> None:
    result = flytemp("list", "tasks", "--store", "nonsense://x")

    assert (result.code, result.out) == (1, "")
    check_golden("store-protocols", {"an unknown protocol": partial(str, result.err)})


def test_stopped_dev_server_is_explained(flytemp: Cli, project: Path) -> None:
    state = project / ".flytemp"
    state.mkdir()
    (state / "dev.json").write_text(
        '{"pid": 2000000000, "address": "127.0.0.1:1", "namespace": "default", "store": "file:///x", "task_queue": "flytemp"}'
    )

    result = flytemp("list", "executions", "--address", "127.0.0.1:1")

    check_golden("stopped-dev-server", {"another command": partial(str, result.err)}, {str(project): "<project>"})


def raised(call: Callable[[], None]) -> Exception:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it is, with its traceback
        return error
    raise AssertionError("nothing was raised")
