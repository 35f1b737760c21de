"""Base of the forms of nodes; `flytemp.spec.node_forms` has a form for each kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, TypeAlias

from flytemp.errors import Problem
from flytemp.names import short_name
from flytemp.spec.binding_types import SourceTypes
from flytemp.spec.models import Binding, Interface, NodeKind, NodeSpec, WorkflowDocument

Path: TypeAlias = tuple[str | int, ...]


class PlanWriter(Protocol):
    """Writer of the plan of one graph."""

    @property
    def document(self) -> WorkflowDocument:
        """The document of the graph."""

    def node(self, node: NodeSpec) -> dict[str, Any]:
        """Return a node of the plan."""

    def inside(self, node: NodeSpec) -> PlanWriter:
        """Return a writer of the nodes inside ``node``."""

    def binding(self, binding: Binding) -> dict[str, Any]:
        """Return the plan's form of a binding."""


class NodeForm(ABC):
    """Form of one kind of node.

    Attributes:
        kind: the kind, as in `NodeSpec.kind`.
        field: the field of `NodeSpec` that nodes of this kind have and no others.
        can_handle_failure: whether a workflow's ``on_failure`` may be such a node.
    """

    kind: ClassVar[str]
    field: ClassVar[str | None] = None
    can_handle_failure: ClassVar[bool] = False

    @property
    def words(self) -> str:
        """The kind as people read it."""
        return self.kind.replace("_", " ")

    @abstractmethod
    def interface(self, node: NodeSpec, document: WorkflowDocument) -> Interface | None:
        """Return the inputs and outputs of the node; None if the document lacks its callee, or the node its own field."""

    def lacking(self, node: NodeSpec) -> Problem:
        """Return the problem of a node that has no interface."""
        return Problem(f"is a {self.words} and lacks its field {self.field!r}")

    def callee_kind(self, node: NodeSpec) -> str | None:
        """Return the kind of entity that the node calls, None if it calls nothing; a map's is the kind of each call."""
        return None

    def call_interface(self, node: NodeSpec, document: WorkflowDocument) -> Interface:
        """Return the interface of the entity that the node calls; empty if it calls nothing."""
        return Interface()

    def with_callee_kind(self, node: NodeSpec, kind: NodeKind) -> NodeSpec:
        """Return the node as one that calls an entity of another kind."""
        return node.model_copy(update={"kind": kind})

    def problems(self, node: NodeSpec) -> Iterator[Problem]:
        """Yield the problems of the node by itself: of its fields and the bounds of its numbers."""
        yield from ()

    def problems_in(self, node: NodeSpec, document: WorkflowDocument) -> Iterator[Problem]:
        """Yield the contradictions between the node and the entities of its document. The node has an interface."""
        yield from ()

    def type_problems(self, node: NodeSpec, sources: SourceTypes, children: Mapping[str, Interface | None]) -> Iterator[Problem]:
        """Yield mismatches of types, apart from those of the node's inputs. ``children`` has the children's interfaces by id."""
        yield from ()

    def child_paths(self, node: NodeSpec) -> Iterator[tuple[Path, NodeSpec]]:
        """Yield the nodes inside the node, each with the fields and indexes that lead to it."""
        yield from ()

    def children(self, node: NodeSpec) -> list[NodeSpec]:
        """Return the nodes inside the node."""
        return [child for _, child in self.child_paths(node)]

    def with_children(self, node: NodeSpec, replaced: Callable[[NodeSpec], NodeSpec]) -> NodeSpec:
        """Return the node with each node inside it replaced."""
        return node

    def operands(self, node: NodeSpec) -> Iterator[Binding]:
        """Yield the bindings that the node takes from the graph around it, apart from its inputs."""
        yield from ()

    def label(self, node: NodeSpec) -> str:
        """Return the node's short name, unless the author gives one."""
        return short_name(node.target) or self.kind

    def detail(self, node: NodeSpec) -> str:
        """Return the part of the node that matters most to a reader, such as its target."""
        return node.target

    def plan_fields(self, node: NodeSpec, writer: PlanWriter) -> dict[str, Any]:
        """Return the fields that a node of this kind has in the plan; see `flytemp.spec.plan`."""
        return {}
