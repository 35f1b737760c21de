"""`flytemp approve EXECUTION GATE`."""

from __future__ import annotations

import click

from flytemp_cli.client_session import on_execution
from flytemp_cli.completion import complete_executions, complete_gates
from flytemp_cli.gate_commands import show_answer
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session


@click.command("approve", cls=Command)
@click.argument("execution", shell_complete=complete_executions(running=True))
@click.argument("gate", shell_complete=complete_gates("approve"))
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at it later")
@pass_session
def command(session: Session, execution: str, gate: str, reason: str) -> None:
    """Let a gate pass that waits for an approval, or that the run has yet to reach.

    GATE is the gate's name, or its node's id; `flytemp list waiting` shows both.

    \b
    Example:
      flytemp approve nightly-1 release --reason "numbers are fine"
    """
    nodes = on_execution(session, execution, lambda handle: handle.approve(gate, reason))
    show_answer(session, execution, gate, "is approved", {"approved": True, "reason": reason}, nodes)
