"""The options every command takes, before or after its name, and what they mean together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from flytemp import names
from flytemp.errors import InvalidName

if TYPE_CHECKING:
    from flytemp.config import Settings
    from flytemp_cli.output import Output

FORMATS = ("table", "json", "yaml", "name")
SETTING_OPTIONS = ("project", "domain", "profile", "store", "namespace", "address")


@dataclass
class Session:
    """What the global options of one command line say; a later place wins over an earlier one.

    ``notes`` are what the settings remarked when they were loaded: they explain some failures.
    """

    output_format: str = "table"
    color: str = "auto"
    verbose: bool = False
    overrides: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def settings(self, more: Mapping[str, str] | None = None) -> Settings:
        """The effective settings; ``more`` are further flags of the command.

        Raises:
            ConfigError: they contradict each other or cannot be read.
        """
        from flytemp.config import load_settings

        settings = load_settings(overrides={**self.overrides, **(more or {})})
        self.notes = settings.notes
        return settings

    def output(self) -> Output:
        """Where this command prints."""
        from flytemp_cli.output import Output

        return Output(self.output_format, self.color, verbose=self.verbose)


def session_of(ctx: click.Context) -> Session:
    """The session of this command line."""
    session = ctx.ensure_object(Session)
    assert isinstance(session, Session)
    return session


pass_session = click.make_pass_decorator(Session, ensure=True)
"""Gives a command's function the session as its first argument."""


def checked(check: Callable[[str], str]) -> Callable[[str], str]:
    """An option's type: a text that passes one of the checks of `flytemp.names`, a usage error otherwise."""

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
    """An option that every command takes; its value goes to the session and not to the command's function."""


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is None or value is False or param.name is None:
        return
    session = session_of(ctx)
    if param.name in SETTING_OPTIONS:
        session.overrides[param.name] = value
    else:
        setattr(session, param.name, value)


def _option(*declarations: str, **more: Any) -> GlobalOption:
    return GlobalOption(list(declarations), expose_value=False, callback=_remember, **more)


def global_options(taken: Collection[str] = ()) -> list[click.Option]:
    """The global options but for those with a flag of ``taken``, which mean something else to a command."""
    options = [
        _option("-o", "--output", "output_format", type=click.Choice(FORMATS), help="How data is printed [default: table]"),
        _option("--project", type=PROJECT, metavar="NAME", help="Flyte's project [default: default]"),
        _option("--domain", type=DOMAIN, metavar="NAME", help="Flyte's domain [default: development]"),
        _option("--profile", metavar="NAME", help="A profile of Temporal's configuration, temporal.toml"),
        _option("--store", metavar="URI", help="The store, such as s3://bucket/prefix or a folder"),
        _option("--namespace", metavar="NAME", help="The Temporal namespace [default: default]"),
        _option("--address", metavar="HOST:PORT", help="The Temporal server [default: localhost:7233]"),
        _option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            help="Colours; NO_COLOR is honoured [default: auto]",
        ),
        _option("-v", "--verbose", is_flag=True, help="Show error codes and tracebacks"),
    ]
    return [option for option in options if not set(taken).intersection(option.opts)]


def version_option() -> click.Option:
    """``flytemp --version``."""

    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            from flytemp_cli.commands.version import own_version

            click.echo(f"flytemp {own_version()}")
            ctx.exit()

    return click.Option(
        ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=show, help="Show the version and exit"
    )
