"""Entities that a program creates while its modules are imported, so that duplicate names can be found."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flytemp.context_value import ContextValue

if TYPE_CHECKING:
    from flytemp.authoring.launch_plan import LaunchPlan
    from flytemp.authoring.task import Task
    from flytemp.authoring.workflow import Workflow


@dataclass
class ProgramEntities:
    """Entities of one program: launch plans by name, and tasks and workflows in the order of their definition.

    ``entities`` is None if tasks and workflows are not collected.
    """

    launch_plans: dict[str, LaunchPlan[Any]] = field(default_factory=dict)
    entities: list[Task[..., Any] | Workflow[..., Any]] | None = None


# Outside of a program only launch plans are kept: LaunchPlan.get_or_create looks them up by name.
_process_entities = ProgramEntities()
_current: ContextVar[ProgramEntities] = ContextVar("flytemp_program_entities", default=_process_entities)
_deferred: ContextVar[bool] = ContextVar("flytemp_deferred_checks", default=False)


def program_entities() -> ProgramEntities:
    """Return the entities of the program that is being loaded, or those of this process."""
    return _current.get()


def add_entity(entity: Task[..., Any] | Workflow[..., Any]) -> None:
    """Add a new task or workflow to the program that is being loaded."""
    entities = _current.get().entities
    if entities is not None:
        entities.append(entity)


def collect_entities() -> ContextValue[ProgramEntities]:
    """Return the context that collects the entities that are created in it, for loading a program."""
    return collect_into(ProgramEntities(entities=[]))


def collect_into(program: ProgramEntities) -> ContextValue[ProgramEntities]:
    """Return the context in which new entities are added to ``program``.

    A workflow may create launch plans while it is compiled, after its program was loaded.
    """
    return ContextValue(_current, program)


def deferred_checks() -> ContextValue[bool]:
    """Return the context in which decorators accept every signature.

    The loader of programs reports the problems of all modules together. The runtime imports modules of which only one task
    must be usable.
    """
    return ContextValue(_deferred, True)


def are_checks_deferred() -> bool:
    """Return True in the context of `deferred_checks`."""
    return _deferred.get()
