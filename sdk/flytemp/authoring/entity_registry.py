"""What a program's modules create while they are imported: for finding names that are used twice."""

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
class Created:
    """The launch plans of one program by name, and its tasks and workflows in order of their definition."""

    launch_plans: dict[str, LaunchPlan[Any]] = field(default_factory=dict)
    entities: list[Task[..., Any] | Workflow[..., Any]] | None = None


# Of the process itself only launch plans are kept: they must be found again by name.
_process = Created()
_created: ContextVar[Created] = ContextVar("flytemp_created", default=_process)


def created() -> Created:
    """What was created so far by the program that is being loaded; else by this process."""
    return _created.get()


def record(entity: Task[..., Any] | Workflow[..., Any]) -> None:
    """Note a new task or workflow of the program that is being loaded."""
    entities = _created.get().entities
    if entities is not None:
        entities.append(entity)


@contextmanager
def recording() -> Iterator[Created]:
    """What is created inside belongs together, and to nothing outside: loading a program."""
    with recording_into(Created(entities=[])) as program:
        yield program


@contextmanager
def recording_into(program: Created) -> Iterator[Created]:
    """What is created inside belongs to ``program``: its workflows may make launch plans while they are put together."""
    token = _created.set(program)
    try:
        yield program
    finally:
        _created.reset(token)
