"""Imperative workflows, which are built by method calls instead of a function."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from flytemp.authoring.binding import contains_promise, promises_in
from flytemp.authoring.compilation import Compilation, create_node
from flytemp.authoring.conditional import Condition
from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.docstrings import Docstring
from flytemp.authoring.documentation import Documentation, docs_spec
from flytemp.authoring.entity_registry import add_entity
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.execution_options import Options
from flytemp.authoring.failure_node import failure_node
from flytemp.authoring.graph import Graph
from flytemp.authoring.interface import Parameter, PythonInterface, input_variable
from flytemp.authoring.node import Node
from flytemp.authoring.promise import OutputTuple, Promise
from flytemp.authoring.retry import Seconds, limit
from flytemp.authoring.settings import flag
from flytemp.authoring.workflow import Workflow, WorkflowFailurePolicy, WorkflowSettings
from flytemp.errors import FlytempError
from flytemp.literals.convert import literal_type
from flytemp.spec.models import Interface, Variable

if TYPE_CHECKING:
    from flytemp.authoring.launch_plan import LaunchPlan
    from flytemp.authoring.mapping import MapTask
    from flytemp.authoring.task import Task

    AnyEntity: TypeAlias = Task[..., Any] | Workflow[..., Any] | LaunchPlan[Any] | MapTask

FAILURE_NODE = "efn"
"""Id of the failure node. Workflows made of functions have another id."""


class ImperativeWorkflow(Workflow[..., Any]):
    """Workflow that is built by method calls. It can be used like a workflow made of a function::

        wf = ImperativeWorkflow(name="my.workflow")
        wf.add_workflow_input("rows", list[int])
        node = wf.add_entity(total, items=wf.inputs["rows"])
        wf.add_workflow_output("sum", node.outputs["o0"])

    It is registered under its name. Inputs and outputs have the order in which they were added.

    Attributes:
        inputs: promises of the inputs by name.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        return object.__new__(cls)

    def __init__(
        self,
        name: str,
        failure_policy: WorkflowFailurePolicy | None = None,
        interruptible: bool = False,
        *,
        timeout: Seconds | None = None,
        docs: Documentation | None = None,
        default_options: Options | None = None,
    ) -> None:
        self.site = caller_site()
        if not isinstance(name, str) or not name:
            raise SettingsError(
                f"an imperative workflow needs a name, not {name!r}",
                hint='the workflow is registered under its name: ImperativeWorkflow("reports.nightly")',
                location=self.site.location,
            )
        if failure_policy is not None and not isinstance(failure_policy, WorkflowFailurePolicy):
            raise SettingsError(
                f"failure_policy must be a WorkflowFailurePolicy, not {failure_policy!r}",
                hint="WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE",
                location=self.site.location,
            )
        self.name = name
        self.module = self.site.module
        self.__name__ = name.rpartition(".")[2]
        self.options = WorkflowSettings(
            failure_policy or WorkflowFailurePolicy.FAIL_IMMEDIATELY,
            flag(interruptible, "interruptible") is True,
            docs,
            default_options or Options(),
            timeout_seconds=limit(timeout, "timeout of a workflow"),
        )
        self.docs = docs_spec(docs, Docstring())
        self._graph = None
        self._compilation = Compilation(f"workflow '{name}'")
        self._inputs: dict[str, Any] = {}  # annotations
        self._outputs: dict[str, Any] = {}
        add_entity(self)

    # ------------------------------------------------------------------------------ construction

    @property
    def inputs(self) -> Mapping[str, Promise]:
        """The promises of the inputs by name."""
        return self._compilation.inputs

    def add_workflow_input(self, input_name: str, python_type: Any) -> Promise:
        """Add an input and return its promise.

        Args:
            input_name: the name of the input.
            python_type: the type of the input, as in an annotation.

        Raises:
            SettingsError: (a ``ValueError``) the name is invalid or taken, or the type is not supported.
        """
        self._check_new("input", input_name, self._inputs)
        type_ = self._literal_type("input", input_name, python_type)
        self._inputs[input_name] = python_type
        self._graph = None
        return self._compilation.add_input(input_name, type_)

    def add_entity(self, entity: AnyEntity, **kwargs: Any) -> Node:
        """Add a node that calls an entity, and return the node. Its outputs are ``node.outputs["o0"]``, …

        Args:
            entity: a task, workflow, launch plan or map.
            **kwargs: the inputs.

        Raises:
            CallError: (an ``AssertionError``) an input is unknown.
            MissingInputs: (a ``TypeError``) an input is missing.
        """
        self._graph = None
        with self._compilation.active():
            return create_node(entity, **kwargs)

    def add_task(self, task: Task[..., Any] | MapTask, **kwargs: Any) -> Node:
        """See `add_entity`."""
        return self.add_entity(task, **kwargs)

    def add_subwf(self, sub_wf: Workflow[..., Any], **kwargs: Any) -> Node:
        """See `add_entity`."""
        return self.add_entity(sub_wf, **kwargs)

    def add_launch_plan(self, launch_plan: LaunchPlan[Any], **kwargs: Any) -> Node:
        """See `add_entity`."""
        return self.add_entity(launch_plan, **kwargs)

    def create_conditional(self, name: str) -> Condition:
        """Start a conditional like `flytemp.conditional`: ``.if_(…).then(…)``.

        Calls of tasks and workflows add nodes to this workflow until the last case, ``else_``, is complete.

        Args:
            name: the name of the conditional in views and messages.
        """
        self._graph = None
        stack = ExitStack()
        stack.enter_context(self._compilation.active())
        return Condition(name, self._compilation, caller_site(), stack.close)

    def add_on_failure_handler(self, entity: AnyEntity) -> None:
        """Set the entity to call when this workflow has failed; see ``on_failure`` of `flytemp.workflow`.

        Args:
            entity: a task, workflow or launch plan.

        Raises:
            SettingsError: (a ``ValueError``) ``entity`` is something else.
        """
        if not hasattr(entity, "section"):
            raise SettingsError(
                f"a failure handler must be a task, workflow or launch plan, not {entity!r}",
                hint="decorate the function with @task",
                location=caller_site().location,
            )
        self._graph = None
        self.options = replace(self.options, on_failure=entity)

    def add_workflow_output(self, output_name: str, p: Any, python_type: Any = None) -> None:
        """Add an output.

        Args:
            output_name: the name of the output.
            p: a promise, a part of one, or a list or dict that contains promises.
            python_type: the type of the output. It can be omitted for a promise.

        Raises:
            SettingsError: (a ``ValueError``) the name is invalid or taken, or a list or dict has no type.
        """
        location = caller_site().location
        self._check_new("output", output_name, self._outputs)
        if isinstance(p, OutputTuple) and len(p) == 1:
            p = p[0]
        if not contains_promise(p):
            raise SettingsError(
                f"output '{output_name}' of workflow '{self.name}' must be a promise, not {p!r}",
                hint='use an output of a node: node.outputs["o0"]',
                location=location,
            )
        annotation = python_type if python_type is not None else self._annotation_of(p)
        if annotation is None:
            raise SettingsError(
                f"output '{output_name}' of workflow '{self.name}' needs its type",
                hint=f"add_workflow_output({output_name!r}, …, python_type=list[int])",
                location=location,
            )
        self._literal_type("output", output_name, annotation)
        self._outputs[output_name] = annotation
        self._graph = None
        self._compilation.bind_output(output_name, p, annotation, location)

    def ready(self) -> bool:
        """Return True if the workflow has a node and uses all its inputs."""
        bounds = [bound for node in self._compilation.nodes for bound in node.bounds()]
        promises = [promise for bound in [*bounds, *self._compilation.outputs.values()] for promise in promises_in(bound)]
        used = {promise._variable for promise in promises if promise._node is None}
        return bool(self._compilation.nodes) and used >= self._inputs.keys()

    # ------------------------------------------------------------------------------- as other workflows

    @property
    def python_interface(self) -> PythonInterface:
        """The inputs and outputs so far."""
        return PythonInterface(
            owner=f"workflow '{self.name}'",
            parameters={name: Parameter(name, annotation) for name, annotation in self._inputs.items()},
            outputs=dict(self._outputs),
            output_class=None,
            interface=Interface(
                inputs=tuple(input_variable(name, annotation) for name, annotation in self._inputs.items()),
                outputs=tuple(Variable(name=name, type=literal_type(annotation)) for name, annotation in self._outputs.items()),
            ),
        )

    def failure_node(self, compilation: Compilation) -> Node | None:
        """Return the node that calls the failure handler, or None. Its id is reserved.

        Raises:
            SettingsError: (a ``ValueError``) another node has this id.
        """
        for node in compilation.nodes:
            if node.id == FAILURE_NODE:
                raise SettingsError(
                    f"{node} of workflow '{self.name}': the id '{FAILURE_NODE}' is reserved for the failure node",
                    hint="give it another node_name",
                    location=node.site.location,
                )
        handler = self.options.on_failure
        return None if handler is None else failure_node(compilation, handler, self.name, self.site, FAILURE_NODE)

    def _build_graph(self) -> Graph:
        return self.complete(self._compilation)

    def _check_new(self, direction: str, name: object, known: Mapping[str, Any]) -> None:
        location = caller_site().location
        if not isinstance(name, str) or not name.isidentifier():
            raise SettingsError(
                f"{name!r} cannot name an {direction} of workflow '{self.name}'",
                hint="use letters, digits and _, as in the name of a parameter",
                location=location,
            )
        if name in known:
            raise SettingsError(
                f"{direction} '{name}' of workflow '{self.name}' is added twice", hint="give it another name", location=location
            )

    def _literal_type(self, direction: str, name: str, annotation: Any) -> Any:
        try:
            return literal_type(annotation)
        except FlytempError as error:
            raise SettingsError(
                f"{direction} '{name}' of workflow '{self.name}': {error.message}",
                hint=error.hint,
                location=caller_site().location,
            ) from error

    def _annotation_of(self, value: Any) -> Any:
        """Return the annotation of a promise, or None if ``value`` is something else or the annotation is unknown."""
        if not isinstance(value, Promise):
            return None
        if value._node is None:
            annotation = self._inputs.get(value._variable)
        else:
            annotation = value._node.callee.python_interface.outputs.get(value._variable)
        for step in value._path:
            annotation = _part(annotation, step)
        return annotation


def _part(annotation: Any, step: str | int) -> Any:
    """Return the annotation of a part of a value, or None if it is unknown."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _part(arguments[0], step)
    if origin in (typing.Union, types.UnionType):
        variants = [variant for variant in arguments if variant is not type(None)]
        return _part(variants[0], step) if len(variants) == 1 else None
    if origin is tuple and isinstance(step, int) and Ellipsis not in arguments:
        return arguments[step]
    if origin is not None:
        return arguments[-1] if origin in (list, dict) and arguments else None
    if isinstance(annotation, type) and (hasattr(annotation, "__annotations__") or dataclasses.is_dataclass(annotation)):
        return typing.get_type_hints(annotation, include_extras=True).get(str(step))
    return None
