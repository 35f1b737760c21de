"""Local runs of tasks and workflows by plain Python calls.

They convert values like runs on Temporal, but have no retries and no time-outs.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from flytemp.authoring.binding import Bound, Constant, Entries, FailureCause, Items
from flytemp.authoring.compilation import Compilation, no_compilation, trace
from flytemp.authoring.context import TaskId, current_context, use_context
from flytemp.authoring.graph import Graph
from flytemp.authoring.node import Node
from flytemp.error_text import add_note, exception_text, storable, titled
from flytemp.errors import ProgramError
from flytemp.literals.check import check_literal
from flytemp.literals.convert import to_literal
from flytemp.literals.navigate import value_at
from flytemp.literals.transfer import LOCAL_FILES, own_working_directory
from flytemp.literals.types import Json, LiteralType
from flytemp.names import LOCAL_VERSION

if TYPE_CHECKING:
    from flytemp.authoring.task import Task
    from flytemp.authoring.workflow import Workflow

Result = TypeVar("Result")


def call_task(task: Task[..., Any], values: Mapping[str, Any]) -> Any:
    """Run a task and return its result; for an async task, an awaitable of the result.

    Raises:
        InputError: an input or output does not have its type.
        Exception: every exception of the task, with a note that names the task.
    """
    interface = task.python_interface
    literals = interface.call_literals(values)
    returned = _start(task, literals)
    if not inspect.isawaitable(returned):
        return interface.output_values(interface.output_literals(returned, LOCAL_FILES))

    async def finish() -> Any:
        return interface.output_values(interface.output_literals(await _finished(task, returned), LOCAL_FILES))

    return finish()


def call_workflow(workflow: Workflow[..., Any], values: Mapping[str, Any]) -> Any:
    """Run a workflow's nodes and return its result.

    Raises:
        InputError: an input or output does not have its type.
        Exception: the exception of a task that failed.
    """
    interface = workflow.python_interface
    literals = interface.call_literals(values)
    if workflow.replacement is None:
        workflow.graph().warn()
    with use_context(current_context()):
        return interface.output_values(run_workflow(workflow, literals))


def run_task(task: Task[..., Any], literals: Mapping[str, Json]) -> dict[str, Json]:
    """Run a task, also an async one, and return its output literals. It raises like `call_task`."""
    returned = _start(task, literals)
    if inspect.isawaitable(returned):
        returned = run_to_completion(_finished(task, returned))
    return task.python_interface.output_literals(returned, LOCAL_FILES)


def run_workflow(
    workflow: Workflow[..., Any], literals: Mapping[str, Json], around: LocalGraphRun | None = None
) -> dict[str, Json]:
    """Run a workflow's nodes one after the other, and return its output literals. A failure also runs the failure node.

    Args:
        workflow: the workflow.
        literals: the complete input literals.
        around: the run of the graph that calls the workflow.

    Raises:
        ProgramError: the workflow calls itself.
        Exception: the exception of a task that failed.
    """
    if workflow.replacement is not None:
        interface = workflow.python_interface
        returned = interface.call(workflow.replacement, interface.input_values(literals))
        return interface.output_literals(returned, LOCAL_FILES)
    around = around or LocalGraphRun.none()
    if workflow in around.callers:
        raise ProgramError([workflow.recursion_problem()])
    run = LocalGraphRun(workflow.graph(), literals, around, (*around.callers, workflow))
    return run.walk(workflow.python_interface.output_types)


class LocalGraphRun:
    """Run of a graph in this process.

    Attributes:
        callers: the workflows that contain the graph, the outermost first.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Mapping[str, Json],
        around: LocalGraphRun | None = None,
        callers: tuple[Workflow[..., Any], ...] = (),
    ) -> None:
        self.callers = callers
        self._graph = graph
        self._inputs = inputs
        self._results: dict[Node, dict[str, Json]] = {}
        self._path: tuple[str, ...] = around._path if around is not None else ()
        self._failures: list[tuple[Exception, str]] = around._failures if around is not None else []
        self._cause: Json = None

    @classmethod
    def none(cls) -> LocalGraphRun:
        """Return the run of an empty graph, for a call outside of any graph."""
        return cls(Graph((), {}), {})

    def walk(self, types: Mapping[str, LiteralType]) -> dict[str, Json]:
        """Run every node and return the output literals.

        Raises:
            Exception: the exception of a node, after the failure node has run.
        """
        try:
            for node in self._graph.ordered():
                self._results[node] = self.run(node)
            return {name: check_literal(self.resolve(bound), types[name]) for name, bound in self._graph.outputs.items()}
        except Exception as error:
            if self._graph.on_failure is not None:
                self._handle(error, self._graph.on_failure)
            raise

    def run(self, node: Node) -> dict[str, Json]:
        """Run one node, possibly a case of a conditional, and return its output literals."""
        with self.inside(node.id):
            given = {name: self.resolve(bound) for name, bound in node.bindings.items()}
            return node.callee.run_locally(given, self)

    def inside(self, step: str) -> _Step:
        """Return a context that records failures with their path. ``step`` is a node's id or the number of a map's item."""
        return _Step(self, step)

    def resolve(self, bound: Bound) -> Json:
        """Return the literal of a binding."""
        match bound:
            case Constant():
                return bound.literal
            case Items():
                return [self.resolve(item) for item in bound.items]
            case Entries():
                return {key: self.resolve(item) for key, item in bound.entries.items()}
            case FailureCause():
                return self._cause
        source = self._inputs if bound._node is None else self._results[bound._node]
        return value_at(source[bound._variable], bound._path)

    def _handle(self, error: Exception, handler: Node) -> None:
        failed = next((path for known, path in self._failures if known is error), "")
        self._cause = {"message": storable(exception_text(error)), "failed_node_id": failed}
        try:
            self.run(handler)
        except Exception as another:  # noqa: BLE001 - the failure of the workflow is reported
            add_note(error, f"the failure handler {handler.callee.name} failed as well: {titled(another)}")


