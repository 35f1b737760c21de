"""Child processes that a task forks and that return from its function."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def forked_children_end_here() -> Iterator[None]:
    """Context that ends every child process which was forked in it and leaves it; only this process returns the task's result.

    A child ends as a Python program does: with a traceback on stderr and exit code 1, or with the code of its `sys.exit`. Its
    exit handlers do not run, because they are those of its parent.
    """
    process = os.getpid()
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        if os.getpid() != process:
            _end(error)


def _end(error: BaseException | None) -> None:
    code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    with contextlib.suppress(Exception):  # its streams may be closed
        if isinstance(error, SystemExit) and isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        elif error is not None and not isinstance(error, SystemExit):
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code & 0xFF)
