"""Node of a workflow while the workflow is compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flytemp.authoring.binding import Bound, promises_in, spec_of
from flytemp.authoring.cache import unused_cache_options
from flytemp.authoring.callee import Callee
from flytemp.authoring.definition_site import DefinitionSite, caller_site
from flytemp.authoring.errors import NoSuchField
from flytemp.authoring.overrides import NAMES, aliases_of, check_overrides, node_id, overridden
from flytemp.authoring.promise import Chainable, OutputTuple, Promise, VoidOutput
from flytemp.errors import NotSupported, Problem
from flytemp.spec.models import NodeOverrides, NodeSpec, TaskSettings

if TYPE_CHECKING:
    from flytemp.authoring.compilation import Compilation

_INSTEAD = {
    "workflow": "override the settings of the tasks inside it",
    "launch plan": "override the settings of the tasks inside its workflow",
    "conditional": "override the settings of the calls in its cases",
    "gate": "give the gate its timeout when you create it",
}


class Node(Chainable):
    """Call inside a workflow. Its outputs are attributes: ``node.o0``, or ``node.outputs["o0"]``.

    Attributes:
        parent: the node of the conditional that has this node in a case.
        callee: the target of the call.
        site: the line of the call.
        bindings: the bindings of the inputs by name.
        upstream_nodes: nodes that must succeed first although no data is passed.
        outputs: the outputs by name.
    """

    def __init__(self, compilation: Compilation, default_id: str, callee: Callee, site: DefinitionSite) -> None:
        self._compilation = compilation
        self._default_id = default_id
        self._own_id: str | None = None
        self._display: str | None = None
        self._settings: TaskSettings | None = None
        self.parent: Node | None = None
        self.callee = callee
        self.site = site
        self.bindings: dict[str, Bound] = {}
        self.upstream_nodes: list[Node] = []
        self.outputs: dict[str, Promise] = {
            variable.name: Promise(compilation, self, variable.name, variable.type)
            for variable in callee.python_interface.interface.outputs
        }

    @property
    def id(self) -> str:
        """``n0``, ``n1``, … in the order of creation, or the name given by ``with_overrides(node_name=…)``."""
        return self._own_id or self._default_id

    @property
    def path(self) -> str:
        """The id, prefixed by the ids of the conditionals around the node: ``n2.n0``."""
        return self.id if self.parent is None else f"{self.parent.path}.{self.id}"

    def __str__(self) -> str:
        return f"node {self.path} ({self.callee.kind_name} {self.callee.name})"

    def __repr__(self) -> str:
        return f"Node({self.path}, {self.callee.kind_name} {self.callee.name})"

    def __getattr__(self, name: str) -> Promise:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.output(name)

    def output(self, name: str) -> Promise:
        """Return the promise of an output.

        Raises:
            NoSuchField: (an ``AttributeError``) the node has no output of this name.
        """
        if name not in self.outputs:
            known = ", ".join(self.outputs) or "none"
            raise NoSuchField(f"{self} has no output '{name}'; its outputs: {known}", location=caller_site().location)
        return self.outputs[name]

    def result(self) -> Promise | OutputTuple | VoidOutput:
        """Return the result of the call in the workflow's function."""
        outputs = [self.outputs[variable.name] for variable in self.callee.python_interface.interface.outputs]
        if not outputs:
            return VoidOutput(self)
        if len(outputs) == 1 and self.callee.python_interface.output_class is None:
            return outputs[0]
        return OutputTuple.of(self, outputs)

    def _chained_node(self) -> Node:
        return self

    def wait_for(self, other: Node) -> None:
        """Let this node start only after ``other`` has succeeded."""
        if other not in self.upstream_nodes:
            self.upstream_nodes.append(other)

    def override(self, args: tuple[Any, ...], overrides: Mapping[str, Any]) -> None:
        """Override settings of this node; see `flytemp.authoring.overrides`.

        Raises:
            OverrideError: (an ``AssertionError``) a value is a promise.
            SettingsError: an override is unknown or invalid.
            NotSupported: the callee has no settings.
        """
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
            kind_name = "sub-workflow" if self.callee.kind_name == "workflow" else self.callee.kind_name
            raise NotSupported(
                f"{self}: {', '.join(settings)} of a {kind_name} cannot be overridden",
                hint=_INSTEAD.get(self.callee.kind_name, "override the settings of a task"),
                location=location,
            )
        before = self._settings or self.callee.settings
        for message in unused_cache_options(settings, is_cached=before.cache is not None):
            self._compilation.add_warning(Problem(f"{self}: {message}", location))
        self._settings = overridden(before, settings)

    @property
    def effective_settings(self) -> TaskSettings | None:
        """The settings of this call; None if the callee has no settings."""
        return self._settings or self.callee.settings

    def set_display_name(self, display: str) -> None:
        """Set the name of the node in views."""
        self._display = display

    def use_settings(self, settings: TaskSettings) -> None:
        """Use these settings instead of the callee's. Later overrides apply to them."""
        self._settings = settings

    def set_parent(self, parent: Node, default_id: str) -> None:
        """Make this node a case of the conditional ``parent``."""
        self.parent, self._default_id = parent, default_id

    def bounds(self) -> Iterator[Bound]:
        """Yield the bindings of this node and of the nodes inside it."""
        yield from self.bindings.values()
        yield from self.callee.inner_bounds()
        for inner in self.callee.inner_nodes():
            yield from inner.bounds()

    def all_upstream_nodes(self) -> Iterator[Node]:
        """Yield the upstream nodes of this node and of the nodes inside it."""
        yield from self.upstream_nodes
        for inner in self.callee.inner_nodes():
            yield from inner.all_upstream_nodes()

    def predecessors(self) -> list[Node]:
        """Return the nodes that must succeed before this one."""
        nodes = [promise._node for bound in self.bounds() for promise in promises_in(bound)]
        return list(dict.fromkeys(node for node in [*nodes, *self.all_upstream_nodes()] if node is not None))

    def with_inner_nodes(self) -> Iterator[Node]:
        """Yield this node and the nodes inside it at any depth."""
        yield self
        for inner in self.callee.inner_nodes():
            yield from inner.with_inner_nodes()

    def spec(self) -> NodeSpec:
        """Return the node for the spec."""
        step = self.callee.step()
        return NodeSpec(
            id=self.id,
            kind=step.kind,
            target=step.target,
            inputs={name: spec_of(bound) for name, bound in self.bindings.items()},
            after=tuple(node.id for node in self.upstream_nodes),
            overrides=NodeOverrides(name=self._display, settings=self._settings),
            location=self.site.source(),
            **step.fields,
        )
