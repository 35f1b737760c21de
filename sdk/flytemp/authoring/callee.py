"""What a node calls, as far as nodes, documents and plain Python calls need to know it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from flytemp.spec.models import BranchSpec, GateSpec, MapSpec, TaskSettings

if TYPE_CHECKING:
    from flytemp.authoring.binding import Bound
    from flytemp.authoring.definition_site import DefinitionSite
    from flytemp.authoring.interface import PythonInterface
    from flytemp.authoring.local import Scope
    from flytemp.authoring.node import Node
    from flytemp.errors import Problem
    from flytemp.literals.types import Json

NodeKind: TypeAlias = Literal["task", "workflow", "launch_plan", "branch", "map", "dynamic", "gate", "sleep"]
Section: TypeAlias = Literal["tasks", "workflows", "launch_plans"]


@dataclass(frozen=True, slots=True)
class Step:
    """What the spec says of a node besides its id, inputs and order; see `flytemp.spec.models.NodeSpec`."""

    kind: NodeKind
    target: str = ""
    branch: BranchSpec | None = None
    map: MapSpec | None = None
    gate: GateSpec | None = None
    sleep_seconds: float | None = None


class Callee(Protocol):
    """What a node calls: a task, workflow or launch plan, a map of one, a conditional, a gate or a sleep."""

    @property
    def name(self) -> str: ...

    @property
    def noun(self) -> str:
        """ "task", "workflow", …: what messages call it."""
        ...

    @property
    def python_interface(self) -> PythonInterface: ...

    @property
    def settings(self) -> TaskSettings | None:
        """None for what has no settings of its own, as a workflow: its tasks have them."""
        ...

    def step(self) -> Step:
        """What the spec of a node that calls it says."""
        ...

    def entities(self) -> Sequence[Entity]:
        """What the document of a workflow that calls it must hold."""
        ...

    def inner_nodes(self) -> Sequence[Node]:
        """The nodes that live in this one: those of a conditional's cases."""
        ...

    def inner_bounds(self) -> Iterable[Bound]:
        """What it takes from the graph around it besides its node's inputs: the operands of conditions."""
        ...

    def run_here(self, literals: Mapping[str, Json], scope: Scope) -> dict[str, Json]:
        """Run it in this process, with its inputs' literals; its outputs' literals."""
        ...


class Entity(Protocol):
    """What has a place of its own in a document: tasks, workflows and launch plans, or references to them."""

    @property
    def name(self) -> str: ...

    @property
    def noun(self) -> str: ...

    @property
    def place(self) -> DefinitionSite: ...

    @property
    def python_interface(self) -> PythonInterface: ...

    @property
    def section(self) -> Section:
        """Where in a document it stands."""
        ...

    @property
    def key(self) -> str:
        """What nodes call it by: its name; for one of another project, domain or version its URN."""
        ...

    @property
    def is_reference(self) -> bool:
        """Whether it is a pointer to what is registered already: only its interface is known here."""
        ...

    def problems(self) -> Sequence[Problem]:
        """What is wrong with it by itself."""
        ...


class LeafCallee:
    """What most callees have in common: no nodes live in theirs."""

    def inner_nodes(self) -> Sequence[Node]:
        return ()

    def inner_bounds(self) -> Iterable[Bound]:
        return ()
