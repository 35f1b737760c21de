"""Tasks whose outputs are their inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from flytemp.errors import Problem
from flytemp.literals.types import Json
from flytemp.spec.models import Interface
from flytemp.spec.tasks import TaskSpec
from flytemp.task_types.base import LiteralCall, TaskType

if TYPE_CHECKING:
    from flytemp.runtime.task_run import TaskRun


class EchoTaskType(TaskType):
    """Type of a task without code: output number N has the value of input number N."""

    kind = "echo"

    def problems(self, task: TaskSpec) -> Iterator[Problem]:
        inputs, outputs = task.interface.inputs, task.interface.outputs
        if [variable.type for variable in inputs] != [variable.type for variable in outputs]:
            yield Problem("echoes its inputs and has outputs of other types", hint="give it one output for each input")
        if task.loader:
            yield Problem(f"echoes its inputs and has the loader {task.loader!r}", hint="leave the loader out")

    def prepare(self, run: TaskRun) -> LiteralCall:
        return lambda literals: echoed(run.spec.interface, literals)


def echoed(interface: Interface, literals: Mapping[str, Json]) -> dict[str, Json]:
    """Return the literals of the inputs as those of the outputs."""
    values = [literals.get(variable.name, variable.default) for variable in interface.inputs]
    return {variable.name: value for variable, value in zip(interface.outputs, values, strict=True)}
