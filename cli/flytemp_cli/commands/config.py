"""`flytemp config view`."""

from __future__ import annotations

import re

import click

from flytemp_cli.lazy_imports import Command, Entry, LazyGroup
from flytemp_cli.options import Session, pass_session
from flytemp_cli.output import columns

command = LazyGroup(
    name="config",
    entries={"view": Entry("flytemp_cli.commands.config:view", "Every value and where it comes from")},
    help="The configuration: flags, then environment variables, then flytemp.toml, then Temporal's profile.",
)


@click.command("view", cls=Command)
@pass_session
def view(session: Session) -> None:
    """Show every setting, its value and where it comes from. Secrets are never shown: they are not settings.

    \b
    Examples:
      flytemp config view
      flytemp config view --profile prod -o json
    """
    settings = session.settings()
    described = [(key, _without_password(value), origin) for key, value, origin in settings.describe()]
    output = session.output()
    output.data(
        [{"key": key, "value": value, "origin": origin} for key, value, origin in described],
        table=lambda style: columns(
            ["KEY", "VALUE", "ORIGIN"], [[key, value or "-", origin] for key, value, origin in described], style
        ),
        names=[key for key, _, _ in described],
    )
    for note in settings.notes:
        output.note(f"note: {note}")


def _without_password(value: str) -> str:
    """A URI may carry a user and a password before its host."""
    return re.sub(r"(?<=://)[^/@]*@", "***@", value)
