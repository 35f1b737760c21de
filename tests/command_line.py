"""The command line run in this process, which saves the second that starting Python takes."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flytemp_cli.main import run


@dataclass(frozen=True)
class Done:
    """One finished command."""

    code: int
    out: str
    err: str


def flytemp(*arguments: object) -> Done:
    """Run one command line as the console script does."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def environment(variables: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Set exactly these flytemp and Temporal variables, and the working directory."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("FLYTEMP_", "TEMPORAL_"))]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)
