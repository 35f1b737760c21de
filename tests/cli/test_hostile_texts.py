"""Texts of other users, and names that are not UTF-8, do no harm on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from flytemp_cli.output import Output
from flytemp_cli.style import for_terminal
from tests.cli.conftest import Cli

ESCAPES = ("\x1b]0;title\x07", "\x1b[2J", "\x1b]8;;http://evil\x1b\\", "\x9b2J", "\x07", "\r", "\x08", "\x00")
PROGRAM = f'''
from flytemp import task, workflow

@task
def t(x: str) -> str:
    return x

@workflow
def w(x: str = {"".join(ESCAPES)!r}) -> str:
    """Greet {"".join(ESCAPES).encode("unicode_escape").decode()} all.

    Args:
        x: the {"".join(ESCAPES).encode("unicode_escape").decode()} name
    """
    return t(x=x)
'''


@pytest.mark.parametrize("escape", ESCAPES)
def test_control_characters_are_removed(escape: str) -> None:
    shown = for_terminal(f"a{escape}b\n\tc")
    assert not set(shown) & set("\x1b\x07\x9b\r\x08\x00")
    assert shown.startswith("a")
    assert shown.endswith("b\n\tc")


def test_colours_are_kept() -> None:
    assert for_terminal("\x1b[31mred\x1b[0m \x1b[2Jgreen") == "\x1b[31mred\x1b[0m [2Jgreen"
    assert for_terminal("plain ünï ✓") == "plain ünï ✓"


def test_text_that_is_not_unicode_is_shown_escaped() -> None:
    assert for_terminal("caf\udce9") == "caf\\udce9"


@pytest.mark.parametrize("arguments", [["run", "flow.py", "w", "--help"], ["launch", "w", "--help"], ["get", "workflow", "w"]])
def test_texts_of_entities_change_no_terminal(flytemp: Cli, project: Path, arguments: list[str]) -> None:
    (project / "flow.py").write_text(PROGRAM)
    assert flytemp("register", "flow.py").code == 0
    done = flytemp(*arguments)
    assert done.code == 0
    assert "str" in done.out
    assert not set(done.out + done.err) & set("\x1b\x07\x9b\r\x08\x00")


def test_links_and_notes_change_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("table")
    output.note(f"grafana: https://logs{''.join(ESCAPES)}")
    output.text(f"name{''.join(ESCAPES)}")
    captured = capsys.readouterr()
    assert not set(captured.out + captured.err) & set("\x1b\x07\x9b\r\x08\x00")


@pytest.mark.parametrize("command", [["check"], ["register"], ["graph"], ["run"]])
def test_names_that_are_not_utf8_are_reported(flytemp: Cli, project: Path, command: list[str]) -> None:
    (project / "caf\udce9.py").write_text(PROGRAM)
    done = flytemp(*command, "caf\udce9.py")
    assert done.code == 1
    assert "unexpected" not in done.err
    assert "caf\\udce9" in done.err


@pytest.mark.parametrize(
    "document",
    [
        "x: &a [1]\n" + "".join(f"a{n}: &a{n} [{', '.join(['*a' if n == 0 else f'*a{n - 1}'] * 9)}]\n" for n in range(12)),
        "a: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)),
        "x: &a [*a]\n",
        "x: " + "[" * 5_000,
        "x: " + "9" * 10_000,
    ],
    ids=["aliases", "merges", "itself", "deep", "long number"],
)
def test_inputs_that_would_exhaust_memory_are_refused(flytemp: Cli, project: Path, document: str) -> None:
    (project / "flow.py").write_text(PROGRAM)
    (project / "inputs.yaml").write_text(document)
    done = flytemp("run", "flow.py", "w", "--local", "--inputs", "inputs.yaml")
    assert done.code == 2
    assert "unexpected" not in done.err
