"""Task types: the behaviour of each kind of task, apart from the backend that runs it.

A task type has three parts: checks of the spec, the container of a task that runs outside flytemp's runtime, and the run inside
the runtime. `flytemp.task_types.base.TaskType` describes them. The backends and the compiler use `task_type(spec.kind)`.

A package offers its own type by an entry point of the group ``flytemp.task_types``: the name is the kind, the value names a
`TaskType` class. A program may call `register` instead, in every process that compiles or runs the task.
"""

from flytemp.task_types.base import LiteralCall, TaskType
from flytemp.task_types.registry import (
    REFERENCE,
    find_task_type,
    known_kinds,
    normalised_task,
    register,
    task_type,
    task_type_problems,
)

__all__ = [
    "REFERENCE", "LiteralCall", "TaskType", "find_task_type", "known_kinds", "normalised_task", "register", "task_type",
    "task_type_problems",
]  # fmt: skip
