"""Command groups that import a command when it is used, and commands that accept the global options."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from flytemp.suggest import nearest
from flytemp_cli.options import GlobalOption, global_options
from flytemp_cli.style import for_terminal


@dataclass(frozen=True, slots=True)
class Entry:
    """Location and summary of a command. ``module`` is ``package.module:attribute``; the attribute defaults to ``command``."""

    module: str
    summary: str
    section: str = "Commands"


@contextmanager
def _usage_errors_of(ctx: click.Context) -> Iterator[None]:
    """Attach ``ctx`` to usage errors, so that their report can name the command."""
    try:
        yield
    except click.UsageError as error:
        error.ctx = error.ctx or ctx
        raise


class _GlobalOptionsMixin(click.Command):
    """Adds the global options to a command, in a separate section of its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        taken = {flag for param in self.params for flag in param.opts}
        self.params = [*self.params, *global_options(taken)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _usage_errors_of(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _usage_errors_of(ctx):
            return super().invoke(ctx)

    def get_help(self, ctx: click.Context) -> str:
        # The texts of entities come from the registry, where other users write.
        return for_terminal(super().get_help(ctx))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if self.is_listed(param) else None
            if record is not None:
                (shared if isinstance(param, GlobalOption) else own).append(record)
        if own:
            with formatter.section("Options"):
                formatter.write_dl(own)
        if shared:
            with formatter.section("Global options"):
                formatter.write_dl(shared)

    def is_listed(self, param: click.Parameter) -> bool:
        """Return whether the help lists ``param`` as an option; the command's text describes arguments."""
        return isinstance(param, click.Option)


class Command(_GlobalOptionsMixin):
    """Command of flytemp with the global options."""


class LazyGroup(_GlobalOptionsMixin, click.Group):
    """Group that imports a command when it is used."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], aliases: Mapping[str, str] | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.entries = dict(entries)
        self.aliases = dict(aliases or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(self.aliases.get(cmd_name, cmd_name))
        if entry is None:
            return None
        module, _, attribute = entry.module.partition(":")
        command = getattr(importlib.import_module(module), attribute or "command")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            near = nearest(name, self.entries)
            meant = f"; did you mean `{ctx.command_path} {near[0]}`?" if near else ""
            raise click.UsageError(f"no such command: {name}{meant}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.entries)
        for section in dict.fromkeys(entry.section for entry in self.entries.values()):
            rows = [(name.ljust(width), entry.summary) for name, entry in self.entries.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[Any]]:
        names = [CompletionItem(name, help=entry.summary) for name, entry in self.entries.items() if name.startswith(incomplete)]
        # click.Group.shell_complete would import every command for its help, so only options are completed here.
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]
