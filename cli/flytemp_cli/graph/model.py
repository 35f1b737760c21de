"""The graph of a workflow's document: what every format draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flytemp.spec.models import Binding, Document, NodeSpec, WorkflowDocument, WorkflowSpec


@dataclass(frozen=True)
class Edge:
    """From one node to another of the same graph. ``values`` are what flows, "output → input"; none: order alone."""

    source: str
    target: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """``path`` is the node's id as executions show it; ``inner`` is the graph of a sub-workflow."""

    path: str
    title: str
    target: str
    inner: Graph | None = None

    @property
    def is_cluster(self) -> bool:
        return self.inner is not None and bool(self.inner.nodes)


@dataclass(frozen=True)
class Graph:
    name: str
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = field(default=())


def graph_of(document: Document) -> Graph:
    """The graph of a workflow, or of a task: one node. A launch plan has none of its own; draw its workflow."""
    match document.kind:
        case "workflow":
            return _workflow_graph(document, document.root, "")
        case "task":
            return Graph(document.name, (Node("n0", short(document.name), document.name),))
        case "launch_plan":
            raise AssertionError("a launch plan's graph is its workflow's")


def short(name: str) -> str:
    """The last part of a registered name."""
    return name.rpartition(".")[2]


def _workflow_graph(document: WorkflowDocument, workflow: WorkflowSpec, prefix: str) -> Graph:
    nodes = tuple(_node(document, node, prefix) for node in workflow.nodes)
    edges = tuple(edge for node in workflow.nodes for edge in _edges_into(node, prefix))
    return Graph(workflow.name, nodes, edges)


def _node(document: WorkflowDocument, node: NodeSpec, prefix: str) -> Node:
    path = f"{prefix}{node.id}"
    inner = _workflow_graph(document, document.workflows[node.target], f"{path}.") if node.kind == "workflow" else None
    return Node(path, node.overrides.name or short(node.target), node.target, inner)


def _edges_into(node: NodeSpec, prefix: str) -> Iterator[Edge]:
    values: dict[str, list[str]] = {source: [] for source in node.after}
    for name, binding in node.inputs.items():
        for source, var in _sources(binding):
            flows = values.setdefault(source, [])
            if (text := f"{var} → {name}") not in flows:
                flows.append(text)
    for source, texts in values.items():
        yield Edge(f"{prefix}{source}", f"{prefix}{node.id}", tuple(texts))


def _sources(binding: Binding) -> Iterator[tuple[str, str]]:
    match binding.kind:
        case "output":
            yield binding.node, binding.var
        case "list":
            for item in binding.items:
                yield from _sources(item)
        case "map":
            for item in binding.entries.values():
                yield from _sources(item)
        case "literal" | "input":
            return


def as_json(graph: Graph) -> dict[str, object]:
    """The graph as plain JSON, sub-workflows nested."""
    return {
        "name": graph.name,
        "nodes": [
            {
                "id": node.path,
                "name": node.title,
                "target": node.target,
                "graph": as_json(node.inner) if node.inner else None,
            }
            for node in graph.nodes
        ],
        "edges": [{"from": edge.source, "to": edge.target, "values": list(edge.values)} for edge in graph.edges],
    }