class _Step:
    """Context of a node or a map item; see `LocalGraphRun.inside`. It is a class for the reason that `ContextValue` gives."""

    def __init__(self, run: LocalGraphRun, step: str) -> None:
        self._run = run
        self._before = run._path
        self._path = (*run._path, step)

    def __enter__(self) -> None:
        self._run._path = self._path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        run = self._run
        if isinstance(error, Exception) and all(error is not known for known, _ in run._failures):
            run._failures.append((error, ".".join(self._path)))
        run._path = self._before


def run_dynamic(task: Task[..., Any], literals: Mapping[str, Json], around: LocalGraphRun | None = None) -> dict[str, Json]:
    """Let a dynamic task create its graph, run the graph, and return the output literals. It raises like `run_workflow`."""
    interface = task.python_interface
    values = interface.input_values(literals)
    with _running(task):
        try:
            compilation = Compilation(interface.owner, partial(to_literal, files=LOCAL_FILES))
            trace(compilation, task.function, values, interface, task.site)
            graph = compilation.graph(task.site.location)
            graph.warn()
        except Exception as error:
            add_note(error, _note(task))
            raise
        return LocalGraphRun(graph, {}, around).walk(interface.output_types)


def _start(task: Task[..., Any], literals: Mapping[str, Json]) -> Any:
    interface = task.python_interface
    values = interface.input_values(literals)
    with _running(task):
        try:
            return interface.call(task.function, values)
        except Exception as error:
            add_note(error, _note(task))
            raise


async def _finished(task: Task[..., Any], awaitable: Awaitable[Any]) -> Any:
    with _running(task):
        try:
            return await awaitable
        except Exception as error:
            add_note(error, _note(task))
            raise


def _running(task: Task[..., Any]) -> ExitStack:
    """Return the context of a task's function."""
    before = current_context()
    execution = before.execution_id
    identity = TaskId(execution.project, execution.domain, task.name, LOCAL_VERSION)
    stack = ExitStack()
    stack.enter_context(use_context(replace(before, task_id=identity)))
    stack.enter_context(no_compilation())
    stack.enter_context(own_working_directory())
    return stack


def _note(task: Task[..., Any]) -> str:
    return f"raised by task '{task.name}' ({task.site.location})"


def run_to_completion(awaitable: Awaitable[Result]) -> Result:
    """Run an awaitable to completion and return its result, also inside a running event loop."""

    async def waiting() -> Result:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(waiting())
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(context.run, asyncio.run, waiting()).result()
