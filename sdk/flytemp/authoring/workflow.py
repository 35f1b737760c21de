"""Workflows: functions that connect tasks. The function runs once, with promises, to learn the graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, cast, overload

from flytemp.authoring.arguments import given_inputs
from flytemp.authoring.callee import Entity, LeafCallee, Section, Step
from flytemp.authoring.compilation import Compilation, Graph, current_compilation, trace
from flytemp.authoring.definition_site import DefinitionSite, caller_site, function_site
from flytemp.authoring.docs import Documentation, docs_spec
from flytemp.authoring.docstrings import read_docstring
from flytemp.authoring.entity_registry import record
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.interface import PythonInterface, interface_of
from flytemp.authoring.local import call_workflow, run_workflow
from flytemp.authoring.options import Options
from flytemp.authoring.retry import Seconds, limit
from flytemp.authoring.settings import flag
from flytemp.authoring.task import Task, module_name
from flytemp.errors import FlytempError, NotSupported, Problem
from flytemp.literals.types import Json
from flytemp.spec.models import BundleRef, Docs, Interface, WorkflowSpec

if TYPE_CHECKING:
    from flytemp.authoring.binding import Bound
    from flytemp.authoring.local import Scope
    from flytemp.authoring.node import Node
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
    on_failure: Any = None
    timeout_seconds: float | None = None


class Workflow(LeafCallee, Generic[P, R]):
    """A function as a workflow. Calling it inside a workflow adds a node; anywhere else it runs, node by node."""

    noun = "workflow"
    section: Section = "workflows"
    is_reference = False
    settings = None
    __name__: str

    def __new__(cls, function: Any = None, settings: Any = None, *, name: str | None = None, **options: Any) -> Self:
        # flytekit's Workflow(name="…") builds a graph by method calls.
        if cls is Workflow and (isinstance(function, str) or (function is None and name is not None)):
            from flytemp.authoring.imperative import ImperativeWorkflow

            imperative: Any = ImperativeWorkflow
            return cast(Self, super().__new__(imperative))
        return super().__new__(cls)

    def __init__(
        self,
        function: Callable[P, R] | str | None = None,
        settings: WorkflowSettings | None = None,
        *,
        name: str | None = None,
        **options: Any,
    ) -> None:
        if options:
            raise SettingsError(
                f"a workflow that is a function has no {', '.join(options)} here",
                hint="@workflow(…) takes options; Workflow(name=…) makes an imperative workflow",
                location=caller_site().location,
            )
        if not callable(function) or isinstance(function, type):
            raise SettingsError(
                f"a workflow is a function, and {function!r} is none",
                hint='decorate a function with @workflow; Workflow("name") makes an imperative one',
                location=caller_site().location,
            )
        self.function = function
        self.place: DefinitionSite = function_site(function)
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
        values = given_inputs(self.python_interface, args, kwargs, caller_site().location)
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
            self._graph = self._put_together()
        return self._graph

    def _put_together(self) -> Graph:
        interface = self.python_interface
        compilation = Compilation(interface.owner)
        inputs = {variable.name: compilation.add_input(variable.name, variable.type) for variable in interface.interface.inputs}
        trace(compilation, self.function, inputs, interface, self.place)
        return self.complete(compilation)

    def complete(self, compilation: Compilation) -> Graph:
        """The graph of a compilation to which nothing will be added, with the failure node.

        Raises:
            ProgramError: with everything that is wrong with it; `FlyteFailureNodeInputMismatchException` when it is only
                that the failure handler does not take the workflow's inputs.
        """
        try:
            handler = self.failure_node(compilation)
        except FlytempError as error:
            if not compilation.problems(self.place.location):
                raise
            compilation.problem(Problem(error.message, error.location, error.hint))
            handler = None
        return compilation.graph(self.place.location, handler)

    def failure_node(self, compilation: Compilation) -> Node | None:
        """The node that calls ``on_failure``; see `flytemp.authoring.failure.failure_node` for what it raises."""
        from flytemp.authoring.failure import failure_node

        handler = self.options.on_failure
        return None if handler is None else failure_node(compilation, handler, self.name, self.place)

    @property
    def nodes(self) -> tuple[Any, ...]:
        """The nodes, in the order of their creation; see `graph`."""
        return self.graph().nodes

    @property
    def output_bindings(self) -> dict[str, Bound]:
        """Where each output comes from; see `graph`."""
        return self.graph().outputs

    def callees(self) -> list[Entity]:
        """The tasks, sub-workflows and launch plans that it calls, each once; see `graph`."""
        return self.graph().entities()

    @property
    def key(self) -> str:
        """What nodes call it by."""
        return self.name

    def step(self) -> Step:
        return Step("workflow", self.key)

    def entities(self) -> Sequence[Entity]:
        return (self,)

    def problems(self) -> Sequence[Problem]:
        """What is wrong with it besides its graph."""
        from flytemp.compiler.validate import name_problems

        return name_problems(self)

    def run_here(self, literals: Mapping[str, Json], scope: Scope) -> dict[str, Json]:
        """Run its nodes on literals."""
        return run_workflow(self, literals, scope)

    def recursion_problem(self) -> Problem:
        return Problem(
            f"workflow '{self.name}' calls itself, directly or through its sub-workflows",
            self.place.location,
            "a workflow's graph is finite: loop inside a task",
        )

    def spec(self) -> WorkflowSpec:
        """The workflow as the spec has it; see `graph` for what it raises."""
        from flytemp.compiler.assemble import graph_spec

        graph = self.graph()
        nodes, outputs = graph_spec(graph)
        return WorkflowSpec(
            name=self.name,
            interface=self.interface,
            nodes=nodes,
            outputs=outputs,
            failure_policy=self.options.failure_policy.value,
            on_failure=graph.on_failure.spec() if graph.on_failure is not None else None,
            timeout_seconds=self.options.timeout_seconds,
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
    timeout: Seconds | None = ...,
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
    timeout: Seconds | None = ...,
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
    timeout: Seconds | None = None,
    docs: Documentation | None = None,
    pickle_untyped: bool = False,
    default_options: Options | None = None,
) -> Workflow[P, R] | Callable[[Callable[P, R]], Workflow[P, R]]:
    """Make a function a workflow: ``@workflow`` or ``@workflow(failure_policy=…)``.

    The function only connects tasks and sub-workflows: values that they return do not exist while it runs.

    Args:
        failure_policy: whether other nodes still run after one has failed.
        on_failure: a task, workflow or launch plan that is called when the workflow has failed, with the workflow's inputs.
            An input of the type ``Optional[FlyteError]`` gets the reason. The workflow stays failed.
        timeout: seconds (or a timedelta) that the workflow may take from its start.
        interruptible: whether tasks that say nothing may run on machines that can be taken away.
        docs: replaces what the docstring says.
        default_options: labels and annotations of the executions.

    Raises:
        SettingsError: (a ``ValueError``) for a malformed option.
        NotSupported: for ``pickle_untyped``.
    """
    place = caller_site()
    if on_failure is not None and not hasattr(on_failure, "section"):
        raise SettingsError(
            f"on_failure must be a task, workflow or launch plan, not {on_failure!r}",
            hint="decorate the function with @task",
            location=place.location,
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
        on_failure,
        limit(timeout, "timeout of a workflow"),
    )

    def decorate(function: Callable[P, R]) -> Workflow[P, R]:
        if isinstance(function, Task | Workflow):
            raise SettingsError(
                f"{function.noun} '{function.name}' cannot be a workflow as well", location=function.place.location
            )
        return Workflow(function, settings)

    return decorate if _workflow_function is None else decorate(_workflow_function)
