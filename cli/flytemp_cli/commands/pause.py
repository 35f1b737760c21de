"""`flytemp pause EXECUTION`."""

from __future__ import annotations

import click

from flytemp_cli.client_session import on_execution
from flytemp_cli.completion import complete_executions
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session


@click.command("pause", cls=Command)
@click.argument("execution", shell_complete=complete_executions(running=True))
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at it later")
@pass_session
def command(session: Session, execution: str, reason: str) -> None:
    """Start nothing new in an execution until `flytemp resume`; what runs goes on to its end.

    \b
    Example:
      flytemp pause nightly-1 --reason "the database is being moved"
    """
    on_execution(session, execution, lambda handle: handle.pause(reason))
    output = session.output()
    output.data({"name": execution, "requested": "pause", "reason": reason}, table=lambda _: [], names=[execution])
    if output.is_table:
        output.note(f"execution {execution} is paused: what runs goes on, nothing new is started")
        output.hint(f"`flytemp resume {execution}` lets it go on")
