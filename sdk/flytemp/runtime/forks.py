"""Children that a task forks, and that come back from its function as if they were the task."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def forked_children_end_here() -> Iterator[None]:
    """A child that was forked in this block and leaves it, ends: only the process that entered speaks for the task.

    It ends as a Python program would: with its traceback on stderr and code 1, or with the code of its `sys.exit`;
    without exit handlers, which are its parent's.
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
