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

from flytemp.authoring.binding import Bound, Constant, Entries, FailureCause, Items
from flytemp.authoring.compilation import Compilation, no_compilation, trace
from flytemp.authoring.context import TaskId, current_context, use_context
from flytemp.authoring.graph import Graph
from flytemp.authoring.node import Node
from flytemp.errors import ProgramError
from flytemp.literals.check import check_literal
from flytemp.literals.navigate import value_at
from flytemp.literals.types import Json, LiteralType

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


def run_workflow(workflow: Workflow[..., Any], literals: Mapping[str, Json], around: Scope | None = None) -> dict[str, Json]:
    """Run a workflow's nodes on literals, one after the other; when one fails, its failure node, too.

    Raises:
        ProgramError: when the workflow contains itself.
    """
    around = around or Scope.none()
    if workflow in around.callers:
        raise ProgramError([workflow.recursion_problem()])
    scope = Scope(workflow.graph(), literals, around, (*around.callers, workflow))
    return scope.walk(workflow.python_interface.output_types)


class Scope:
    """A graph whose nodes run here and now.

    Attributes:
        callers: the workflows around it.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Mapping[str, Json],
        around: Scope | None = None,
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
    def none(cls) -> Scope:
        """For a call outside of any graph."""
        return cls(Graph((), {}), {})

    def walk(self, types: Mapping[str, LiteralType]) -> dict[str, Json]:
        """Run every node; the outputs' literals. An exception of a node goes out after the failure node has run."""
        try:
            for node in self._graph.ordered():
                self._results[node] = self.run(node)
            return {name: check_literal(self.resolve(bound), types[name]) for name, bound in self._graph.outputs.items()}
        except Exception as error:
            if self._graph.on_failure is not None:
                self._handle(error, self._graph.on_failure)
            raise

    def run(self, node: Node) -> dict[str, Json]:
        """Run one node, which may be a case of a conditional's."""
        with self.inside(node.id):
            given = {name: self.resolve(bound) for name, bound in node.bindings.items()}
            return node.callee.run_here(given, self)

    @contextmanager
    def inside(self, step: str) -> Iterator[None]:
        """What runs inside, and fails, is at ``step``: a node's id, or the number of a map's item."""
        before, self._path = self._path, (*self._path, step)
        try:
            yield
        except Exception as error:
            if all(error is not known for known, _ in self._failures):
                self._failures.append((error, ".".join(self._path)))
            raise
        finally:
            self._path = before

    def resolve(self, bound: Bound) -> Json:
        """The literal that a binding stands for."""
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
        self._cause = {"message": str(error), "failed_node_id": failed}
        try:
            self.run(handler)
        except Exception as another:  # noqa: BLE001 - the workflow's own failure is what is reported
            error.add_note(f"its failure handler {handler.callee.name} failed, too: {type(another).__name__}: {another}")


def run_generated(task: Task[..., Any], literals: Mapping[str, Json], around: Scope | None = None) -> dict[str, Json]:
    """Have a dynamic task make its graph, and run that."""
    interface = task.python_interface
    values = interface.input_values(literals)
    with _running(task):
        try:
            compilation = Compilation(interface.owner)
            trace(compilation, task.function, values, interface, task.place)
            graph = compilation.graph(task.place.location)
        except Exception as error:
            error.add_note(_note(task))
            raise
        return Scope(graph, {}, around).walk(interface.output_types)


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
