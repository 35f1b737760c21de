"""The graph that every format draws. `build` makes it of a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Shape: TypeAlias = Literal[
    "task", "workflow", "launch_plan", "branch", "decision", "fail", "map", "dynamic", "gate", "sleep", "failure"
]
"""What a node is drawn as.

A ``branch`` is the frame around a ``decision`` (the diamond), its cases' nodes and its ``fail`` cases; ``failure`` is
where the arrow to a workflow's failure handler begins. The others are the spec's kinds.
"""

EdgeKind: TypeAlias = Literal["data", "order", "case", "failure"]


@dataclass(frozen=True)
class Edge:
    """From one node to another of the same graph.

    ``values`` are what flows, "output → input"; none: order alone. ``label`` is drawn beside it: a case's condition.
    """

    source: str
    target: str
    values: tuple[str, ...] = ()
    kind: EdgeKind = "data"
    label: str = ""

    @property
    def is_order(self) -> bool:
        return self.kind == "data" and not self.values


@dataclass(frozen=True)
class Node:
    """``path`` is the node's id as executions show it (a decision's ends with "?"), ``inner`` the graph inside it.

    ``notes`` are what is set for it, a short line each: "3 retries", "time-out 5m".
    """

    path: str
    title: str
    target: str
    inner: Graph | None = None
    shape: Shape = "task"
    notes: tuple[str, ...] = ()

    @property
    def is_cluster(self) -> bool:
        return self.inner is not None and bool(self.inner.nodes)

    @property
    def shown_path(self) -> str:
        """The id to show; empty where the title says it already, and for what is no node of an execution."""
        if self.shape in ("fail", "failure"):
            return ""
        path = self.path.removesuffix("?")
        return "" if path == self.title else path


@dataclass(frozen=True)
class Graph:
    name: str
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    notes: tuple[str, ...] = ()


def count_nodes(graph: Graph) -> int:
    """All nodes that are drawn, also those inside others."""
    return sum(1 + (count_nodes(node.inner) if node.inner is not None else 0) for node in graph.nodes)


def count_edges(graph: Graph) -> int:
    """All arrows that are drawn."""
    return len(graph.edges) + sum(count_edges(node.inner) for node in graph.nodes if node.inner is not None)


def as_json(graph: Graph) -> dict[str, object]:
    """The graph as plain JSON, what is inside a node nested."""
    return {
        "name": graph.name,
        "notes": list(graph.notes),
        "nodes": [
            {
                "id": node.path,
                "name": node.title,
                "kind": node.shape,
                "target": node.target,
                "notes": list(node.notes),
                "graph": as_json(node.inner) if node.inner else None,
            }
            for node in graph.nodes
        ],
        "edges": [
            {
                "from": edge.source,
                "to": edge.target,
                "kind": "order" if edge.is_order else edge.kind,
                "label": edge.label,
                "values": list(edge.values),
            }
            for edge in graph.edges
        ],
    }
