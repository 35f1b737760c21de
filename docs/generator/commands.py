"""Reference of the command line, from click's command objects."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from flytemp_cli.lazy_imports import LazyGroup
from flytemp_cli.main import PROGRAM, cli
from flytemp_cli.options import GlobalOption
from generator.markdown import inline, table


def render() -> str:
    """Return all commands in the order of `flytemp --help`."""
    lines: list[str] = []
    for path, context in _walk(click.Context(cli, info_name=PROGRAM)):
        if context.command is not cli:
            lines += _command(path, context)
    return "\n".join(lines)


def render_global_options() -> str:
    """Return the global options."""
    context = click.Context(cli, info_name=PROGRAM)
    options = [option for option in cli.get_params(context) if isinstance(option, click.Option)]
    rows = [_row(option, context) for option in options if "--help" not in option.opts]
    return "\n".join(table(["Option", "Meaning"], [row for row in rows if row]))


def _walk(context: click.Context) -> Iterator[tuple[str, click.Context]]:
    yield context.command_path, context
    if isinstance(context.command, LazyGroup):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            child = click.Context(command, parent=context, info_name=name)
            yield from _walk(child)


def _command(path: str, context: click.Context) -> list[str]:
    command = context.command
    lines = [f"{'##' if path.count(' ') == 1 else '###'} `{path}`", ""]
    usage = " ".join(piece for piece in command.collect_usage_pieces(context))
    if not isinstance(command, LazyGroup):
        lines += ["```text", f"{path} {usage}", "```", ""]
    lines += [*_help(command.help or ""), ""]
    rows = [
        _row(option, context)
        for option in command.get_params(context)
        if isinstance(option, click.Option) and not isinstance(option, GlobalOption) and "--help" not in option.opts
    ]
    shown = [row for row in rows if row]
    return [*lines, *table(["Option", "Meaning"], shown), ""] if shown else lines


def _row(option: click.Option, context: click.Context) -> tuple[str, str] | None:
    record = option.get_help_record(context)
    return (f"`{record[0]}`", record[1]) if record else None


def _help(text: str) -> list[str]:
    """Return paragraphs; paragraphs marked with a backspace keep their line breaks."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if paragraph.startswith("\b"):
            title, _, body = paragraph.removeprefix("\b").strip("\n").partition("\n")
            code = [line.removeprefix("  ") for line in body.splitlines()]
            lines += [title.strip(), "", "```sh", *code, "```", ""]
        else:
            lines += [inline(" ".join(paragraph.split())), ""]
    return lines[:-1]
