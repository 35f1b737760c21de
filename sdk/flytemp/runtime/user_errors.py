"""Errors of attempts from exceptions of user code, with the user's stack frames only."""

from __future__ import annotations

import os
import re
import traceback
from pathlib import Path
from typing import Any

import flytemp
from flytemp.authoring.task import Task
from flytemp.error_text import (
    cause_lines,
    class_name,
    exception_text,
    exit_code,
    innermost_file,
    module_of,
    object_text,
    own_attribute,
    traceback_text,
)
from flytemp.errors import FlytempError
from flytemp.exceptions.system import FlyteSystemException
from flytemp.outcomes import RESERVED_CODES, is_own_exception, may_retry
from flytemp.runtime.hints import hint_for
from flytemp.runtime.invocation import TaskError

_OWN_FOLDER = os.path.dirname(os.path.abspath(flytemp.__file__)) + os.sep
_LIBRARY = os.path.dirname(os.__file__) + os.sep
_MACHINERY = tuple(_LIBRARY + name for name in ("asyncio/", "concurrent/", "contextlib.py", "importlib/", "threading.py"))


def user_error(
    error: BaseException,
    *,
    bundle: Path | None = None,
    source_folder: Path | None = None,
    retryable: bool | None = None,
    task: Task[..., Any] | None = None,
) -> TaskError:
    """Return the error of an attempt whose code raised ``error``, also if attributes of ``error`` raise exceptions.

    The code is the exception's ``error_code`` if it has one, else the name of its class. A name in `RESERVED_CODES` is
    qualified by its module; ``requests`` has a ``Timeout``. A `MemoryError` always has the code ``OutOfMemory``. The message
    has the exceptions that ``error`` was raised from.

    Args:
        error: the exception.
        bundle: folder of the code bundle; names of source files are relative to it.
        source_folder: folder of the program if its code is imported where it is.
        retryable: whether another attempt may follow. None: as the table of `flytemp.outcomes` says.
        task: the task, whose line is the traceback of an error that no frame of its code raised.
    """
    return TaskError(
        kind="SYSTEM" if issubclass(type(error), FlyteSystemException) else "USER",
        code=_code(error),
        message=_relative(_message(error, bundle), bundle or source_folder),
        traceback=_relative(_traceback(error, task), bundle or source_folder),
        retryable=may_retry(type(error)) if retryable is None else retryable,
    )


def is_success(code: object) -> bool:
    """Return whether a program that ends with this code of `sys.exit` has succeeded."""
    return code is None or (type(code) in (int, bool) and code == 0)


def _code(error: BaseException) -> str:
    if issubclass(type(error), MemoryError):
        return "OutOfMemory"
    own, code = own_attribute(error, "error_code"), ""
    if issubclass(type(own), str):
        code = str.__str__(own).strip()
    elif type(own) is int:
        code = str(own) if abs(own) < 2**63 else ""
    code = code or class_name(error)
    return f"{module_of(type(error))}.{code}" if code in RESERVED_CODES and not is_own_exception(type(error)) else code


def _message(error: BaseException, bundle: Path | None) -> str:
    text = _exit_text(error) if issubclass(type(error), SystemExit) else exception_text(error)
    lines = [text]
    if not innermost_file(error).startswith(_OWN_FOLDER):
        lines += cause_lines(error)  # the causes of errors that flytemp raised have the same meaning
    hint = own_attribute(error, "hint") if issubclass(type(error), FlytempError) else hint_for(error, bundle)
    lines += [f"hint: {hint}"] if type(hint) is str and hint else []
    return "\n  ".join(lines)


def _exit_text(error: BaseException) -> str:
    assert isinstance(error, SystemExit)
    code = exit_code(error)
    if code is None or type(code) in (int, bool):
        return f"the task called sys.exit({object_text(code or 0)}) instead of returning its outputs"
    return f"the task called sys.exit: {object_text(code)}"


def _traceback(error: BaseException, task: Task[..., Any] | None) -> str:
    text = traceback_text(error, _users_frames)
    if task is None or not issubclass(type(error), FlytempError) or "\n  File " in text:
        return text
    where = task.site.location
    frame = traceback.FrameSummary(where.file, where.line, task.function.__name__)
    lines = traceback.StackSummary.from_list([frame]).format()
    return "".join(["Traceback (most recent call last):\n", *lines, f"{class_name(error)}: {exception_text(error)}\n"])


def _users_frames(stack: traceback.StackSummary) -> traceback.StackSummary:
    """Return the frames without those of flytemp, and of the standard library that called the user's code."""
    frames = [frame for frame in stack if not frame.filename.startswith(_OWN_FOLDER)]
    while frames and (frames[0].filename.startswith(_MACHINERY) or frames[0].filename.startswith("<frozen importlib")):
        del frames[0]
    # Frames between an importing and an imported module have no information.
    return traceback.StackSummary.from_list([frame for frame in frames if not frame.filename.startswith("<frozen importlib")])


def _relative(text: str, sources: Path | None) -> str:
    """Return the text with the paths of source files relative to the folder of the code."""
    if sources is None:
        return text
    folders = "|".join(re.escape(f"{folder}{os.sep}") for folder in {sources, Path(os.path.realpath(sources))})
    return re.sub(rf"(?<![^\s'\"(])(?:{folders})(?=[^\s'\":]*\.py\b)", "", text)
