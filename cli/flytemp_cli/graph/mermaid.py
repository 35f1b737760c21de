"""Mermaid flowchart text: GitHub, GitLab and most wikis draw it."""

from __future__ import annotations

from collections.abc import Iterator

from flytemp_cli.graph.model import Graph, Node


def mermaid(graph: Graph) -> str:
    """A flowchart, top down; sub-workflows are subgraphs, edges of mere order are dotted."""
    return "\n".join(["flowchart TD", *_lines(graph, "  ")])


def _lines(graph: Graph, indent: str) -> Iterator[str]:
    for node in graph.nodes:
        if node.is_cluster and node.inner is not None:
            yield f'{indent}subgraph {_id(node.path)}["{_text(node)}"]'
            yield from _lines(node.inner, indent + "  ")
            yield f"{indent}end"
        else:
            yield f'{indent}{_id(node.path)}["{_text(node)}"]'
    for edge in graph.edges:
        yield f"{indent}{_id(edge.source)} {'-->' if edge.values else '-.->'} {_id(edge.target)}"


def _id(path: str) -> str:
    # "end" and the like are words of the language; a prefix keeps every id clear of them.
    return "node_" + path.replace("-", "_").replace(".", "__")


def _text(node: Node) -> str:
    # Inside quotes Mermaid reads entities, and Markdown where a text begins with a backtick.
    title = "".join(char if char.isalnum() or char in " _-." else f"#{ord(char)};" for char in node.title)
    return f"{node.path} {title}" if node.title != node.path else title
