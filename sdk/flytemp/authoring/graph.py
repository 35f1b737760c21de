"""Complete graph of a workflow: its nodes and outputs."""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flytemp.authoring.binding import Bound, promises_in, spec_of
from flytemp.authoring.node import Node
from flytemp.errors import Location, Problem, ProgramError
from flytemp.spec.models import Binding, NodeSpec

if TYPE_CHECKING:
    from flytemp.authoring.callee import Entity


_shown: dict[str | tuple[str, type[Warning], int], int] = {}
"""Warnings that `Graph.warn` has issued, so that each is shown once."""


@dataclass(frozen=True)
class Graph:
    """Graph of a workflow.

    Attributes:
        nodes: the nodes in the order of their creation.
        outputs: the binding of each output.
        on_failure: the failure node.
        warnings: parts of the workflow that have another effect than they seem to have.
    """

    nodes: tuple[Node, ...]
    outputs: dict[str, Bound]
    on_failure: Node | None = None
    warnings: tuple[Problem, ...] = ()

    def warn(self) -> None:
        """Issue the warnings as Python warnings, for calls that no command of flytemp reports."""
        for warning in self.warnings:
            where = warning.location or Location("<unknown>", 1)
            text = f"{warning.message} ({warning.hint})" if warning.hint else warning.message
            warnings.warn_explicit(text, UserWarning, where.file, where.line, registry=_shown)

    def all_nodes(self) -> Iterator[Node]:
        """Yield every node, including those in conditionals and the failure node."""
        for node in self.nodes:
            yield from node.with_inner_nodes()
        if self.on_failure is not None:
            yield self.on_failure

    def entities(self) -> list[Entity]:
        """Return the entities that the nodes call, each once."""
        return list(dict.fromkeys(entity for node in self.all_nodes() for entity in node.callee.entities()))

    def ordered(self) -> list[Node]:
        """Return the nodes in an order in which each follows its predecessors, otherwise in creation order.

        Raises:
            ProgramError: the nodes depend on each other in a circle.
        """
        position = {node: index for index, node in enumerate(self.nodes)}
        before = {node: node.predecessors() for node in self.nodes}
        missing = {node: len(before[node]) for node in self.nodes}
        followers: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for needed in before[node]:
                followers[needed].append(node)
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

    def specs(self) -> tuple[tuple[NodeSpec, ...], dict[str, Binding]]:
        """Return the nodes and outputs for the spec."""
        return tuple(node.spec() for node in self.nodes), {name: spec_of(bound) for name, bound in self.outputs.items()}


def _circle(waiting: Sequence[Node]) -> Problem:
    """Return the problem of one circle. Each waiting node has a waiting predecessor, so the path must return to itself."""
    path = [waiting[0]]
    while True:
        following = next(node for node in path[-1].predecessors() if node in waiting)
        if following in path:
            circle = [*path[path.index(following) :], following]
            break
        path.append(following)
    path_text = " waits for ".join(str(node) for node in circle)
    return Problem(f"the nodes wait for each other: {path_text}", circle[0].site.location, "remove one of the >> or runs_before")


def graph_problems(nodes: Sequence[Node], outputs: dict[str, Bound], owner: str, where: Location) -> list[Problem]:
    """Return the problems of a graph: duplicate node ids, and uses of outputs inside a conditional's case."""
    problems = _duplicate_ids(nodes)
    for node in nodes:
        for used in node.predecessors():
            if used.parent is not None:
                problems.append(_use_inside_case(used, str(node), node.site.location))
    for name, bound in outputs.items():
        for promise in promises_in(bound):
            if promise._node is not None and promise._node.parent is not None:
                problems.append(_use_inside_case(promise._node, f"output '{name}' of {owner}", where))
    return problems


def _use_inside_case(used: Node, user: str, where: Location) -> Problem:
    return Problem(
        f"{user} uses {used}, which runs only if its case is taken",
        where,
        "use the output of the conditional",
    )


def _duplicate_ids(nodes: Sequence[Node]) -> list[Problem]:
    first: dict[str, Node] = {}
    problems: list[Problem] = []
    for node in nodes:
        problems += _duplicate_ids(node.callee.inner_nodes())
        other = first.setdefault(node.id, node)
        if other is not node:
            problems.append(
                Problem(
                    f"the node id '{node.id}' is used twice: by {node.callee.kind_name} {node.callee.name} here and by "
                    f"{other.callee.kind_name} {other.callee.name} at {other.site.location}",
                    node.site.location,
                    "give each node its own node_name",
                )
            )
    return problems
