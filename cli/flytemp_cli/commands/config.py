"""`flytemp config view`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import click

from flytemp_cli.lazy import Command, Entry, LazyGroup
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
    rows = [{"key": key, "value": value, "origin": settings.origins.get(key, "default")} for key, value in _values(settings, "")]
    session.output().data(
        rows,
        table=lambda style: columns(
            ["KEY", "VALUE", "ORIGIN"], [[row["key"], _text(row["value"]), row["origin"]] for row in rows], style
        ),
        names=[row["key"] for row in rows],
    )


def _values(settings: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == "origins":
            continue
        if is_dataclass(value):
            yield from _values(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, (tuple, frozenset, set)) else value


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
