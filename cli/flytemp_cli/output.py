"""Printing: data in the requested format on stdout, all messages on stderr."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from flytemp_cli.style import Style, for_terminal, stderr_style, stdout_style, width

if TYPE_CHECKING:
    from flytemp.errors import Problem


class StdoutClosed(Exception):
    """The reader of stdout has closed the pipe (`| head`). Not an OSError, because click exits on OSError."""


class Output:
    """Printer of one command. ``format`` is table, json, yaml or name; ``verbose``: print complete tracebacks."""

    def __init__(self, format_: str, color: str = "auto", *, verbose: bool = False) -> None:
        self.format = format_
        self.verbose = verbose
        self.style = stdout_style(color)
        self.messages = stderr_style(color)

    @property
    def is_table(self) -> bool:
        """True if the output is for people and not for programs."""
        return self.format == "table"

    def data(self, value: Any, *, table: Callable[[Style], Iterable[str]], names: Iterable[str] = ()) -> None:
        """Print ``value`` (JSON, or pydantic models in lists and dicts), or its ``table``, or its ``names``."""
        match self.format:
            case "json":
                self.text(dump_json(as_json(value)))
            case "yaml":
                self.text(dump_yaml(as_json(value)))
            case "name":
                for name in names:
                    self.text(name)
            case _:
                for line in table(self.style):
                    self.text(line)

    def text(self, line: str) -> None:
        """Print one line of data."""
        line = for_terminal(line) if self.format in ("table", "name") else line.encode("utf-8", "backslashreplace").decode()
        self._write(line + "\n", self.style.enabled)

    def raw(self, text: str) -> None:
        """Print data unchanged and unbuffered, without adding a newline."""
        self._write(text, True)

    @staticmethod
    def _write(text: str, color: bool) -> None:
        try:
            click.echo(text, nl=False, color=color)
        except BrokenPipeError as error:
            raise StdoutClosed from error

    def note(self, text: str = "") -> None:
        """Print a message on stderr."""
        click.echo(for_terminal(text), err=True, color=self.messages.enabled)

    def warning(self, text: str) -> None:
        self.note(self.messages.warning("warning: ") + text)

    def problem(self, problem: Problem) -> None:
        """Print a problem that does not prevent the command, with its hint."""
        self.warning(str(problem))
        if problem.hint:
            self.hint(problem.hint)

    def hint(self, text: str) -> None:
        self.note(self.messages.hint("hint: ") + text)


def as_json(value: Any) -> Any:
    """Return ``value`` with every pydantic model converted to JSON."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value


def dump_json(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False)


def dump_yaml(value: Any) -> str:
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True)).rstrip("\n")


def columns(header: Sequence[str], rows: Iterable[Sequence[str]], style: Style) -> list[str]:
    """Return the lines of a table in kubectl's form: upper-case titles, two spaces between columns, nothing truncated."""
    body = [list(row) for row in rows]
    widths = [max(width(cell) for cell in column) for column in zip(header, *body, strict=True)]
    titles = [style.dim(line) for line in _aligned([list(header)], widths)]
    return [*titles, *_aligned(body, widths)]


def pairs(rows: Iterable[tuple[str, str]], style: Style) -> list[str]:
    """Return lines of titles and values. Empty values are omitted; continuation lines of a value are indented."""
    shown = [(title, value.rstrip("\n").split("\n")) for title, value in rows if value]
    longest = max((width(title) for title, _ in shown), default=0)
    lines = []
    for title, (first, *more) in shown:
        lines.append(f"{style.dim(title)}{' ' * (longest - width(title))}  {first}")
        lines += [f"{' ' * longest}  {line}" for line in more]
    return lines


def _aligned(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    for row in rows:
        cells = [cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Redirect stdout to stderr while the user's code runs in this process, so that its output does not mix with data.

    The file descriptor is redirected, so subprocesses of the user's code are covered and a debugger still has a terminal.
    If ``sys.stdout`` has no file descriptor (in tests), only ``sys.stdout`` is replaced.
    """
    sys.stdout.flush()
    try:
        descriptor = sys.stdout.fileno()
        target = sys.stderr.fileno()
    except (OSError, io.UnsupportedOperation):
        with contextlib.redirect_stdout(sys.stderr):
            yield
        return
    kept = os.dup(descriptor)
    os.dup2(target, descriptor)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, descriptor)
        os.close(kept)
