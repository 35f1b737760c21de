"""Protocols of entities and of everything else that a node can call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from flytemp.spec.models import NodeKind, Section, TaskSettings

if TYPE_CHECKING:
    from flytemp.authoring.binding import Bound
    from flytemp.authoring.definition_site import DefinitionSite
    from flytemp.authoring.interface import PythonInterface
    from flytemp.authoring.local import LocalGraphRun
    from flytemp.authoring.node import Node
    from flytemp.literals.types import Json

@dataclass(frozen=True, slots=True)
class Step:
    """Fields of a node's spec that depend on its callee; see `flytemp.spec.models.NodeSpec`."""

    kind: NodeKind
    target: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)  # those that only nodes of this kind have


class Callee(Protocol):
    """Target of a node: a task, workflow or launch plan, a map of one, a conditional, a gate or a sleep."""

    @property
    def name(self) -> str: ...

    @property
    def kind_name(self) -> str:
        """The kind in messages: "task", "workflow", "launch plan", …"""
        ...

    @property
    def python_interface(self) -> PythonInterface: ...

    @property
    def settings(self) -> TaskSettings | None:
        """The settings that a call can override; None for a callee without settings, such as a workflow."""
        ...

    def step(self) -> Step:
        """Return the callee's part of the spec of a node."""
        ...

    def entities(self) -> Sequence[Entity]:
        """Return the entities that a document must hold for a node with this callee."""
        ...

    def inner_nodes(self) -> Sequence[Node]:
        """Return the nodes inside the node: those of a conditional's cases."""
        ...

    def inner_bounds(self) -> Iterable[Bound]:
        """Return the operands of a conditional's conditions, which are not inputs of its node."""
        ...

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        """Run the callee in this process and return its output literals.

        Args:
            literals: the input literals.
            run: the run of the graph that contains the node.
        """
        ...


class Entity(Protocol):
    """Entry of a document: a task, workflow or launch plan, or a reference to a registered one."""

    @property
    def name(self) -> str: ...

    @property
    def kind_name(self) -> str: ...

    @property
    def site(self) -> DefinitionSite: ...

    @property
    def python_interface(self) -> PythonInterface: ...

    @property
    def section(self) -> Section:
        """The section of a document that holds the entity."""
        ...

    @property
    def key(self) -> str:
        """The key in its section: the entity's name, or the URN of a reference."""
        ...

    @property
    def is_reference(self) -> bool:
        """True for a reference to a registered entity, of which only the interface is known."""
        ...


class LeafCallee:
    """Base of callees that contain no nodes."""

    def inner_nodes(self) -> Sequence[Node]:
        return ()

    def inner_bounds(self) -> Iterable[Bound]:
        return ()
