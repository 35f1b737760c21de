"""`flytemp approve`, `reject` and `set-input`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flytemp.errors import FlytempError, TypeMismatch
from flytemp.json_text import read_json
from flytemp_cli.completion import complete_executions, complete_gates
from flytemp_cli.error_report import InputUsageError
from flytemp_cli.lazy_imports import Command
from flytemp_cli.session import Session, pass_session

if TYPE_CHECKING:
    from flytemp.client.handle import ExecutionHandle
    from flytemp.literals.types import Json, LiteralType

_execution = click.argument("execution", shell_complete=complete_executions(running=True))
_approval_gate = click.argument("gate", shell_complete=complete_gates("approve"))


def _approval_command(name: str, reason_help: str) -> Callable[[Callable[..., None]], click.Command]:
    """Return a decorator that makes a function the command ``name`` with the arguments of an answer to an approval."""

    def decorate(function: Callable[..., None]) -> click.Command:
        reason = click.option("--reason", default="", metavar="TEXT", help=reason_help)
        return click.command(name, cls=Command)(_execution(_approval_gate(reason(pass_session(function)))))

    return decorate


@_approval_command("approve", "The reason, stored with the answer")
def approve(session: Session, execution: str, gate: str, reason: str) -> None:
    """Approve a gate. The answer is kept if the run has not reached the gate yet.

    GATE is the gate's name or its node's id; `flytemp list waiting` shows both.

    \b
    Example:
      flytemp approve nightly-1 release --reason "numbers are fine"
    """
    nodes = session.with_execution(execution, lambda handle: handle.approve(gate, reason))
    _show_answer(session, execution, gate, "is approved", {"approved": True, "reason": reason}, nodes)


@_approval_command("reject", "The reason, shown in the node's error")
def reject(session: Session, execution: str, gate: str, reason: str) -> None:
    """Reject an approval: the gate's node becomes FAILED. The answer is kept if the run has not reached the gate yet.

    GATE is the gate's name or its node's id; `flytemp list waiting` shows both.

    \b
    Example:
      flytemp reject nightly-1 release --reason "too few rows"
    """
    nodes = session.with_execution(execution, lambda handle: handle.reject(gate, reason))
    _show_answer(session, execution, gate, "is rejected", {"approved": False, "reason": reason}, nodes)


# ignore_unknown_options: a negative number is a VALUE, not an unknown option.
@click.command("set-input", cls=Command, context_settings={"ignore_unknown_options": True})
@_execution
@click.argument("gate", shell_complete=complete_gates("input"))
@click.argument("value", required=False)
@click.option("--file", "file", metavar="FILE", help="Read the value from a file, - for stdin: text for a str, else JSON")
@pass_session
def set_input(session: Session, execution: str, gate: str, value: str | None, file: str | None) -> None:
    """Set the value of an input gate. The value is kept if the run has not reached the gate yet.

    GATE is the gate's name or its node's id; `flytemp list waiting` shows both. VALUE has the form of an input of
    `flytemp launch`: lists and structures as JSON, other values as plain text; a file input takes a path or a URI.

    \b
    Examples:
      flytemp set-input nightly-1 threshold 0.8
      flytemp set-input nightly-1 limits --file limits.json
    """
    text = _read_value(file, value)

    async def answer(handle: ExecutionHandle[Any]) -> tuple[Json, list[str]]:
        type_ = await handle.gate_type(gate)
        literal = _literal(text, type_, from_file=file is not None)
        try:
            return literal, await handle.set_input(gate, literal)
        except TypeMismatch:
            if type_ is not None or isinstance(literal, str):
                raise
            return text, await handle.set_input(gate, text)  # the gate takes text that happens to be valid JSON

    literal, nodes = session.with_execution(execution, answer)
    _show_answer(session, execution, gate, f"is set to {json.dumps(literal, ensure_ascii=False)}", {"value": literal}, nodes)


def _show_answer(
    session: Session, execution: str, gate: str, result: str, answer: Mapping[str, Any], nodes: Sequence[str]
) -> None:
    """Print the answer; ``nodes`` are the ids of the nodes that were waiting for it."""
    output = session.output()
    output.data({"name": execution, "gate": gate, **answer, "nodes": list(nodes)}, table=lambda _: [], names=[execution])
    if not output.is_table:
        return
    output.note(f"gate {gate} of execution {execution} {result}")
    if not nodes:
        output.note("the run has not reached the gate; the answer is kept until it does")


def _read_value(file: str | None, value: str | None) -> str:
    if (file is None) == (value is None):
        raise InputUsageError("give either VALUE or --file", hint="`flytemp set-input --help` shows examples")
    if file is None:
        assert value is not None
        return value
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise InputUsageError(f"--file: cannot read {file}: {error.strerror}", hint="use - for standard input") from error
    except UnicodeDecodeError as error:
        raise InputUsageError(f"--file: {file} is not UTF-8 text", hint="encode bytes as base64") from error


def _literal(text: str, type_: LiteralType | None, *, from_file: bool) -> Json:
    """Convert ``text`` by the gate's type; without a known type, valid JSON is JSON and anything else is text."""
    from flytemp.literals.describe import describe_type
    from flytemp.literals.text import parse_text

    # The last line of a file ends with a newline that is not part of a one-line value.
    text = text.removesuffix("\n") if from_file else text
    if type_ is None:
        try:
            return read_json(text)
        except ValueError:
            return text
    try:
        return parse_text(text, type_)
    except FlytempError as error:
        raise InputUsageError(f"VALUE: {error.message}", hint=error.hint or f"the gate takes {describe_type(type_)}") from error
