"""Look-up of a program's entities by name."""

from __future__ import annotations

from flytemp.authoring.reference import ReferenceLaunchPlan, ReferenceTask, ReferenceWorkflow
from flytemp.compiler.discover import Entity, Program
from flytemp.errors import InputError, NotFound
from flytemp.suggest import nearest


def find_entity(program: Program, name: str) -> Entity:
    """Return the entity whose registered name, or whose variable in a module, is ``name``.

    Raises:
        NotFound: if no entity has the name; the hint has similar names.
        InputError: if variables of that name have different entities in different modules, or the entity is a reference.
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
    raise NotFound(f"there is no task, workflow or launch plan '{name}' in {program.root}", hint=_hint(program, name))


def _hint(program: Program, name: str) -> str:
    variables = list(program.variables)
    near = nearest(name, [*variables, *program.workflows, *program.tasks, *program.launch_plans], 3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(sorted(dict.fromkeys(variables))[:10])
    return f"the program has {shown}" if shown else "the program has no entities"
