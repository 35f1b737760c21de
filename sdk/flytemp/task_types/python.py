"""Tasks that are Python functions: plain ones, and dynamic ones, whose function builds a graph."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flytemp.error_text import exit_code
from flytemp.errors import Problem
from flytemp.literals.types import Json
from flytemp.spec.tasks import TaskSpec
from flytemp.task_types.base import LiteralCall, TaskType

if TYPE_CHECKING:
    from flytemp.authoring.task import Task
    from flytemp.runtime.task_run import TaskRun


class PythonTaskType(TaskType):
    """Type of a function that runs in flytemp's runtime."""

    kind = "python"

    def problems(self, task: TaskSpec) -> Iterator[Problem]:
        module, _, attribute = task.loader.partition(":")
        if not (all(module.split(".")) and attribute.isidentifier()):
            yield Problem(f"has the loader {task.loader!r}", hint="write a loader as package.module:function")

    def prepare(self, run: TaskRun) -> LiteralCall:
        task = _load(run)
        return lambda literals: _call(run, task, literals)


class DynamicTaskType(PythonTaskType):
    """Type of a function that builds a graph at run time. The graph is stored with the try and runs in place of the task."""

    kind = "dynamic"
    shares_tries = False

    def prepare(self, run: TaskRun) -> LiteralCall:
        task = _load(run)
        return lambda literals: _generate(run, task, literals)


def _load(run: TaskRun) -> Task[..., Any]:
    from flytemp.runtime.loader import load_task

    roots = run.use_bundle()
    with run.user_code(), run.imports():
        task = load_task(run.spec.loader, run.bundle, roots)
        _ = task.python_interface
    return task


def _values(run: TaskRun, task: Task[..., Any], literals: Mapping[str, Json]) -> dict[str, Any]:
    interface = task.python_interface
    # A user's class may run its own code when a value of it is made or taken apart.
    with run.user_code(), run.conversions(task):
        return interface.input_values({**interface.defaults, **literals}, run.files)


def _call(run: TaskRun, task: Task[..., Any], literals: Mapping[str, Json]) -> dict[str, Json]:
    from flytemp.authoring.local import run_to_completion
    from flytemp.runtime.process_state import state_kept_for_runtime
    from flytemp.runtime.user_errors import is_success

    interface = task.python_interface
    values = _values(run, task, literals)
    with run.user_code(), state_kept_for_runtime():
        try:
            returned = interface.call(task.function, values)
            if inspect.isawaitable(returned):
                returned = run_to_completion(returned)
        except SystemExit as exit_:
            # A script may end this way after a success, if the task has no outputs.
            if interface.outputs or not is_success(exit_code(exit_)):
                raise
            returned = None
    with run.user_code(), run.conversions(task):
        return interface.output_literals(returned, run.files)


def _generate(run: TaskRun, task: Task[..., Any], literals: Mapping[str, Json]) -> dict[str, Json]:
    from flytemp.runtime.dynamic import generate

    values = _values(run, task, literals)
    with run.user_code(), run.conversions(task):
        document = generate(task, values, run.files)
    run.store_graph(document)
    return {}
