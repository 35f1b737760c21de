"""Plain Python calls: the same conversions, in the same order, as a run on Temporal; no retries, no time-outs."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from flytemp.authoring.binding import Bound, Constant, Entries, Items
from flytemp.authoring.compilation import no_compilation
from flytemp.authoring.context import TaskId, current_context, use_context
from flytemp.authoring.node import Node
from flytemp.errors import FlytempBug, ProgramError
from flytemp.literals.check import check_literal
from flytemp.literals.navigate import value_at
from flytemp.literals.types import Json

if TYPE_CHECKING:
    from flytemp.authoring.task import Task
    from flytemp.authoring.workflow import Workflow

Result = TypeVar("Result")


def call_task(task: Task[..., Any], values: Mapping[str, Any]) -> Any:
    """Run a task here and now; an async task gives an awaitable.

    Raises:
        InputError: when inputs or outputs do not fit their types.
        Exception: whatever the task raises, as it is, with a note that names the task.
    """
    interface = task.python_interface
    literals = {**interface.defaults, **interface.input_literals(values)}
    returned = _start(task, literals)
    if not inspect.isawaitable(returned):
        return interface.output_values(interface.output_literals(returned))

    async def finish() -> Any:
        return interface.output_values(interface.output_literals(await _finished(task, returned)))

    return finish()


def call_workflow(workflow: Workflow[..., Any], values: Mapping[str, Any]) -> Any:
    """Walk a workflow's nodes here and now; see `call_task` for what it raises."""
    interface = workflow.python_interface
    literals = {**interface.defaults, **interface.input_literals(values)}
    with use_context(current_context()):
        return interface.output_values(run_workflow(workflow, literals))


def run_task(task: Task[..., Any], literals: Mapping[str, Json]) -> dict[str, Json]:
    """Run a task on literals, to its end."""
    returned = _start(task, literals)
    if inspect.isawaitable(returned):
        returned = to_the_end(_finished(task, returned))
    return task.python_interface.output_literals(returned)


def run_workflow(
    workflow: Workflow[..., Any], literals: Mapping[str, Json], callers: tuple[Workflow[..., Any], ...] = ()
) -> dict[str, Json]:
    """Run a workflow's nodes on literals, one after the other.

    Raises:
        ProgramError: when the workflow contains itself.
    """
    from flytemp.authoring.task import Task
    from flytemp.authoring.workflow import Workflow

    if workflow in callers:
        raise ProgramError([workflow.recursion_problem()])
    graph = workflow.graph()
    results: dict[Node, dict[str, Json]] = {}
    for node in graph.ordered():
        given = {name: _resolved(bound, literals, results) for name, bound in node.bindings.items()}
        if isinstance(node.callee, Task):
            results[node] = run_task(node.callee, given)
        elif isinstance(node.callee, Workflow):
            results[node] = run_workflow(node.callee, given, (*callers, workflow))
        else:
            raise FlytempBug(f"{node} calls a {type(node.callee).__name__}")
    types = workflow.python_interface.output_types
    return {name: check_literal(_resolved(bound, literals, results), types[name]) for name, bound in graph.outputs.items()}


def _start(task: Task[..., Any], literals: Mapping[str, Json]) -> Any:
    interface = task.python_interface
    values = interface.input_values(literals)
    with _running(task):
        try:
            return interface.call(task.function, values)
        except Exception as error:
            error.add_note(_note(task))
            raise


async def _finished(task: Task[..., Any], awaitable: Awaitable[Any]) -> Any:
    with _running(task):
        try:
            return await awaitable
        except Exception as error:
            error.add_note(_note(task))
            raise


@contextmanager
def _running(task: Task[..., Any]) -> Iterator[None]:
    """The context in which a task's function runs."""
    before = current_context()
    execution = before.execution_id
    identity = TaskId(execution.project, execution.domain, task.name, "local")
    with use_context(replace(before, task_id=identity)), no_compilation():
        yield


def _note(task: Task[..., Any]) -> str:
    return f"raised by task '{task.name}' ({task.place.location})"


def _resolved(bound: Bound, inputs: Mapping[str, Json], results: Mapping[Node, dict[str, Json]]) -> Json:
    match bound:
        case Constant():
            return bound.literal
        case Items():
            return [_resolved(item, inputs, results) for item in bound.items]
        case Entries():
            return {key: _resolved(item, inputs, results) for key, item in bound.entries.items()}
    source = inputs if bound._node is None else results[bound._node]
    return value_at(source[bound._variable], bound._path)


def to_the_end(awaitable: Awaitable[Result]) -> Result:
    """Run an awaitable to its end, also from code that an event loop is running."""

    async def waiting() -> Result:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(waiting())
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(context.run, asyncio.run, waiting()).result()
