"""`flytemp config view`."""

from __future__ import annotations

import click

from flytemp.redaction import without_credentials
from flytemp_cli.lazy_imports import Command, Entry, LazyGroup
from flytemp_cli.output import columns
from flytemp_cli.session import Session, pass_session

command = LazyGroup(
    name="config",
    entries={"view": Entry("flytemp_cli.commands.config:view", "Show every setting, its value and its origin")},
    help="Show the configuration. Precedence: options, environment variables, flytemp.toml, Temporal's profile.",
)


@click.command("view", cls=Command)
@pass_session
def view(session: Session) -> None:
    """Show every setting, its value and its origin. Secrets are not settings and are never shown.

    \b
    Examples:
      flytemp config view
      flytemp config view --profile prod -o json
    """
    settings = session.settings()
    described = [(key, without_credentials(value), origin) for key, value, origin in settings.describe()]
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

