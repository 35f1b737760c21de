"""Loading the user's program: his modules run while they are imported, and must not print into our data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flytemp_cli.failures import InputUsageError
from flytemp_cli.output import prints_to_stderr

if TYPE_CHECKING:
    from flytemp.compiler import Program
    from flytemp.spec.models import Document


def load(paths: Sequence[str]) -> Program:
    """The program of these files and folders.

    Raises:
        InputUsageError: a path does not exist.
        ProgramError: a module does not import.
    """
    for path in paths:
        if not Path(path).exists():
            raise InputUsageError(f"there is no file or folder {path}", hint="check the path: it is relative to this folder")
    from flytemp.compiler import load_program

    with prints_to_stderr():
        return load_program([Path(path) for path in paths])


def choose(program: Program, name: str | None, path: str) -> Any:
    """The entity called ``name``, or the only workflow there is.

    Raises:
        NotFound: nothing is called ``name``.
        InputUsageError: no name is given, and there is not exactly one workflow.
    """
    if name is not None:
        from flytemp.compiler import find_entity

        return find_entity(program, name)
    if len(program.workflows) == 1:
        return next(iter(program.workflows.values()))
    names = ", ".join(sorted(program.workflows))
    if not names:
        raise InputUsageError(f"{path} has no workflow", hint="give the name of a task to run it by itself")
    raise InputUsageError(f"{path} has {len(program.workflows)} workflows; say which one", hint=f"they are {names}")


def compiled(entity: Any) -> Document:
    """The document of one entity, without a code bundle: for its interface, its graph, a run in this process."""
    from flytemp.compiler import compile_entity

    with prints_to_stderr():
        return compile_entity(entity, None)
