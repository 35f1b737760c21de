"""`flytemp resume EXECUTION`."""

from __future__ import annotations

import click

from flytemp_cli.client_session import on_execution
from flytemp_cli.completion import complete_executions
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session


@click.command("resume", cls=Command)
@click.argument("execution", shell_complete=complete_executions(running=True))
@pass_session
def command(session: Session, execution: str) -> None:
    """Let an execution go on that was paused.

    \b
    Example:
      flytemp resume nightly-1
    """
    on_execution(session, execution, lambda handle: handle.resume())
    output = session.output()
    output.data({"name": execution, "requested": "resume"}, table=lambda _: [], names=[execution])
    if output.is_table:
        output.note(f"execution {execution} goes on")
