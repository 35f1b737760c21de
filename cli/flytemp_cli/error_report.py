"""Error messages on stderr and exit codes. All errors are printed by this module."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from flytemp.error_text import object_text, storable, titled, traceback_text
from flytemp.errors import (
    Actor,
    ExecutionAborted,
    ExecutionFailed,
    FlytempBug,
    FlytempError,
    Location,
    Problem,
    ProgramError,
    TemporalUnavailable,
    WaitTimeout,
)
from flytemp.redaction import without_credentials
from flytemp_cli.style import Style, for_terminal, stderr_style

if TYPE_CHECKING:
    from flytemp_cli.session import Session

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_EXECUTION_FAILED = 3
EXIT_EXECUTION_ABORTED = 4
EXIT_WAIT_TIMEOUT = 5
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141  # the code that a shell reports after SIGPIPE

_MOST_CHARACTERS = 200_000

_ACTOR_NOTES = {
    Actor.PLATFORM: "the operator of Temporal and the store must act; the workflow's code is not the cause",
    Actor.FLYTEMP: "this is a bug in flytemp; please report it with the output of -v",
}


class InputUsageError(click.UsageError):
    """Invalid value on the command line; ``hint`` describes valid values."""

    def __init__(self, message: str, *, hint: str | None = None, ctx: click.Context | None = None) -> None:
        super().__init__(message, ctx)
        self.hint = hint


def exit_code(error: BaseException) -> int:
    """Return the exit code of ``error``."""
    match error:
        case click.UsageError():
            return EXIT_USAGE
        case ExecutionFailed():
            return EXIT_EXECUTION_FAILED
        case ExecutionAborted():
            return EXIT_EXECUTION_ABORTED
        case WaitTimeout():
            return EXIT_WAIT_TIMEOUT
    return EXIT_ERROR


def report(error: Exception, session: Session) -> int:
    """Print ``error`` on stderr and return the exit code."""
    style = stderr_style(session.color)
    # The notes name the configuration files that were ignored: a common cause of a wrong server address.
    notes = session.notes if isinstance(error, TemporalUnavailable) else ()
    for line in message_lines(error, style, verbose=session.verbose, notes=notes):
        click.echo(for_terminal(without_credentials(line)), err=True, color=style.enabled)
    sys.stderr.flush()
    return exit_code(error)


def message_lines(error: Exception, style: Style, *, verbose: bool, notes: Sequence[str] = ()) -> list[str]:
    """Return the lines of the message; ``notes`` are possible explanations."""
    match error:
        case click.ClickException():
            return _usage_lines(error, style)
        case ProgramError():
            lines = _program_lines(error, style, verbose=verbose)
        case FlytempError():
            lines = [style.error("error: ") + _placed(_text(error.message or error), error.location), *_hint(error.hint, style)]
        case OSError() if error.filename is not None:
            # The user named a file that cannot be read or written. This is not a bug in flytemp.
            lines = [style.error("error: ") + f"{_text(error.filename)}: {error.strerror}"]
        case _:
            return _unexpected_lines(error, style, verbose=verbose)
    if isinstance(error, FlytempError):
        lines += _actor_note(error, style)
        lines += [style.dim(f"note: {note}") for note in notes]
        if verbose:
            lines.append(style.dim(f"code: {error.code}"))
    if verbose:
        lines += _traceback_lines(error, style)
    return lines


def _usage_lines(error: click.ClickException, style: Style) -> list[str]:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return [error.format_message()]
    lines = [style.error("error: ") + _in_flytemp_style(_text(error.format_message()))]
    hint = getattr(error, "hint", None)
    if hint is None and isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"`{error.ctx.command_path} --help` shows the valid arguments"
    return [*lines, *_hint(hint, style)]


def _in_flytemp_style(message: str) -> str:
    """Convert a message of click: lower-case first letter, no full stop."""
    text = message.strip().removesuffix(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _program_lines(error: ProgramError, style: Style, *, verbose: bool) -> list[str]:
    if len(error.problems) == 1:
        return _problem_lines(error.problems[0], style.error("error: "), style, verbose=verbose)
    lines = [style.error("error: ") + f"the program has {len(error.problems)} problems"]
    for problem in error.problems:
        lines += _problem_lines(problem, "", style, verbose=verbose)
    return lines


def _problem_lines(problem: Problem, prefix: str, style: Style, *, verbose: bool) -> list[str]:
    text = _placed(_text(problem.message), problem.location)
    lines = [prefix + text, *_hint(problem.hint, style, indent="" if prefix else "  ")]
    if verbose and problem.traceback:
        lines += [style.dim("  " + line) for line in _text(problem.traceback).rstrip().splitlines()]
    return lines


def _text(value: object) -> str:
    """Return a text that does not control the terminal, for every content of the error."""
    return storable(object_text(value), _MOST_CHARACTERS)


def _placed(message: str, location: Location | None) -> str:
    """Return the message after its place in the user's code, relative to the current folder."""
    if location is None:
        return message
    below = os.path.join(os.path.abspath("."), "")
    return f"{_text(location.file.removeprefix(below))}:{location.line}: {message}"


def _hint(hint: str | None, style: Style, indent: str = "") -> list[str]:
    return [f"{indent}{style.hint('hint: ')}{_text(hint)}"] if hint else []


def _actor_note(error: FlytempError, style: Style) -> list[str]:
    note = _ACTOR_NOTES.get(error.actor)
    return [style.dim(f"note: {note}")] if note else []


def _unexpected_lines(error: Exception, style: Style, *, verbose: bool) -> list[str]:
    lines = [
        style.error("error: ") + f"unexpected {_text(titled(error))}",
        *_hint(None if verbose else "repeat the command with -v to see the traceback", style),
        style.dim(f"note: {_ACTOR_NOTES[Actor.FLYTEMP]}"),
    ]
    if verbose:
        lines.append(style.dim(f"code: {FlytempBug.code}"))
        lines += _traceback_lines(error, style)
    return lines


def _traceback_lines(error: Exception, style: Style) -> list[str]:
    return [style.dim(line) for line in _text(traceback_text(error, lambda frames: frames)).splitlines()]
