"""Running a workflow's function once, with promises, to learn its graph."""

from __future__ import annotations

import heapq
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from flytemp.authoring.arguments import given_inputs
from flytemp.authoring.binding import Bound, Constant, bind
from flytemp.authoring.interface import PythonInterface
from flytemp.authoring.node import Callee, Node
from flytemp.authoring.place import Place, caller_place
from flytemp.authoring.promise import Promise, VoidOutput
from flytemp.errors import FlytempError, InputError, Location, NotSupported, Problem, ProgramError
from flytemp.exceptions.user import FlyteMissingReturnValueException, FlyteValueException

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


@dataclass(frozen=True)
class Graph:
    """What a workflow's function came to: nodes in creation order, and where each output comes from."""

    nodes: tuple[Node, ...]
    outputs: dict[str, Bound]

    def ordered(self) -> list[Node]:
        """The nodes, each after those it needs; otherwise in creation order.

        Raises:
            ProgramError: when the nodes wait for each other in a circle.
        """
        position = {node: index for index, node in enumerate(self.nodes)}
        missing = {node: len(node.predecessors()) for node in self.nodes}
        followers: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for before in node.predecessors():
                followers[before].append(node)
        ready = [position[node] for node in self.nodes if not missing[node]]
        order: list[Node] = []
        while ready:
            node = self.nodes[heapq.heappop(ready)]
            order.append(node)
            for follower in followers[node]:
                missing[follower] -= 1
                if not missing[follower]:
                    heapq.heappush(ready, position[follower])
        if len(order) < len(self.nodes):
            raise ProgramError([_circle([node for node in self.nodes if missing[node]])])
        return order


def _circle(waiting: Sequence[Node]) -> Problem:
    """Name one circle: every waiting node waits for another one, so following them must come back."""
    path = [waiting[0]]
    while True:
        following = next(node for node in path[-1].predecessors() if node in waiting)
        if following in path:
            circle = [*path[path.index(following) :], following]
            break
        path.append(following)
    story = " waits for ".join(str(node) for node in circle)
    return Problem(f"the nodes wait for each other: {story}", circle[0].place.location, "remove one of the >> or runs_before")


class Compilation:
    """A workflow that is being put together."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.nodes: list[Node] = []
        self._refused: list[tuple[Node, str, InputError]] = []

    def call(self, callee: Callee, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Node:
        """Add a node that calls ``callee``.

        A value of the wrong type is noted, so that all of them are reported together.

        Raises:
            InputError: for arguments that the callee does not have, or that are missing.
        """
        place = caller_place()
        interface = callee.python_interface
        values = given_inputs(interface, args, kwargs, place.location)
        node = Node(self, len(self.nodes), callee, place)
        self.nodes.append(node)
        for name, parameter in interface.parameters.items():
            if name not in values:
                node.bindings[name] = Constant(interface.defaults[name])
                continue
            try:
                node.bindings[name] = bind(name, values[name], parameter.annotation, self)
            except InputError as error:
                self._refused.append((node, name, error))
        return node

    def problems(self) -> list[Problem]:
        """What is wrong with the nodes so far."""
        return [
            Problem(f"Variable '{name}' of {node}: {error.message}", node.place.location, error.hint)
            for node, name, error in self._refused
        ]


def compile_graph(function: Callable[..., Any], interface: PythonInterface, place: Place) -> Graph:
    """Call a workflow's function with promises and connect what it returns.

    Raises:
        ProgramError: with every value that does not fit and every name used twice.
        Exception: whatever the function itself raises.
    """
    compilation = Compilation(interface.owner)
    inputs = {variable.name: Promise(compilation, None, variable.name, variable.type) for variable in interface.interface.inputs}
    token = _current.set(compilation)
    try:
        returned = interface.call(function, inputs)
    finally:
        _current.reset(token)
    if inspect.iscoroutine(returned):
        returned.close()
        raise NotSupported(
            f"{interface.owner} is async: a workflow only connects tasks and awaits nothing",
            hint="write def instead of async def; its tasks may be async",
            location=place.location,
        )
    problems = [*compilation.problems(), *_same_ids(compilation.nodes)]
    outputs = _bind_outputs(compilation, interface, returned, place.location, problems)
    if problems:
        raise ProgramError(problems)
    return Graph(tuple(compilation.nodes), outputs)


def _same_ids(nodes: Sequence[Node]) -> list[Problem]:
    first: dict[str, Node] = {}
    problems: list[Problem] = []
    for node in nodes:
        other = first.setdefault(node.id, node)
        if other is not node:
            problems.append(
                Problem(
                    f"the node id '{node.id}' is used twice: by {node.callee.noun} {node.callee.name} here and by "
                    f"{other.callee.noun} {other.callee.name} at {other.place.location}",
                    node.place.location,
                    "give each node its own node_name",
                )
            )
    return problems


def _bind_outputs(
    compilation: Compilation, interface: PythonInterface, returned: Any, location: Location, problems: list[Problem]
) -> dict[str, Bound]:
    _check_returned(interface, returned, location)
    outputs: dict[str, Bound] = {}
    try:
        values = interface.split(returned)
    except InputError as error:
        problems.append(Problem(error.message, location, error.hint))
        return outputs
    for name, annotation in interface.outputs.items():
        try:
            outputs[name] = bind(name, values[name], annotation, compilation)
        except FlytempError as error:
            problems.append(Problem(f"Output '{name}' of {interface.owner}: {error.message}", location, error.hint))
    return outputs


def _check_returned(interface: PythonInterface, returned: Any, location: Location) -> None:
    if not interface.outputs and returned is not None and not isinstance(returned, VoidOutput):
        raise FlyteValueException(
            returned,
            f"{interface.owner} returns something, and declares no outputs",
            hint="declare what it returns: def …() -> int",
            location=location,
        )
    if interface.outputs and (returned is None or isinstance(returned, VoidOutput)) and not _may_be_none(interface):
        raise FlyteMissingReturnValueException(interface.owner, hint="return a value for each declared output", location=location)


def _may_be_none(interface: PythonInterface) -> bool:
    """An Optional output may be the constant None."""
    types = list(interface.output_types.values())
    if len(types) != 1:
        return False
    variants = getattr(types[0], "variants", types)
    return any(variant.kind in ("none", "any") for variant in variants)
