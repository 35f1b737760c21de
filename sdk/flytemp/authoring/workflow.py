"""Workflows: functions that connect tasks. The function runs once, with promises, to learn the graph."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from flytemp.authoring.arguments import given_inputs
from flytemp.authoring.compilation import Graph, compile_graph, current_compilation
from flytemp.authoring.created import record
from flytemp.authoring.docs import Documentation, docs_spec
from flytemp.authoring.docstrings import read_docstring
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.interface import PythonInterface, interface_of
from flytemp.authoring.local import call_workflow
from flytemp.authoring.options import Options
from flytemp.authoring.place import Place, caller_place, function_place
from flytemp.authoring.settings import flag
from flytemp.authoring.task import Task, module_name
from flytemp.errors import NotSupported, Problem
from flytemp.spec.models import BundleRef, Docs, Interface, WorkflowSpec

if TYPE_CHECKING:
    from flytemp.authoring.binding import Bound
    from flytemp.spec.models import WorkflowDocument

P = ParamSpec("P")
R = TypeVar("R")


class WorkflowFailurePolicy(Enum):
    """What happens to the other nodes when one has failed."""

    FAIL_IMMEDIATELY = "fail-immediately"
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = "fail-after-executable-nodes-complete"


@dataclass(frozen=True)
class WorkflowSettings:
    """What `workflow` was told."""

    failure_policy: WorkflowFailurePolicy = WorkflowFailurePolicy.FAIL_IMMEDIATELY
    interruptible: bool = False
    docs: Documentation | None = None
    options: Options = field(default_factory=Options)


class Workflow(Generic[P, R]):
    """A function as a workflow. Calling it inside a workflow adds a node; anywhere else it runs, node by node."""

    noun = "workflow"
    settings = None
    __name__: str

    def __init__(
        self, function: Callable[P, R] | None = None, settings: WorkflowSettings | None = None, *, name: str | None = None
    ) -> None:
        # flytekit's Workflow(name="…") builds a graph by method calls.
        if function is None or not callable(function) or isinstance(function, type):
            raise NotSupported(
                f"Workflow({name or function!r}): imperative workflows are not supported",
                hint="write a function with @workflow that calls the tasks",
                location=caller_place().location,
            )
        self.function = function
        self.place: Place = function_place(function)
        self.module = module_name(function)
        self.name = f"{self.module}.{function.__name__}"
        self.options = settings or WorkflowSettings()
        self._docstring = read_docstring(function)
        self.docs: Docs = docs_spec(self.options.docs, self._docstring)
        self._graph: Graph | None = None
        functools.update_wrapper(self, function, updated=())
        record(self)

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        compilation = current_compilation()
        if compilation is not None:
            return cast(R, compilation.call(self, args, kwargs).result())
        values = given_inputs(self.python_interface, args, kwargs, caller_place().location)
        return cast(R, call_workflow(self, values))

    @property
    def python_interface(self) -> PythonInterface:
        """Inputs and outputs, with their Python annotations; raises as `Task.python_interface`."""
        return self._python_interface

    @cached_property
    def _python_interface(self) -> PythonInterface:
        return interface_of(self.function, f"workflow '{self.name}'", self.place, self._docstring)

    @property
    def interface(self) -> Interface:
        """Inputs and outputs as the spec has them; see `python_interface`."""
        return self.python_interface.interface

    def graph(self) -> Graph:
        """The nodes that the function makes. It runs at most once with success.

        Raises:
            ProgramError: with everything that is wrong with its calls.
            Exception: whatever the function itself raises.
        """
        if self._graph is None:
            graph = compile_graph(self.function, self.python_interface, self.place)
            graph.ordered()
            self._graph = graph
        return self._graph

    @property
    def nodes(self) -> tuple[Any, ...]:
        """The nodes, in the order of their creation; see `graph`."""
        return self.graph().nodes

    @property
    def output_bindings(self) -> dict[str, Bound]:
        """Where each output comes from; see `graph`."""
        return self.graph().outputs

    def callees(self) -> list[Task[..., Any] | Workflow[..., Any]]:
        """The tasks and sub-workflows that it calls, each once; see `graph`."""
        callees = dict.fromkeys(node.callee for node in self.nodes)
        return cast("list[Task[..., Any] | Workflow[..., Any]]", list(callees))

    def recursion_problem(self) -> Problem:
        return Problem(
            f"workflow '{self.name}' calls itself, directly or through its sub-workflows",
            self.place.location,
            "a workflow's graph is finite: loop inside a task",
        )

    def spec(self) -> WorkflowSpec:
        """The workflow as the spec has it; see `graph` for what it raises."""
        from flytemp.authoring.binding import spec_of

        graph = self.graph()
        return WorkflowSpec(
            name=self.name,
            interface=self.interface,
            nodes=tuple(node.spec() for node in graph.nodes),
            outputs={name: spec_of(bound) for name, bound in graph.outputs.items()},
            failure_policy=self.options.failure_policy.value,
            interruptible=self.options.interruptible,
            labels=self.options.options.label_map() or {},
            annotations=self.options.options.annotation_map() or {},
            docs=self.docs,
            location=self.place.source(),
        )

    def document(self, bundle: BundleRef | None = None) -> WorkflowDocument:
        """The workflow with every task and sub-workflow that it needs.

        Raises:
            ProgramError: with everything that is wrong with it.
        """
        from flytemp.compiler.assemble import workflow_document

        return workflow_document(self, bundle)


PythonFunctionWorkflow = WorkflowBase = Workflow


@overload
def workflow(
    _workflow_function: Callable[P, R],
    /,
    *,
    failure_policy: WorkflowFailurePolicy | None = ...,
    interruptible: bool = ...,
    on_failure: Any = ...,
    docs: Documentation | None = ...,
    pickle_untyped: bool = ...,
    default_options: Options | None = ...,
) -> Workflow[P, R]: ...


@overload
def workflow(
    _workflow_function: None = None,
    /,
    *,
    failure_policy: WorkflowFailurePolicy | None = ...,
    interruptible: bool = ...,
    on_failure: Any = ...,
    docs: Documentation | None = ...,
    pickle_untyped: bool = ...,
    default_options: Options | None = ...,
) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...


def workflow(
    _workflow_function: Callable[P, R] | None = None,
    /,
    *,
    failure_policy: WorkflowFailurePolicy | None = None,
    interruptible: bool = False,
    on_failure: Any = None,
    docs: Documentation | None = None,
    pickle_untyped: bool = False,
    default_options: Options | None = None,
) -> Workflow[P, R] | Callable[[Callable[P, R]], Workflow[P, R]]:
    """Make a function a workflow: ``@workflow`` or ``@workflow(failure_policy=…)``.

    The function only connects tasks and sub-workflows: values that they return do not exist while it runs.

    Args:
        failure_policy: whether other nodes still run after one has failed.
        interruptible: whether tasks that say nothing may run on machines that can be taken away.
        docs: replaces what the docstring says.
        default_options: labels and annotations of the executions.

    Raises:
        SettingsError: (a ``ValueError``) for a malformed option.
        NotSupported: for ``on_failure`` and ``pickle_untyped``.
    """
    place = caller_place()
    if on_failure is not None:
        raise NotSupported(
            "on_failure= of a workflow is not supported", hint="handle failures in the tasks", location=place.location
        )
    if pickle_untyped:
        raise NotSupported("pickle_untyped is not supported", hint="annotate every parameter", location=place.location)
    if failure_policy is not None and not isinstance(failure_policy, WorkflowFailurePolicy):
        raise SettingsError(f"failure_policy must be a WorkflowFailurePolicy, not {failure_policy!r}", location=place.location)
    if default_options is not None and not isinstance(default_options, Options):
        raise SettingsError(f"default_options must be Options, not {default_options!r}", location=place.location)
    settings = WorkflowSettings(
        failure_policy or WorkflowFailurePolicy.FAIL_IMMEDIATELY,
        flag(interruptible, "interruptible") is True,
        docs,
        default_options or Options(),
    )

    def decorate(function: Callable[P, R]) -> Workflow[P, R]:
        if isinstance(function, Task | Workflow):
            raise SettingsError(
                f"{function.noun} '{function.name}' cannot be a workflow as well", location=function.place.location
            )
        return Workflow(function, settings)

    return decorate if _workflow_function is None else decorate(_workflow_function)
