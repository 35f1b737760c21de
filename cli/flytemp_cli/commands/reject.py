"""`flytemp reject EXECUTION GATE`."""

from __future__ import annotations

import click

from flytemp_cli.client_session import on_execution
from flytemp_cli.completion import complete_executions, complete_gates
from flytemp_cli.gate_commands import show_answer
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session


@click.command("reject", cls=Command)
@click.argument("execution", shell_complete=complete_executions(running=True))
@click.argument("gate", shell_complete=complete_gates("approve"))
@click.option("--reason", default="", metavar="TEXT", help="Why: the node's error says it")
@pass_session
def command(session: Session, execution: str, gate: str, reason: str) -> None:
    """Have a gate fail that waits for an approval, or that the run has yet to reach: its node is FAILED.

    GATE is the gate's name, or its node's id; `flytemp list waiting` shows both.

    \b
    Example:
      flytemp reject nightly-1 release --reason "too few rows"
    """
    nodes = on_execution(session, execution, lambda handle: handle.reject(gate, reason))
    show_answer(session, execution, gate, "is rejected", {"approved": False, "reason": reason}, nodes)
