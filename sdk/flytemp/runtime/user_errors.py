"""Errors of attempts from exceptions of user code, with the user's stack frames only."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import flytemp
from flytemp.authoring.task import Task
from flytemp.errors import FlytempError
from flytemp.exceptions.system import FlyteSystemException
from flytemp.exceptions.user import NonRecoverableError
from flytemp.outcomes import RESERVED_CODES
from flytemp.runtime.invocation import TaskError
from flytemp.runtime.loader import NotLoadable

TRACEBACK_CHARACTERS = 20_000
MESSAGE_CHARACTERS = 10_000

_OWN_FOLDER = os.path.dirname(os.path.abspath(flytemp.__file__)) + os.sep
_LIBRARY = os.path.dirname(os.__file__) + os.sep
_MACHINERY = tuple(_LIBRARY + name for name in ("asyncio/", "concurrent/", "importlib/", "threading.py"))


def user_error(
    error: BaseException, *, bundle: Path | None = None, retryable: bool | None = None, task: Task[..., Any] | None = None
) -> TaskError:
    """Return the error of an attempt whose code raised ``error``.

    The code is the exception's ``error_code`` if it has one, else the name of its class. A name in `RESERVED_CODES` is
    qualified by its module; ``requests`` has a ``Timeout``. A `MemoryError` always has the code ``OutOfMemory``.

    Args:
        error: the exception.
        bundle: folder of the code; file names in the traceback are relative to it.
        retryable: whether another attempt may follow. None: yes, except for `NonRecoverableError` and code that cannot be loaded.
        task: the task, whose line is the traceback of an error that no frame of its code raised.
    """
    if retryable is None:
        retryable = not isinstance(error, NonRecoverableError | NotLoadable)
    return TaskError(
        kind="SYSTEM" if isinstance(error, FlyteSystemException) else "USER",
        code=_code(error),
        message=_shortened(_message(error), MESSAGE_CHARACTERS),
        traceback=_shortened(_traceback(error, bundle, task), TRACEBACK_CHARACTERS),
        retryable=retryable,
    )


def _code(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "OutOfMemory"
    code = getattr(error, "error_code", None)
    if isinstance(code, str) and code:
        return code
    name = type(error).__name__
    return f"{type(error).__module__}.{name}" if name in RESERVED_CODES else name


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as failure:  # noqa: BLE001 - the __str__ of a user's class may raise any exception
        return f"{type(error).__name__}, whose text is not available: {type(failure).__name__}"
    if isinstance(error, FlytempError) and error.hint:
        text = f"{text}\n  hint: {error.hint}"
    return text or type(error).__name__


def _traceback(error: BaseException, bundle: Path | None, task: Task[..., Any] | None) -> str:
    captured = traceback.TracebackException.from_exception(error, compact=True)
    _keep_users_frames(captured, set())
    if task is not None and isinstance(error, FlytempError) and not _has_frames(captured):
        where = task.site.location
        frame = traceback.FrameSummary(where.file, where.line, task.function.__name__)
        captured.stack = traceback.StackSummary.from_list([frame])
        captured.__cause__ = captured.__context__ = None  # errors of flytemp's inner functions with the same meaning
    text = "".join(captured.format())
    return text if bundle is None else text.replace(f'File "{bundle}{os.sep}', 'File "')


def _keep_users_frames(captured: traceback.TracebackException, seen: set[int]) -> None:
    """Remove the frames of flytemp, and the frames of the standard library that called the user's code."""
    if id(captured) in seen:
        return
    seen.add(id(captured))
    frames = [frame for frame in captured.stack if not frame.filename.startswith(_OWN_FOLDER)]
    while frames and (frames[0].filename.startswith(_MACHINERY) or frames[0].filename.startswith("<frozen importlib")):
        del frames[0]
    # Frames between an importing and an imported module have no information.
    frames = [frame for frame in frames if not frame.filename.startswith("<frozen importlib")]
    captured.stack = traceback.StackSummary.from_list(frames)
    nested = [captured.__cause__, captured.__context__, *(captured.exceptions or ())]
    for inner in nested:
        if inner is not None:
            _keep_users_frames(inner, seen)


def _has_frames(captured: traceback.TracebackException | None) -> bool:
    return captured is not None and bool(captured.stack or _has_frames(captured.__cause__))


def _shortened(text: str, limit: int) -> str:
    """Return ``text`` without its middle if it is longer than ``limit``."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
