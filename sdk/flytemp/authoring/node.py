"""A step of a workflow, while the workflow is being put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flytemp.authoring.binding import Bound, promises_in, spec_of
from flytemp.authoring.callee import Callee as Callee
from flytemp.authoring.definition_site import DefinitionSite, caller_site
from flytemp.authoring.errors import NoSuchField
from flytemp.authoring.overrides import NAMES, aliases_of, check_overrides, node_id, overridden
from flytemp.authoring.promise import Chainable, OutputTuple, Promise, VoidOutput
from flytemp.errors import NotSupported
from flytemp.spec.models import NodeOverrides, NodeSpec, TaskSettings

if TYPE_CHECKING:
    from flytemp.authoring.compilation import Compilation

_INSTEAD = {
    "workflow": "override the settings of the tasks inside it",
    "launch plan": "override the settings of the tasks inside its workflow",
    "conditional": "override the settings of the calls in its cases",
    "gate": "give it a timeout where it is made",
}


class Node(Chainable):
    """One call inside a workflow. Its outputs are attributes: ``node.o0``, or ``node.outputs["o0"]``.

    Attributes:
        parent: the conditional's node that it is a case of.
    """

    def __init__(self, compilation: Compilation, default_id: str, callee: Callee, place: DefinitionSite) -> None:
        self._compilation = compilation
        self._default_id = default_id
        self._own_id: str | None = None
        self._display: str | None = None
        self._settings: TaskSettings | None = None
        self.parent: Node | None = None
        self.callee = callee
        self.place = place
        self.bindings: dict[str, Bound] = {}
        self.upstream_nodes: list[Node] = []
        self.outputs: dict[str, Promise] = {
            variable.name: Promise(compilation, self, variable.name, variable.type)
            for variable in callee.python_interface.interface.outputs
        }

    @property
    def id(self) -> str:
        """``n0``, ``n1``, … in the order of creation, or what ``with_overrides(node_name=…)`` says."""
        return self._own_id or self._default_id

    @property
    def path(self) -> str:
        """The id, after those of the conditionals around it: ``n2.n0``."""
        return self.id if self.parent is None else f"{self.parent.path}.{self.id}"

    def __str__(self) -> str:
        return f"node {self.path} ({self.callee.noun} {self.callee.name})"

    def __repr__(self) -> str:
        return f"Node({self.path}, {self.callee.noun} {self.callee.name})"

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
            raise NoSuchField(f"{self} has no output '{name}'; its outputs: {known}", location=caller_site().location)
        return self.outputs[name]

    def result(self) -> Promise | OutputTuple | VoidOutput:
        """What the call gives to the workflow's function."""
        outputs = [self.outputs[variable.name] for variable in self.callee.python_interface.interface.outputs]
        if not outputs:
            return VoidOutput(self)
        if len(outputs) == 1 and self.callee.python_interface.output_class is None:
            return outputs[0]
        return OutputTuple.of(self, outputs)

    def _chained_node(self) -> Node:
        return self

    def wait_for(self, other: Node) -> None:
        """Start only when ``other`` has succeeded."""
        if other not in self.upstream_nodes:
            self.upstream_nodes.append(other)

    def override(self, args: tuple[Any, ...], overrides: Mapping[str, Any]) -> None:
        """Replace settings of this node; see `flytemp.authoring.overrides`."""
        location = caller_site().location
        check_overrides(args, overrides, location)
        if overrides.get("node_name") is not None:
            self._own_id = node_id(overrides["node_name"], location)
        if overrides.get("name") is not None:
            self._display = str(overrides["name"])
        for output, alias in aliases_of(overrides.get("aliases"), location).items():
            self.outputs[alias] = self.output(output)
        settings = {name: value for name, value in overrides.items() if name not in NAMES and value is not None}
        if not settings:
            return
        if self.callee.settings is None:
            noun = "sub-workflow" if self.callee.noun == "workflow" else self.callee.noun
            raise NotSupported(
                f"{self}: {', '.join(settings)} of a {noun} cannot be overridden",
                hint=_INSTEAD.get(self.callee.noun, "override the settings of a task"),
                location=location,
            )
        self._settings = overridden(self._settings or self.callee.settings, settings)

    @property
    def effective_settings(self) -> TaskSettings | None:
        """The settings that this call runs with; None for what has none, as a sub-workflow."""
        return self._settings or self.callee.settings

    def call_it(self, display: str) -> None:
        """Show ``display`` as the node's name, unless it is overridden."""
        self._display = display

    def use_settings(self, settings: TaskSettings) -> None:
        """Run with these settings instead of the callee's; overrides start from them."""
        self._settings = settings

    def put_into(self, parent: Node, default_id: str) -> None:
        """Make it a case of the conditional ``parent``."""
        self.parent, self._default_id = parent, default_id

    def bounds(self) -> Iterator[Bound]:
        """Everything that it takes from the graph, the nodes inside it included."""
        yield from self.bindings.values()
        yield from self.callee.inner_bounds()
        for inner in self.callee.inner_nodes():
            yield from inner.bounds()

    def waits_for(self) -> Iterator[Node]:
        """The nodes that it, or a node inside it, was told to wait for."""
        yield from self.upstream_nodes
        for inner in self.callee.inner_nodes():
            yield from inner.waits_for()

    def predecessors(self) -> list[Node]:
        """The nodes that must have succeeded first."""
        nodes = [promise._node for bound in self.bounds() for promise in promises_in(bound)]
        return list(dict.fromkeys(node for node in [*nodes, *self.waits_for()] if node is not None))

    def with_inner(self) -> Iterator[Node]:
        """The node itself and all that live in it, at any depth."""
        yield self
        for inner in self.callee.inner_nodes():
            yield from inner.with_inner()

    def spec(self) -> NodeSpec:
        step = self.callee.step()
        return NodeSpec(
            id=self.id,
            kind=step.kind,
            target=step.target,
            inputs={name: spec_of(bound) for name, bound in self.bindings.items()},
            after=tuple(node.id for node in self.upstream_nodes),
            overrides=NodeOverrides(name=self._display, settings=self._settings),
            branch=step.branch,
            map=step.map,
            gate=step.gate,
            sleep_seconds=step.sleep_seconds,
            location=self.place.source(),
        )
