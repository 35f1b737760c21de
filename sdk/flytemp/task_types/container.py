"""Tasks that are a command of a container image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flytemp.errors import NotSupported, Problem
from flytemp.spec.containers import container_problems
from flytemp.spec.tasks import ContainerSpec, TaskSpec
from flytemp.task_types.base import LiteralCall, TaskType

if TYPE_CHECKING:
    from flytemp.runtime.task_run import TaskRun


class ContainerTaskType(TaskType):
    """Type of a command that runs in a container of its own, without flytemp in its image."""

    kind = "container"
    shares_tries = False

    def problems(self, task: TaskSpec) -> Iterator[Problem]:
        yield from container_problems(task)

    def container(self, task: TaskSpec) -> ContainerSpec | None:
        return task.container

    def prepare(self, run: TaskRun) -> LiteralCall:
        raise NotSupported(
            f"task '{run.spec.name}' is a container's command, which cannot run in a process",
            hint="use a worker of backend kubernetes",
        )
