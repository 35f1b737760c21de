"""Execution of commands inside a task, under flytekit's names."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ProcessResult:
    """Result of a command.

    Attributes:
        returncode: exit code, which is 0.
        output: text that the command wrote to its standard output.
        error: text that the command wrote to its standard error.
    """

    returncode: int
    output: str
    error: str


def subproc_execute(command: Sequence[str] | str, **kwargs: Any) -> ProcessResult:
    """Run a command and return its output.

    Args:
        command: program and arguments, or a command line with ``shell=True``.
        kwargs: arguments of `subprocess.run`. By default both outputs are captured as text.

    Raises:
        RuntimeError: the program does not exist, or its exit code is not 0. The message has its standard error.
    """
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **kwargs, "check": False}
    try:
        done = subprocess.run(command, **options)
    except FileNotFoundError as error:
        raise RuntimeError(
            f"the program cannot be found: {error.filename}; install it on the worker, or in the image of the task"
        ) from error
    if done.returncode:
        raise RuntimeError(f"Command: {command}\nFailed with return code {done.returncode}:\n{done.stderr}")
    return ProcessResult(done.returncode, done.stdout, done.stderr)
