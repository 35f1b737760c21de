"""A step of a workflow, while the workflow is being put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from flytemp.authoring.binding import Bound, promises_in, spec_of
from flytemp.authoring.errors import NoSuchField
from flytemp.authoring.interface import PythonInterface
from flytemp.authoring.overrides import NAMES, check_overrides, node_id, overridden
from flytemp.authoring.place import Place, caller_place
from flytemp.authoring.promise import Chainable, OutputTuple, Promise, VoidOutput
from flytemp.errors import NotSupported
from flytemp.spec.models import NodeOverrides, NodeSpec, TaskSettings

if TYPE_CHECKING:
    from flytemp.authoring.compilation import Compilation


class Callee(Protocol):
    """What a node calls: a task or a workflow."""

    @property
    def name(self) -> str: ...

    @property
    def noun(self) -> str:
        """ "task" or "workflow"."""
        ...

    @property
    def python_interface(self) -> PythonInterface: ...

    @property
    def settings(self) -> TaskSettings | None:
        """None for a workflow: its tasks have settings, it has none."""
        ...


class Node(Chainable):
    """One call inside a workflow. Its outputs are attributes: ``node.o0``, or ``node.outputs["o0"]``."""

    def __init__(self, compilation: Compilation, index: int, callee: Callee, place: Place) -> None:
        self._compilation = compilation
        self._default_id = f"n{index}"
        self._own_id: str | None = None
        self._display: str | None = None
        self._settings: TaskSettings | None = None
        self.callee = callee
        self.place = place
        self.bindings: dict[str, Bound] = {}
        self.upstream_nodes: list[Node] = []
        self.outputs: Mapping[str, Promise] = {
            variable.name: Promise(compilation, self, variable.name, variable.type)
            for variable in callee.python_interface.interface.outputs
        }

    @property
    def id(self) -> str:
        """``n0``, ``n1``, … in the order of creation, or what ``with_overrides(node_name=…)`` says."""
        return self._own_id or self._default_id

    def __str__(self) -> str:
        return f"node {self.id} ({self.callee.noun} {self.callee.name})"

    def __repr__(self) -> str:
        return f"Node({self.id}, {self.callee.noun} {self.callee.name})"

    def __getattr__(self, name: str) -> Promise:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.output(name)

    def output(self, name: str) -> Promise:
        """The output ``name``.

        Raises:
            NoSuchField: (an ``AttributeError``) when there is none of the name.
        """
        if name not in self.outputs:
            known = ", ".join(self.outputs) or "none"
            raise NoSuchField(f"{self} has no output '{name}'; its outputs: {known}", location=caller_place().location)
        return self.outputs[name]

    def result(self) -> Promise | OutputTuple | VoidOutput:
        """What the call gives to the workflow's function."""
        if not self.outputs:
            return VoidOutput(self)
        if len(self.outputs) == 1 and self.callee.python_interface.output_class is None:
            return next(iter(self.outputs.values()))
        return OutputTuple.of(self)

    def _chained_node(self) -> Node:
        return self

    def wait_for(self, other: Node) -> None:
        """Start only when ``other`` has succeeded."""
        if other not in self.upstream_nodes:
            self.upstream_nodes.append(other)

    def override(self, args: tuple[Any, ...], overrides: Mapping[str, Any]) -> None:
        """Replace settings of this node; see `flytemp.authoring.overrides`."""
        location = caller_place().location
        check_overrides(args, overrides, location)
        if overrides.get("node_name") is not None:
            self._own_id = node_id(overrides["node_name"], location)
        if overrides.get("name") is not None:
            self._display = str(overrides["name"])
        settings = {name: value for name, value in overrides.items() if name not in NAMES and value is not None}
        if not settings:
            return
        if self.callee.settings is None:
            raise NotSupported(
                f"{self}: {', '.join(settings)} of a sub-workflow cannot be overridden",
                hint="override the settings of the tasks inside it",
                location=location,
            )
        self._settings = overridden(self._settings or self.callee.settings, settings)

    @property
    def effective_settings(self) -> TaskSettings | None:
        """The settings that this call runs with; None for a sub-workflow."""
        return self._settings or self.callee.settings

    def predecessors(self) -> list[Node]:
        """The nodes that must have succeeded first."""
        nodes = [promise._node for bound in self.bindings.values() for promise in promises_in(bound)]
        return list(dict.fromkeys(node for node in [*nodes, *self.upstream_nodes] if node is not None))

    def spec(self) -> NodeSpec:
        return NodeSpec(
            id=self.id,
            kind="task" if self.callee.noun == "task" else "workflow",
            target=self.callee.name,
            inputs={name: spec_of(bound) for name, bound in self.bindings.items()},
            after=tuple(node.id for node in self.upstream_nodes),
            overrides=NodeOverrides(name=self._display, settings=self._settings),
            location=self.place.source(),
        )
