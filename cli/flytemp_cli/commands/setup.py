"""`flytemp setup`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from flytemp_cli.error_report import EXIT_ERROR, EXIT_OK
from flytemp_cli.lazy_imports import Command
from flytemp_cli.output import columns
from flytemp_cli.session import Session, pass_session
from flytemp_cli.style import Style

if TYPE_CHECKING:
    from flytemp.client.setup import SetupStep

_COLORS = {"created": "green", "exists": None, "ok": "green", "skipped": "yellow", "failed": "red"}


@click.command("setup", cls=Command)
@pass_session
def command(session: Session) -> int:
    """Check an existing Temporal namespace and store, and register the search attributes.

    Repeating the command is safe. The exit code is 1 if a step failed.

    \b
    Example:
      flytemp setup --profile prod --store s3://bucket/flytemp
    """
    steps = asyncio.run(_setup(session))
    value = [{"what": step.subject, "outcome": step.outcome, "detail": step.detail} for step in steps]
    output = session.output()
    output.data(value, table=lambda style: step_table(steps, style), names=[step.subject for step in steps])
    failed = [step for step in steps if step.outcome == "failed"]
    for step in failed:
        output.note(f"{output.messages.error('error: ')}{step.subject}: {step.detail}")
    if failed:
        output.hint("correct the cause and repeat `flytemp setup`; completed steps are kept")
    return EXIT_ERROR if failed else EXIT_OK


async def _setup(session: Session) -> list[SetupStep]:
    from flytemp.client.client import Client
    from flytemp.client.setup import setup_temporal

    client = await Client.connect(session.settings())
    try:
        return await setup_temporal(client)
    finally:
        await client.close()


def step_table(steps: list[SetupStep], style: Style) -> list[str]:
    """Return the steps as a table."""
    rows = [[step.subject, style.paint(step.outcome, _COLORS.get(step.outcome)), step.detail] for step in steps]
    return columns(["STEP", "OUTCOME", "DETAIL"], rows, style)
