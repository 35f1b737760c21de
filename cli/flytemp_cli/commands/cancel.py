"""`flytemp cancel NAME`."""

from __future__ import annotations

import click

from flytemp_cli.completion import complete_executions
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session
from flytemp_cli.stop_commands import stop


@click.command("cancel", cls=Command)
@click.argument("name", shell_complete=complete_executions(running=True))
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at it later")
@pass_session
def command(session: Session, name: str, reason: str) -> None:
    """Ask an execution to stop: its tasks are stopped, its record is written, its phase becomes ABORTED.

    \b
    Example:
      flytemp cancel nightly-1 --reason "wrong data"
    """
    stop(session, name, reason, at_once=False)
