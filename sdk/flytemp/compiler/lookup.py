"""Finding an entity by the name that a person types."""

from __future__ import annotations

import difflib

from flytemp.authoring.reference import ReferenceLaunchPlan, ReferenceTask, ReferenceWorkflow
from flytemp.compiler.discover import Entity, Program
from flytemp.errors import InputError, NotFound


def find_entity(program: Program, name: str) -> Entity:
    """The entity whose registered name, or whose variable in a file, is ``name``.

    Raises:
        NotFound: when there is none; the hint has near matches.
        InputError: when a variable's name stands for different entities in different modules, or for a reference.
    """
    for registered in (program.workflows, program.tasks, program.launch_plans):
        if name in registered:
            return registered[name]
    named = program.variables.get(name, [])
    if len(named) > 1:
        raise InputError(
            f"'{name}' can mean {', '.join(f'{entity.kind_name} {entity.name}' for entity in named)}", hint="use the whole name"
        )
    if named and isinstance(named[0], ReferenceTask | ReferenceWorkflow | ReferenceLaunchPlan):
        pointer = named[0].pointer
        raise InputError(
            f"'{name}' is a reference to {pointer.kind.noun} {pointer}, which is registered already",
            hint=f"`flytemp launch {pointer}` runs it",
        )
    if named:
        return named[0]
    raise NotFound(f"there is no task, workflow or launch plan '{name}' in {program.root}", hint=_near(program, name))


def _near(program: Program, name: str) -> str:
    variables = list(program.variables)
    names = [*variables, *program.workflows, *program.tasks, *program.launch_plans]
    near = difflib.get_close_matches(name, names, 3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(sorted(dict.fromkeys(variables))[:10])
    return f"it has {shown}" if shown else "it defines none"
