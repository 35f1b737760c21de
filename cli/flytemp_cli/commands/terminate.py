"""`flytemp terminate NAME`."""

from __future__ import annotations

import click

from flytemp_cli.completion import complete_executions
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import Session, pass_session
from flytemp_cli.stop_commands import stop


@click.command("terminate", cls=Command)
@click.argument("name", shell_complete=complete_executions(running=True))
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever looks at it later")
@pass_session
def command(session: Session, name: str, reason: str) -> None:
    """End an execution at once, without letting it clean up: for one that `flytemp cancel` does not stop.

    The executions that it started end with it.

    \b
    Example:
      flytemp terminate nightly-1 --reason "does not react"
    """
    stop(session, name, reason, at_once=True)
