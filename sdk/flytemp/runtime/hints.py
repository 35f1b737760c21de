"""Hints for exceptions of tasks that have their cause in the surroundings of tasks: files, variables and the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from flytemp.error_text import cause_of

_MOST_CAUSES = 5
_DATA = "read a bundled file as `Path(__file__).parent / ...`, or pass the data as a FlyteFile"
_NO_TERMINAL = "a task has no terminal: pass the value as an input, or wait for it in the workflow with `wait_for_input`"
_DEBUG = "a task has no terminal: debug it with `flytemp run --local`, or call its function in plain Python"


def hint_for(error: BaseException, bundle: Path | None = None) -> str | None:
    """Return what to do about an exception of a task, or one that it was raised from; None for exceptions of other causes.

    Args:
        error: the exception.
        bundle: folder of the task's code.
    """
    return next((hint for cause in _causes(error) if (hint := _hint(cause, bundle)) is not None), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause_of(cause)


def _hint(error: BaseException, bundle: Path | None) -> str | None:
    # Exact classes: attributes of other classes may be properties that raise exceptions.
    kind = type(error)
    if kind in (FileNotFoundError, NotADirectoryError, PermissionError, OSError):
        assert isinstance(error, OSError)
        return _file_hint(error, bundle)
    if kind is KeyError and _is_of_environ(error):
        name = error.args[0] if error.args and isinstance(error.args[0], str) else "the variable"
        return (
            f"set {name} with `environment=` of the task, list it in the worker's `pass_environment`, or pass it as an input; "
            "tasks do not have the variables of your shell"
        )
    if kind is ModuleNotFoundError:
        return (
            "install it where the workers run; a module of your own must be below the root of the program and not be excluded by "
            ".gitignore or .flytempignore"
        )
    if kind.__name__ == "BdbQuit" and kind.__module__ == "bdb":
        return _DEBUG
    if kind in (EOFError, RuntimeError) and _is_of_input(error):
        return _NO_TERMINAL
    return None


def _file_hint(error: OSError, bundle: Path | None) -> str | None:
    name = error.filename
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if not isinstance(name, str) or not name:
        return None
    is_missing = type(error) is not PermissionError and isinstance(error, FileNotFoundError | NotADirectoryError)
    if bundle is not None and os.path.realpath(name).startswith(os.path.join(os.path.realpath(bundle), "")):
        if is_missing:
            return "the code bundle does not have it: check .gitignore, .flytempignore and `flytemp register --dry-run -v`"
        return "the code bundle is read-only: write to the current folder, which belongs to the task, and return a FlyteFile"
    if is_missing and not os.path.isabs(name):
        return f"the current folder of a task is empty at its start: {_DATA}"
    if is_missing and os.path.isabs(name) and not name.startswith(("/proc/", "/dev/", "/sys/")):
        return f"the path must exist on the machine that runs the task: {_DATA}"
    return None


def _is_of_environ(error: BaseException) -> bool:
    """Return whether ``os.environ[...]`` raised the error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code
    return code.co_filename in (os.__file__, "<frozen os>") and code.co_name in ("__getitem__", "__delitem__")


def _is_of_input(error: BaseException) -> bool:
    text = error.args[0] if error.args and isinstance(error.args[0], str) else ""
    return text == "EOF when reading a line" or text.startswith("input(): lost sys.std")
