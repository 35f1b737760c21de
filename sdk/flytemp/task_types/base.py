"""Base class of task types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from flytemp.errors import Problem
from flytemp.literals.types import Json
from flytemp.spec.tasks import ContainerSpec, TaskSpec

if TYPE_CHECKING:
    from flytemp.runtime.task_run import TaskRun

LiteralCall: TypeAlias = Callable[[Mapping[str, Json]], dict[str, Json]]
"""One call of a task: from the literals of its inputs to the literals of its outputs."""


class TaskType(ABC):
    """Behaviour of the tasks of one kind. An instance has no state and may be used by several threads.

    Attributes:
        kind: value of ``TaskSpec.kind``.
        shares_tries: whether one try may make several calls of a map (``items_per_task``).
    """

    kind: ClassVar[str]
    shares_tries: ClassVar[bool] = True

    def problems(self, task: TaskSpec) -> Iterator[Problem]:
        """Yield the problems of a task's spec that belong to this type.

        A message is the rest of a sentence that begins with the task: "has no image".
        """
        yield from ()

    def container(self, task: TaskSpec) -> ContainerSpec | None:
        """Return the command of a container that runs the task without flytemp in it; None if flytemp's runtime runs it."""
        return None

    def normalised(self, task: TaskSpec) -> TaskSpec:
        """Return the task with its ``config`` in the form that equal tasks share, so that their digests are equal."""
        return task

    @abstractmethod
    def prepare(self, run: TaskRun) -> LiteralCall:
        """Prepare a try inside flytemp's runtime, such as by loading its code. The result is called once per call of the task.

        Raises:
            FlytempError, CallFailed: the task cannot run here.
        """
