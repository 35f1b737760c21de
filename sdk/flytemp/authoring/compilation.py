"""Compilation of a workflow: its function runs once, with promises, and its calls become nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flytemp.authoring.binding import Bound, Constant, bind
from flytemp.authoring.call_arguments import given_inputs
from flytemp.authoring.callee import Callee
from flytemp.authoring.definition_site import DefinitionSite, caller_site
from flytemp.authoring.errors import AuthoringError, CallError, ConditionError
from flytemp.authoring.graph import Graph, graph_problems
from flytemp.authoring.interface import PythonInterface, accepts_none
from flytemp.authoring.node import Node
from flytemp.authoring.promise import Chainable, Promise, VoidOutput
from flytemp.context_value import ContextValue
from flytemp.errors import FlytempError, InputError, Location, NotSupported, Problem, ProgramError
from flytemp.exceptions.user import FlyteMissingReturnValueException
from flytemp.literals.convert import constant_literal
from flytemp.literals.types import Json, LiteralType

if TYPE_CHECKING:
    from flytemp.authoring.conditional import Condition

_current: ContextVar[Compilation | None] = ContextVar("flytemp_compilation", default=None)


def current_compilation() -> Compilation | None:
    """Return the workflow that is being compiled in this context, or None."""
    return _current.get()


def no_compilation() -> ContextValue[Compilation | None]:
    """Return the context whose calls run instead of adding nodes: the body of a task is not part of a workflow."""
    return ContextValue(_current, None)


class Compilation:
    """Workflow that is being compiled, from a function or by method calls.

    Attributes:
        owner: the kind and the name of the workflow, for messages.
        nodes: the nodes so far, except those in conditionals.
        inputs: promises of the workflow's inputs.
        outputs: the bindings of outputs so far.
        convert: returns the literal of a constant, given its value and annotation.
        conditionals: the conditionals without a last case, the innermost last.
    """

    def __init__(self, owner: str, convert: Callable[[Any, Any], Json] = constant_literal) -> None:
        self.owner = owner
        self.convert = convert
        self.nodes: list[Node] = []
        self.inputs: dict[str, Promise] = {}
        self.outputs: dict[str, Bound] = {}
        self.conditionals: list[Condition] = []
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._rejected: list[tuple[Node, str, InputError]] = []

    def active(self) -> ContextValue[Compilation | None]:
        """Return the context whose calls add nodes to this workflow."""
        return ContextValue(_current, self)

    def add_input(self, name: str, type_: LiteralType) -> Promise:
        """Add an input and return its promise."""
        self.inputs[name] = Promise(self, None, name, type_)
        return self.inputs[name]

    def add(self, callee: Callee, site: DefinitionSite) -> Node:
        """Add a node without inputs, and return it."""
        node = Node(self, f"n{len(self.nodes)}", callee, site)
        self.nodes.append(node)
        return node

    def call(self, callee: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Node:
        """Add a node that calls ``callee``, and return it.

        A value of the wrong type is recorded, so that all problems are reported together.

        Raises:
            CallError: (an ``AssertionError``) an argument is unknown or given twice.
            MissingInputs: (a ``TypeError``) an input is missing.
        """
        site = caller_site()
        interface = callee.python_interface
        values = given_inputs(interface, args, kwargs, site.location)
        node = self.add(callee, site)
        for name, parameter in interface.parameters.items():
            if name not in values:
                node.bindings[name] = Constant(interface.defaults[name])
                continue
            try:
                node.bindings[name] = bind(name, values[name], parameter.annotation, self)
            except InputError as error:
                self._rejected.append((node, name, error))
        return node

    def bind_output(self, name: str, value: Any, annotation: Any, location: Location) -> None:
        """Bind an output. A value of the wrong type is recorded as a problem."""
        try:
            self.outputs[name] = bind(name, value, annotation, self)
        except FlytempError as error:
            self.add_problem(Problem(f"Output '{name}' of {self.owner}: {error.message}", location, error.hint))

    def add_problem(self, problem: Problem) -> None:
        """Record a problem, to report it with the others."""
        self._problems.append(problem)

    def add_warning(self, warning: Problem) -> None:
        """Record a warning, which does not prevent the registration."""
        self._warnings.append(warning)

    def problems(self, where: Location) -> list[Problem]:
        """Return the problems so far; ``where`` is the location of the workflow."""
        rejected = [
            Problem(f"Variable '{name}' of {node}: {error.message}", node.site.location, error.hint)
            for node, name, error in self._rejected
        ]
        unfinished = [condition.unfinished() for condition in self.conditionals]
        return [*rejected, *unfinished, *graph_problems(self.nodes, self.outputs, self.owner, where), *self._problems]

    def graph(self, where: Location, on_failure: Node | None = None) -> Graph:
        """Return the graph.

        Args:
            where: the location of the workflow.
            on_failure: the failure node.

        Raises:
            ProgramError: the graph has problems; it lists them all.
            ConditionError: (an ``AssertionError``) the only problem is an unfinished conditional.
        """
        problems = self.problems(where)
        if len(problems) == 1 and self.conditionals:
            raise ConditionError(problems[0].message, hint=problems[0].hint, location=problems[0].location)
        if problems:
            raise ProgramError(problems)
        graph = Graph(tuple(self.nodes), dict(self.outputs), on_failure, tuple(self._warnings))
        graph.ordered()
        return graph


def trace(
    compilation: Compilation,
    function: Callable[..., Any],
    values: Mapping[str, Any],
    interface: PythonInterface,
    site: DefinitionSite,
) -> None:
    """Call a function that creates nodes, and bind its result to the outputs.

    Args:
        compilation: the workflow to add nodes to.
        function: the function of a workflow or dynamic task.
        values: the arguments of the function.
        interface: the interface of the workflow or dynamic task.
        site: the definition of the function.

    Raises:
        NotSupported: the function is async.
        Exception: every exception of the function.
    """
    with compilation.active():
        returned = interface.call(function, values)
    if inspect.iscoroutine(returned):
        returned.close()
        raise NotSupported(
            f"{interface.owner} is async, but a workflow only connects tasks",
            hint="write def instead of async def; its tasks may be async",
            location=site.location,
        )
    if not compilation.conditionals:  # an unfinished conditional is not a result
        _bind_outputs(compilation, interface, returned, site.location)


def _bind_outputs(compilation: Compilation, interface: PythonInterface, returned: Any, location: Location) -> None:
    if not interface.outputs:
        if returned is not None and not isinstance(returned, VoidOutput):
            message = f"{interface.owner} returns a value, but declares no outputs: the value is not an output"
            compilation.add_warning(Problem(message, location, "annotate its result: def …() -> int"))
        return
    try:
        _check_returned(interface, returned, location)
    except FlyteMissingReturnValueException as error:
        if not compilation.problems(location):
            raise
        compilation.add_problem(Problem(error.message, location, error.hint))  # listed with its possible causes
        return
    try:
        values = interface.split(returned)
    except InputError as error:
        compilation.add_problem(Problem(error.message, location, error.hint))
        return
    for name, annotation in interface.outputs.items():
        compilation.bind_output(name, values[name], annotation, location)


def _check_returned(interface: PythonInterface, returned: Any, location: Location) -> None:
    if (returned is None or isinstance(returned, VoidOutput)) and not _may_be_none(interface):
        hint = f"{returned._node} returns nothing: {returned.remedy}" if isinstance(returned, VoidOutput) else None
        raise FlyteMissingReturnValueException(
            interface.owner, hint=hint or "return a value for each declared output", location=location
        )


def _may_be_none(interface: PythonInterface) -> bool:
    """Return True if None is a valid result: for a single Optional output."""
    types = list(interface.output_types.values())
    return len(types) == 1 and accepts_none(types[0])


def create_node(entity: Callable[..., Any], *args: Any, **kwargs: Any) -> Node:
    """Call a task, workflow, launch plan or map inside a workflow, and return the node of the call.

    Use the node to order calls (``node >> other``), or to take outputs by name (``node.o0``).

    Args:
        entity: the task, workflow, launch plan or map.
        *args: not supported.
        **kwargs: the inputs.

    Raises:
        CallError: (an ``AssertionError``) an argument is positional or unknown, or ``entity`` cannot be called by a node.
        AuthoringError: the call is outside of a workflow.
    """
    location = caller_site().location
    if not callable(entity) or not hasattr(entity, "python_interface"):
        raise CallError(
            f"create_node expects a task, workflow or launch plan, got {entity!r}",
            hint="decorate the function with @task",
            location=location,
        )
    if current_compilation() is None:
        name = getattr(entity, "name", "…").rpartition(".")[2]
        raise AuthoringError("create_node can only be used inside a workflow", hint=f"call it: {name}(…)", location=location)
    if args:
        raise CallError(
            "Only keyword args are supported to pass inputs to workflows and tasks via create_node.", location=location
        )
    result: Chainable = entity(**kwargs)  # inside a workflow, a call returns promises
    return result._chained_node()
