"""A workflow's nodes and outputs, complete."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flytemp.authoring.binding import Bound, promises_in
from flytemp.authoring.node import Node
from flytemp.errors import Location, Problem, ProgramError

if TYPE_CHECKING:
    from flytemp.authoring.callee import Entity


@dataclass(frozen=True)
class Graph:
    """What a workflow's function came to: nodes in creation order, where each output comes from, the failure node."""

    nodes: tuple[Node, ...]
    outputs: dict[str, Bound]
    on_failure: Node | None = None

    def all_nodes(self) -> Iterator[Node]:
        """Every node, those in conditionals and the failure node included."""
        for node in self.nodes:
            yield from node.with_inner()
        if self.on_failure is not None:
            yield self.on_failure

    def entities(self) -> list[Entity]:
        """What the nodes call, each once."""
        return list(dict.fromkeys(entity for node in self.all_nodes() for entity in node.callee.entities()))

    def ordered(self) -> list[Node]:
        """The nodes, each after those it needs; otherwise in creation order.

        Raises:
            ProgramError: when the nodes wait for each other in a circle.
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


def graph_problems(nodes: Sequence[Node], outputs: dict[str, Bound], owner: str, where: Location) -> list[Problem]:
    """Ids that are used twice, and uses of what only a conditional's case has."""
    problems = _same_ids(nodes)
    for node in nodes:
        for used in node.predecessors():
            if used.parent is not None:
                problems.append(_inside(used, str(node), node.place.location))
    for name, bound in outputs.items():
        for promise in promises_in(bound):
            if promise._node is not None and promise._node.parent is not None:
                problems.append(_inside(promise._node, f"output '{name}' of {owner}", where))
    return problems


def _inside(used: Node, user: str, where: Location) -> Problem:
    return Problem(
        f"{user} needs {used}, which runs only if its case is taken",
        where,
        "use what the conditional returns",
    )


def _same_ids(nodes: Sequence[Node]) -> list[Problem]:
    first: dict[str, Node] = {}
    problems: list[Problem] = []
    for node in nodes:
        problems += _same_ids(node.callee.inner_nodes())
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
