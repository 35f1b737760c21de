"""Child processes that a task forks and that return from its function."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from types import TracebackType

from flytemp.error_text import exit_code


class ForkedChildrenEndHere:
    """Context that ends every child process which was forked in it and leaves it; only this process returns the task's result.

    A child ends as a Python program does: with a traceback on stderr and exit code 1, or with the code of its `sys.exit`. Its
    exit handlers do not run, because they are those of its parent.

    The context is a class and not a generator, because `contextlib` assigns to the exceptions that pass through a generator, and
    an exception of the user may refuse the assignment, as a frozen dataclass does.
    """

    def __enter__(self) -> None:
        self._process = os.getpid()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if os.getpid() != self._process:
            _end(error)


def _end(error: BaseException | None) -> None:
    code = 0 if error is None else 1
    left = exit_code(error) if isinstance(error, SystemExit) else None
    if isinstance(error, SystemExit):
        code = left if isinstance(left, int) else 0 if left is None else 1
    with contextlib.suppress(Exception):  # its streams may be closed, and the exception may have no text
        if isinstance(left, str):
            print(left, file=sys.stderr)
        elif error is not None and not isinstance(error, SystemExit):
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code & 0xFF)
