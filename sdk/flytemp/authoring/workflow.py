"""Workflows: functions that connect tasks. A workflow's function runs once, with promises, to build the graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, cast, overload

from flytemp.authoring.call_arguments import given_inputs
from flytemp.authoring.callee import Entity, LeafCallee, Step
from flytemp.authoring.compilation import Compilation, current_compilation, trace
from flytemp.authoring.definition_site import DefinitionSite, caller_site, function_site
from flytemp.authoring.docstrings import read_docstring
from flytemp.authoring.documentation import Documentation, docs_spec
from flytemp.authoring.entity_registry import add_entity
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.execution_options import Options
from flytemp.authoring.failure_node import failure_node
from flytemp.authoring.graph import Graph
from flytemp.authoring.interface import PythonInterface
from flytemp.authoring.local import LocalGraphRun, call_workflow, run_workflow
from flytemp.authoring.retry import Seconds, limit
from flytemp.authoring.settings import flag
from flytemp.authoring.signature import check_signature, interface_of
from flytemp.authoring.task import Task, module_name
from flytemp.errors import FlytempError, NotSupported, Problem
from flytemp.literals.types import Json
from flytemp.spec.models import Docs, Interface, Section, WorkflowSpec

if TYPE_CHECKING:
    from flytemp.authoring.binding import Bound
    from flytemp.authoring.launch_plan import LaunchPlan
    from flytemp.authoring.node import Node

P = ParamSpec("P")
R = TypeVar("R")


class WorkflowFailurePolicy(Enum):
    """Policy for the other nodes after one has failed."""

    FAIL_IMMEDIATELY = "fail-immediately"
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = "fail-after-executable-nodes-complete"


@dataclass(frozen=True)
class WorkflowSettings:
    """Settings from the arguments of `workflow`."""

    failure_policy: WorkflowFailurePolicy = WorkflowFailurePolicy.FAIL_IMMEDIATELY
    interruptible: bool = False
    docs: Documentation | None = None
    options: Options = field(default_factory=Options)
    on_failure: Any = None
    timeout_seconds: float | None = None


class Workflow(LeafCallee, Generic[P, R]):
    """Workflow made of a function. A call inside a workflow adds a node; a call anywhere else runs its nodes one by one.

    Attributes:
        function: the user's function.
        name: ``module.function``, the name under which the workflow is registered.
        options: the settings from the arguments of `workflow`.
        docs: the documentation.
        site: the definition of the function.
        replacement: the function that plain calls run instead of the nodes, in tests.
        default_launch_plan: the default launch plan, once `flytemp.authoring.launch_plan` has created it.
    """

    kind_name = "workflow"
    section: Section = "workflows"
    is_reference = False
    settings = None
    replacement: Callable[..., Any] | None = None
    default_launch_plan: LaunchPlan[Any] | None = None
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
                f"Workflow(function) has no arguments {', '.join(options)}",
                hint="@workflow(…) takes options; Workflow(name=…) makes an imperative workflow",
                location=caller_site().location,
            )
        if not callable(function) or isinstance(function, type):
            raise SettingsError(
                f"@workflow expects a function, got {function!r}",
                hint='decorate a function with @workflow; Workflow("name") creates an imperative workflow',
                location=caller_site().location,
            )
        self.function = function
        self.site: DefinitionSite = function_site(function)
        self.module = module_name(function)
        self.name = f"{self.module}.{function.__name__}"
        check_signature(function, f"workflow '{self.name}'", self.site)
        self.options = settings or WorkflowSettings()
        self._docstring = read_docstring(function)
        self.docs: Docs = docs_spec(self.options.docs, self._docstring)
        self._graph: Graph | None = None
        functools.update_wrapper(self, function, updated=())
        add_entity(self)

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
        """The inputs and outputs with their Python annotations. It raises like `Task.python_interface`."""
        return self._python_interface

    @cached_property
    def _python_interface(self) -> PythonInterface:
        return interface_of(self.function, f"workflow '{self.name}'", self.site, self._docstring)

    @property
    def interface(self) -> Interface:
        """The inputs and outputs for the spec. It raises like `python_interface`."""
        return self.python_interface.interface

    def graph(self) -> Graph:
        """Return the graph. The function runs until it has succeeded once.

        Raises:
            ProgramError: calls in the function have problems; it lists them all.
            Exception: every exception of the function.
        """
        if self._graph is None:
            self._graph = self._build_graph()
        return self._graph

    def _build_graph(self) -> Graph:
        interface = self.python_interface
        compilation = Compilation(interface.owner)
        inputs = {variable.name: compilation.add_input(variable.name, variable.type) for variable in interface.interface.inputs}
        trace(compilation, self.function, inputs, interface, self.site)
        return self.complete(compilation)

    def complete(self, compilation: Compilation) -> Graph:
        """Return the graph of a finished compilation, with the failure node.

        Raises:
            ProgramError: the graph has problems; it lists them all.
            FlyteFailureNodeInputMismatchException: the only problem is that the failure handler does not take the
                workflow's inputs.
        """
        try:
            handler = self.failure_node(compilation)
        except FlytempError as error:
            if not compilation.problems(self.site.location):
                raise
            compilation.add_problem(Problem(error.message, error.location, error.hint))
            handler = None
        return compilation.graph(self.site.location, handler)

    def failure_node(self, compilation: Compilation) -> Node | None:
        """Return the node that calls ``on_failure``, or None. It raises like `flytemp.authoring.failure_node.failure_node`."""
        handler = self.options.on_failure
        return None if handler is None else failure_node(compilation, handler, self.name, self.site)

    @property
    def nodes(self) -> tuple[Any, ...]:
        """The nodes in the order of their creation. It raises like `graph`."""
        return self.graph().nodes

    @property
    def output_bindings(self) -> dict[str, Bound]:
        """The binding of each output. It raises like `graph`."""
        return self.graph().outputs

    def callees(self) -> list[Entity]:
        """Return the tasks, sub-workflows and launch plans that the workflow calls, each once. It raises like `graph`."""
        return self.graph().entities()

    @property
    def key(self) -> str:
        """The name of the workflow, by which nodes refer to it."""
        return self.name

    def step(self) -> Step:
        return Step("workflow", self.key)

    def entities(self) -> Sequence[Entity]:
        return (self,)

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        """Run the nodes and return the output literals."""
        return run_workflow(self, literals, run)

    def recursion_problem(self) -> Problem:
        """Return the problem of a workflow that calls itself."""
        return Problem(
            f"workflow '{self.name}' calls itself, directly or through its sub-workflows",
            self.site.location,
            "use a loop inside a task, or a dynamic task",
        )

    def spec(self) -> WorkflowSpec:
        """Return the workflow for the spec. It raises like `graph`."""
        graph = self.graph()
        nodes, outputs = graph.specs()
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
            location=self.site.source(),
        )


PythonFunctionWorkflow = WorkflowBase = Workflow


@overload
def workflow(
    _workflow_function: Callable[P, R],
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
    *,
    failure_policy: WorkflowFailurePolicy | None = None,
    interruptible: bool = False,
    on_failure: Any = None,
    timeout: Seconds | None = None,
    docs: Documentation | None = None,
    pickle_untyped: bool = False,
    default_options: Options | None = None,
) -> Workflow[P, R] | Callable[[Callable[P, R]], Workflow[P, R]]:
    """Turn a function into a workflow: ``@workflow`` or ``@workflow(failure_policy=…)``.

    The function only connects tasks and sub-workflows. Their results do not exist while it runs.

    Args:
        failure_policy: the policy for the other nodes after one has failed.
        interruptible: run tasks without a setting of their own on interruptible cluster nodes.
        on_failure: a task, workflow or launch plan that is called with the workflow's inputs when the workflow has failed.
            An input of the type ``Optional[FlyteError]`` receives the reason. The workflow remains failed.
        timeout: the maximum time of the workflow from its start, in seconds or as a timedelta.
        docs: documentation that takes precedence over the docstring.
        pickle_untyped: not supported.
        default_options: labels and annotations of the executions.

    Returns:
        The workflow, or a decorator if only options are given.

    Raises:
        SettingsError: (a ``ValueError``) an option is invalid.
        NotSupported: ``pickle_untyped`` is given.
    """
    _check_options(failure_policy, on_failure, default_options, pickle_untyped=pickle_untyped)
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
                f"{function.kind_name} '{function.name}' cannot be a workflow as well", location=function.site.location
            )
        return Workflow(function, settings)

    return decorate if _workflow_function is None else decorate(_workflow_function)


def _check_options(
    failure_policy: object, on_failure: object, default_options: object, *, pickle_untyped: bool
) -> None:
    site = caller_site()
    if on_failure is not None and not hasattr(on_failure, "section"):
        raise SettingsError(
            f"on_failure must be a task, workflow or launch plan, not {on_failure!r}",
            hint="decorate the function with @task",
            location=site.location,
        )
    if pickle_untyped:
        raise NotSupported("pickle_untyped is not supported", hint="annotate every parameter", location=site.location)
    if failure_policy is not None and not isinstance(failure_policy, WorkflowFailurePolicy):
        raise SettingsError(f"failure_policy must be a WorkflowFailurePolicy, not {failure_policy!r}", location=site.location)
    if default_options is not None and not isinstance(default_options, Options):
        raise SettingsError(f"default_options must be Options, not {default_options!r}", location=site.location)
