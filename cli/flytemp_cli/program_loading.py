"""Choosing and compiling what a program defines; its code runs, and must not print into our data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flytemp_cli.failures import InputUsageError
from flytemp_cli.output import prints_to_stderr

if TYPE_CHECKING:
    from flytemp.compiler import Program
    from flytemp.spec.models import Document


def choose(program: Program, name: str | None, path: str) -> Any:
    """The entity called ``name``, or the only workflow there is.

    Raises:
        NotFound: nothing is called ``name``.
        InputUsageError: no name is given, and there is not exactly one workflow.
    """
    if name is not None:
        from flytemp.compiler import find_entity

        return find_entity(program, name)
    return program.workflows[only_workflow(list(program.workflows), path)]


def only_workflow(names: Sequence[str], path: str) -> str:
    """The name of the only workflow.

    Raises:
        InputUsageError: there is another number of them.
    """
    if len(names) == 1:
        return names[0]
    if not names:
        raise InputUsageError(f"{path} has no workflow", hint="give the name of a task to run it by itself")
    raise InputUsageError(f"{path} has {len(names)} workflows; say which one", hint=f"they are {', '.join(sorted(names))}")


def compiled(entity: Any) -> Document:
    """The document of one entity, without a code bundle: for its interface, its graph, a run in this process."""
    from flytemp.compiler import compile_entity

    with prints_to_stderr():
        return compile_entity(entity, None)
