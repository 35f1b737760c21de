"""Problems from exceptions of the user's code, with the user's file and line."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import cast

import flytemp
from flytemp.compiler.import_hints import import_hint
from flytemp.error_text import cause_lines, class_name, exception_text, object_text, storable, trace_of, traceback_text
from flytemp.errors import FlytempError, Location, Problem, ProgramError

_NOT_USERS = tuple(
    path + os.sep
    for path in {
        os.path.dirname(os.path.abspath(flytemp.__file__)),
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
    }
)


def problems_of(error: BaseException, what: str, root: Path | None = None) -> list[Problem]:
    """Return the problems in an exception of the user's code.

    Args:
        error: the exception.
        what: the action, such as "importing module 'wf'".
        root: the import root of the module that was imported, for hints.
    """
    kind = type(error)  # the class of the user may replace the attribute __class__, which `isinstance` reads
    if issubclass(kind, ProgramError):
        return [_located(problem, error) for problem in cast(ProgramError, error).problems]
    if issubclass(kind, FlytempError):
        raised = cast(FlytempError, error)
        return [_located(Problem(storable(raised.message or exception_text(raised)), raised.location, raised.hint), raised)]
    if issubclass(kind, SyntaxError) and (where := _place(cast(SyntaxError, error))) is not None:
        text = storable(object_text(cast(SyntaxError, error).msg))
        return [Problem(f"{what} failed: {class_name(error)}: {text}", where, "correct this line or the line above it")]
    text = object_text(error) or "no message"
    return [
        Problem(
            storable("\n  ".join([f"{what} failed: {class_name(error)}: {text}", *cause_lines(error)])),
            user_location(trace_of(error)),
            _hint(error, root),
            traceback_text(error, _kept_frames),
        )
    ]


def _place(error: SyntaxError) -> Location | None:
    if type(error.filename) is str and error.filename and type(error.lineno) is int and error.lineno:
        return Location(os.path.abspath(error.filename), error.lineno)
    return None


def unique(problems: Iterable[Problem]) -> list[Problem]:
    """Return each problem once: a module that cannot be imported causes the same problem in every module that imports it."""
    found: dict[tuple[str, Location | None], Problem] = {}
    for problem in problems:
        found.setdefault((problem.message, problem.location), problem)
    return list(found.values())


def user_location(trace: TracebackType | None) -> Location | None:
    """Return the innermost line of a traceback that is in the user's code, judged by the paths."""
    frames = _user_frames(trace)
    return Location(os.path.abspath(frames[-1].filename), frames[-1].lineno or 1) if frames else None


def _located(problem: Problem, error: BaseException) -> Problem:
    if problem.location is not None:
        return problem
    return Problem(problem.message, user_location(trace_of(error)), problem.hint, problem.traceback)


def same_name(kind_name: str, name: str, other: str, location: Location | None) -> Problem:
    """Return the problem of two entities of one kind and name.

    Args:
        kind_name: the kind, as people read it.
        name: the name of both.
        other: the place of the other one, such as "at program.py:3".
        location: the source location of this one.
    """
    hint = "rename one of them"
    if kind_name == "launch plan":
        hint = "every workflow has a launch plan of its own name: choose another"
    return Problem(f"two {kind_name}s are named '{name}'; the other one is {other}", location, hint)


def _user_frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    return list(_kept_frames(traceback.extract_tb(trace)))


def _kept_frames(stack: traceback.StackSummary) -> traceback.StackSummary:
    generated = ("<frozen", "<string>")  # "<string>": the __init__ that dataclasses generate
    frames = [frame for frame in stack if not frame.filename.startswith((*_NOT_USERS, *generated))]
    return traceback.StackSummary.from_list(frames)


def _hint(error: BaseException, root: Path | None) -> str:
    if issubclass(type(error), ImportError):
        return import_hint(cast(ImportError, error), root)
    if issubclass(type(error), SystemExit):
        return "a module that is registered must not end the process"
    return "correct the code at this line; -v shows the traceback"
