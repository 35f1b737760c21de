"""`flytemp set-input EXECUTION GATE VALUE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flytemp.errors import FlytempError, TypeMismatch
from flytemp_cli.client_session import on_execution
from flytemp_cli.completion import complete_executions, complete_gates
from flytemp_cli.failures import InputUsageError
from flytemp_cli.gate_commands import show_answer
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session

if TYPE_CHECKING:
    from flytemp.client.handle import ExecutionHandle
    from flytemp.literals.types import Json, LiteralType


# -3 is a value here, and not an option that does not exist.
@click.command("set-input", cls=Command, context_settings={"ignore_unknown_options": True})
@click.argument("execution", shell_complete=complete_executions(running=True))
@click.argument("gate", shell_complete=complete_gates("input"))
@click.argument("value", required=False)
@click.option("--file", "file", metavar="FILE", help="Read the value from a file, - for stdin: text for a str, else JSON")
@pass_session
def command(session: Session, execution: str, gate: str, value: str | None, file: str | None) -> None:
    """Give a gate the value that it waits for, or will wait for when the run reaches it.

    GATE is the gate's name, or its node's id; `flytemp list waiting` shows both. VALUE is written as an input of
    `flytemp launch` is: lists and structures as JSON, everything else as it is; a file input takes a path or a URI.

    \b
    Examples:
      flytemp set-input nightly-1 threshold 0.8
      flytemp set-input nightly-1 limits --file limits.json
    """
    text = _read(file, value)

    async def give(handle: ExecutionHandle[Any]) -> tuple[Json, list[str]]:
        type_ = await handle.gate_type(gate)
        literal = _literal(text, type_, from_file=file is not None)
        try:
            return literal, await handle.set_input(gate, literal)
        except TypeMismatch:
            if type_ is not None or isinstance(literal, str):
                raise
            return text, await handle.set_input(gate, text)  # what looked like JSON is the text that the gate takes

    literal, nodes = on_execution(session, execution, give)
    show_answer(session, execution, gate, f"is given {json.dumps(literal, ensure_ascii=False)}", {"value": literal}, nodes)


def _read(file: str | None, value: str | None) -> str:
    if (file is None) == (value is None):
        raise InputUsageError("give either VALUE or --file", hint="`flytemp set-input --help` shows examples")
    if file is None:
        assert value is not None
        return value
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise InputUsageError(f"--file: cannot read {file}: {error.strerror}", hint="- reads standard input") from error
    except UnicodeDecodeError as error:
        raise InputUsageError(f"--file: {file} is not UTF-8 text", hint="a value is text or JSON; bytes are base64") from error


def _literal(text: str, type_: LiteralType | None, *, from_file: bool) -> Json:
    """By the gate's type; where nobody knows that, JSON if it is, else text."""
    from flytemp.literals.describe import describe_type
    from flytemp.literals.text import parse_text

    # A file's last line ends; a value of one line does not.
    text = text.removesuffix("\n") if from_file else text
    if type_ is None:
        try:
            return json.loads(text)
        except ValueError:
            return text
    try:
        return parse_text(text, type_)
    except FlytempError as error:
        raise InputUsageError(f"VALUE: {error.message}", hint=error.hint or f"the gate takes {describe_type(type_)}") from error
