"""Graphviz dot text."""

from __future__ import annotations

from collections.abc import Iterator

from flytemp_cli.graph.model import Graph, Node


def dot(graph: Graph) -> str:
    """A digraph; sub-workflows are clusters, edges of mere order are dashed, values are the edges' tooltips."""
    return "\n".join(
        [
            f"digraph {_quoted(graph.name)} {{",
            "  compound=true;",
            '  node [shape=box, style=rounded, fontname="sans-serif"];',
            *_lines(graph, "  "),
            "}",
        ]
    )


def _lines(graph: Graph, indent: str) -> Iterator[str]:
    by_path = {node.path: node for node in graph.nodes}
    for node in graph.nodes:
        if node.is_cluster and node.inner is not None:
            yield f"{indent}subgraph {_quoted(f'cluster_{node.path}')} {{"
            yield f"{indent}  label={_quoted(_text(node))};"
            yield from _lines(node.inner, indent + "  ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{_quoted(node.path)} [label={_quoted(_text(node))}, tooltip={_quoted(node.target)}];"
    for edge in graph.edges:
        source, target = by_path[edge.source], by_path[edge.target]
        attributes = [f"tooltip={_quoted(', '.join(edge.values))}" if edge.values else "style=dashed"]
        # dot draws edges between nodes only: one of the cluster's stands for it, and the edge is clipped at its border.
        if source.is_cluster:
            attributes.append(f"ltail={_quoted(f'cluster_{source.path}')}")
        if target.is_cluster:
            attributes.append(f"lhead={_quoted(f'cluster_{target.path}')}")
        ends = f"{_quoted(_last(source))} -> {_quoted(_first(target))}"
        yield f"{indent}{ends} [{', '.join(attributes)}];"


def _first(node: Node) -> str:
    return _first(node.inner.nodes[0]) if node.is_cluster and node.inner is not None else node.path


def _last(node: Node) -> str:
    return _last(node.inner.nodes[-1]) if node.is_cluster and node.inner is not None else node.path


def _text(node: Node) -> str:
    return f"{node.path} {node.title}" if node.title != node.path else node.title


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
