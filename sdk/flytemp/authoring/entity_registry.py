"""Entities that a program creates while its modules are imported, so that duplicate names can be found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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


@contextmanager
def collect_entities() -> Iterator[ProgramEntities]:
    """Collect the entities that are created inside the block, for loading a program."""
    with collect_into(ProgramEntities(entities=[])) as program:
        yield program


@contextmanager
def collect_into(program: ProgramEntities) -> Iterator[ProgramEntities]:
    """Add the entities that are created inside the block to ``program``.

    A workflow may create launch plans while it is compiled, after its program was loaded.
    """
    token = _current.set(program)
    try:
        yield program
    finally:
        _current.reset(token)


@contextmanager
def deferred_checks() -> Iterator[None]:
    """Let decorators accept every signature inside the block.

    The loader of programs reports the problems of all modules together. The runtime imports modules of which only one task
    must be usable.
    """
    token = _deferred.set(True)
    try:
        yield
    finally:
        _deferred.reset(token)


def are_checks_deferred() -> bool:
    """Return True inside a block of `deferred_checks`."""
    return _deferred.get()
