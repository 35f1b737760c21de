"""Running a workflow's function once, with promises, to learn its graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flytemp.authoring.arguments import given_inputs
from flytemp.authoring.binding import Bound, Constant, bind
from flytemp.authoring.callee import Callee
from flytemp.authoring.definition_site import DefinitionSite, caller_site
from flytemp.authoring.errors import ConditionError
from flytemp.authoring.graph import Graph as Graph
from flytemp.authoring.graph import graph_problems
from flytemp.authoring.interface import PythonInterface
from flytemp.authoring.node import Node
from flytemp.authoring.promise import Promise, VoidOutput
from flytemp.errors import FlytempError, InputError, Location, NotSupported, Problem, ProgramError
from flytemp.exceptions.user import FlyteMissingReturnValueException, FlyteValueException
from flytemp.literals.types import LiteralType

if TYPE_CHECKING:
    from flytemp.authoring.conditional import Condition
    from flytemp.literals.transfer import FileTransfer

_current: ContextVar[Compilation | None] = ContextVar("flytemp_compilation", default=None)


def current_compilation() -> Compilation | None:
    """The workflow that is being put together in this context, if there is one."""
    return _current.get()


@contextmanager
def no_compilation() -> Iterator[None]:
    """Calls inside run: the body of a task is no part of a workflow."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


class Compilation:
    """A workflow that is being put together: from a function, or step by step.

    Attributes:
        owner: what messages call the workflow.
        nodes: so far, without those that went into conditionals.
        inputs: promises of the workflow's inputs.
        outputs: what was bound so far.
        files: uploads local files among the constants; None leaves their paths as they are.
        conditionals: those that have no last case yet, the innermost last.
    """

    def __init__(self, owner: str, files: FileTransfer | None = None) -> None:
        self.owner = owner
        self.files = files
        self.nodes: list[Node] = []
        self.inputs: dict[str, Promise] = {}
        self.outputs: dict[str, Bound] = {}
        self.conditionals: list[Condition] = []
        self._problems: list[Problem] = []
        self._refused: list[tuple[Node, str, InputError]] = []

    @contextmanager
    def active(self) -> Iterator[Compilation]:
        """Calls inside add nodes to this workflow."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def add_input(self, name: str, type_: LiteralType) -> Promise:
        """A new input of the workflow."""
        self.inputs[name] = Promise(self, None, name, type_)
        return self.inputs[name]

    def add(self, callee: Callee, place: DefinitionSite) -> Node:
        """Add a node without inputs."""
        node = Node(self, f"n{len(self.nodes)}", callee, place)
        self.nodes.append(node)
        return node

    def call(self, callee: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Node:
        """Add a node that calls ``callee``.

        A value of the wrong type is noted, so that all of them are reported together.

        Raises:
            InputError: for arguments that the callee does not have, or that are missing.
        """
        place = caller_site()
        interface = callee.python_interface
        values = given_inputs(interface, args, kwargs, place.location)
        node = self.add(callee, place)
        for name, parameter in interface.parameters.items():
            if name not in values:
                node.bindings[name] = Constant(interface.defaults[name])
                continue
            try:
                node.bindings[name] = bind(name, values[name], parameter.annotation, self)
            except InputError as error:
                self._refused.append((node, name, error))
        return node

    def bind_output(self, name: str, value: Any, annotation: Any, location: Location) -> None:
        """Connect an output; a value that does not fit is noted."""
        try:
            self.outputs[name] = bind(name, value, annotation, self)
        except FlytempError as error:
            self.problem(Problem(f"Output '{name}' of {self.owner}: {error.message}", location, error.hint))

    def problem(self, problem: Problem) -> None:
        """Note something wrong, to be reported with all else."""
        self._problems.append(problem)

    def problems(self, where: Location) -> list[Problem]:
        """What is wrong so far; ``where`` is the workflow's place."""
        refused = [
            Problem(f"Variable '{name}' of {node}: {error.message}", node.place.location, error.hint)
            for node, name, error in self._refused
        ]
        unfinished = [condition.unfinished() for condition in self.conditionals]
        return [*refused, *unfinished, *graph_problems(self.nodes, self.outputs, self.owner, where), *self._problems]

    def graph(self, where: Location, on_failure: Node | None = None) -> Graph:
        """The graph, if nothing is wrong with it.

        Raises:
            ProgramError: with everything that is; `ConditionError` (an ``AssertionError``) when only a conditional is.
        """
        problems = self.problems(where)
        if len(problems) == 1 and self.conditionals:
            raise ConditionError(problems[0].message, hint=problems[0].hint, location=problems[0].location)
        if problems:
            raise ProgramError(problems)
        graph = Graph(tuple(self.nodes), dict(self.outputs), on_failure)
        graph.ordered()
        return graph


def trace(
    compilation: Compilation,
    function: Callable[..., Any],
    values: Mapping[str, Any],
    interface: PythonInterface,
    place: DefinitionSite,
) -> None:
    """Call a function that makes nodes and connect what it returns to the outputs of ``interface``.

    Raises:
        Exception: whatever the function raises.
    """
    with compilation.active():
        returned = interface.call(function, values)
    if inspect.iscoroutine(returned):
        returned.close()
        raise NotSupported(
            f"{interface.owner} is async: a workflow only connects tasks and awaits nothing",
            hint="write def instead of async def; its tasks may be async",
            location=place.location,
        )
    if not compilation.conditionals:  # else what is returned may be half a conditional
        _bind_outputs(compilation, interface, returned, place.location)


def _bind_outputs(compilation: Compilation, interface: PythonInterface, returned: Any, location: Location) -> None:
    try:
        _check_returned(interface, returned, location)
    except (FlyteValueException, FlyteMissingReturnValueException) as error:
        if not compilation.problems(location):
            raise
        compilation.problem(Problem(error.message, location, error.hint))  # beside what may be its cause
        return
    try:
        values = interface.split(returned)
    except InputError as error:
        compilation.problem(Problem(error.message, location, error.hint))
        return
    for name, annotation in interface.outputs.items():
        compilation.bind_output(name, values[name], annotation, location)


def _check_returned(interface: PythonInterface, returned: Any, location: Location) -> None:
    if not interface.outputs and returned is not None and not isinstance(returned, VoidOutput):
        raise FlyteValueException(
            returned,
            f"{interface.owner} returns something, and declares no outputs",
            hint="declare what it returns: def …() -> int",
            location=location,
        )
    if interface.outputs and (returned is None or isinstance(returned, VoidOutput)) and not _may_be_none(interface):
        hint = f"{returned._node} returns nothing: {returned.remedy}" if isinstance(returned, VoidOutput) else None
        raise FlyteMissingReturnValueException(
            interface.owner, hint=hint or "return a value for each declared output", location=location
        )


def _may_be_none(interface: PythonInterface) -> bool:
    """An Optional output may be the constant None."""
    types = list(interface.output_types.values())
    if len(types) != 1:
        return False
    variants = getattr(types[0], "variants", types)
    return any(variant.kind in ("none", "any") for variant in variants)
