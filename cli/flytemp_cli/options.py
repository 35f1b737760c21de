"""Global options of all commands, and option types shared by several commands."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import click

from flytemp import names
from flytemp.errors import InvalidName
from flytemp_cli.session import session_of

FORMATS = ("table", "json", "yaml", "name")
SETTING_OPTIONS = ("project", "domain", "profile", "store", "namespace", "address")


def checked(check: Callable[[str], str]) -> Callable[[str], str]:
    """Return an option type for names: ``check`` is a function of `flytemp.names` that raises InvalidName."""

    def convert(text: str) -> str:
        try:
            return check(text)
        except InvalidName as error:
            raise click.BadParameter(f"{error.message}: {error.hint}") from error

    return convert


PROJECT = checked(names.check_project)
DOMAIN = checked(names.check_domain)
VERSION = checked(names.check_version)
EXECUTION = checked(names.check_execution)


class GlobalOption(click.Option):
    """Option of all commands. Its value is stored in the session and not passed to the command's function."""


def _store_in_session(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is None or value is False or param.name is None:
        return
    session = session_of(ctx)
    if param.name in SETTING_OPTIONS:
        session.overrides[param.name] = value
    else:
        setattr(session, param.name, value)


def _option(*declarations: str, **more: Any) -> GlobalOption:
    return GlobalOption(list(declarations), expose_value=False, callback=_store_in_session, **more)


def global_options(taken: Collection[str] = ()) -> list[click.Option]:
    """Return the global options, except those with a flag in ``taken`` that the command defines itself."""
    options = [
        _option("-o", "--output", "output_format", type=click.Choice(FORMATS), help="Output format [default: table]"),
        _option("--project", type=PROJECT, metavar="NAME", help="Project [default: default]"),
        _option("--domain", type=DOMAIN, metavar="NAME", help="Domain [default: development]"),
        _option("--profile", metavar="NAME", help="Profile in Temporal's configuration file, temporal.toml"),
        _option("--store", metavar="URI", help="Store: a folder, or a URI as s3://bucket/prefix"),
        _option("--namespace", metavar="NAME", help="Temporal namespace [default: default]"),
        _option("--address", metavar="HOST:PORT", help="Address of the Temporal server [default: localhost:7233]"),
        _option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            help="Use of colours; NO_COLOR is respected [default: auto]",
        ),
        _option("-v", "--verbose", is_flag=True, help="Show error codes and tracebacks"),
    ]
    return [option for option in options if not set(taken).intersection(option.opts)]


def version_option() -> click.Option:
    """Return the option ``--version``."""

    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            from flytemp_cli.version import flytemp_version

            click.echo(f"flytemp {flytemp_version()}")
            ctx.exit()

    return click.Option(
        ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=show, help="Show the version and exit"
    )
