"""Graph model of all drawing formats. `build` creates it from a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Shape: TypeAlias = Literal[
    "task", "workflow", "launch_plan", "branch", "decision", "fail", "map", "dynamic", "gate", "sleep", "failure"
]
"""Shape of a drawn node.

A ``branch`` is the frame around a ``decision`` (the diamond), the nodes of its cases and its ``fail`` cases. ``failure`` is
the start of the arrow to a workflow's failure handler. The other shapes are the spec's node kinds.
"""

EdgeKind: TypeAlias = Literal["data", "order", "case", "failure"]


@dataclass(frozen=True)
class Edge:
    """Arrow between two nodes of one graph.

    Attributes:
        values: the values passed, as "output → input"; empty if the edge defines only the order.
        label: the text at the arrow: the condition of a case.
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
    """Drawn node.

    Attributes:
        path: the node path in executions; the path of a decision ends with "?".
        inner: the graph inside the node.
        notes: short texts about the settings: "3 retries", "timeout 5m".
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
        """The node path to show; empty if it equals the title or if the shape is not a node of an execution."""
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
    """Return the number of drawn nodes, including nested nodes."""
    return sum(1 + (count_nodes(node.inner) if node.inner is not None else 0) for node in graph.nodes)


def count_edges(graph: Graph) -> int:
    """Return the number of drawn arrows."""
    return len(graph.edges) + sum(count_edges(node.inner) for node in graph.nodes if node.inner is not None)


def as_json(graph: Graph) -> dict[str, object]:
    """Return the graph as nested JSON."""
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
