"""Graphviz dot format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flytemp_cli.graph.model import Edge, Graph, Node, Shape

_SHAPES: Mapping[Shape, str] = {
    "decision": "shape=diamond, style=solid",
    "fail": 'shape=octagon, style=solid, color="#b91c1c"',
    "map": "shape=box3d, style=solid",
    "dynamic": "shape=hexagon, style=solid",
    "launch_plan": "peripheries=2",
    "gate": "shape=parallelogram, style=solid",
    "sleep": "shape=oval, style=solid",
    "failure": 'shape=oval, style=dashed, color="#b91c1c"',
}


def dot(graph: Graph) -> str:
    """Return a digraph. Sub-workflows and branches are clusters, order-only edges are dashed, values are tooltips."""
    heading = [f"  label={_quoted(', '.join((graph.name, *graph.notes)))};", "  labelloc=t;"] if graph.notes else []
    return "\n".join(
        [
            f"digraph {_quoted(graph.name)} {{",
            "  compound=true;",
            *heading,
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
            # The diamond shows the branch's name.
            label = "" if node.shape == "branch" else _text(node)
            yield f"{indent}  label={_quoted(label)};"
            if node.shape in ("branch", "map"):
                yield f"{indent}  style={'dotted' if node.shape == 'branch' else 'bold'};"
            yield from _lines(node.inner, indent + "  ")
            yield f"{indent}}}"
        else:
            look = f", {_SHAPES[node.shape]}" if node.shape in _SHAPES else ""
            yield f"{indent}{_quoted(node.path)} [label={_quoted(_text(node))}, tooltip={_quoted(node.target)}{look}];"
    for edge in graph.edges:
        yield indent + _edge(edge, by_path[edge.source], by_path[edge.target])


def _edge(edge: Edge, source: Node, target: Node) -> str:
    attributes = []
    if edge.label:
        attributes.append(f"label={_quoted(edge.label)}")
    if edge.values:
        attributes.append(f"tooltip={_quoted(', '.join(edge.values))}")
    if edge.is_order:
        attributes.append("style=dashed")
    if edge.kind == "failure":
        attributes.append('style=dashed, color="#b91c1c"')
    # dot connects only nodes, so the edge ends at a node of the cluster and is clipped at the cluster's border.
    if source.is_cluster:
        attributes.append(f"ltail={_quoted(f'cluster_{source.path}')}")
    if target.is_cluster:
        attributes.append(f"lhead={_quoted(f'cluster_{target.path}')}")
    return f"{_quoted(_last(source))} -> {_quoted(_first(target))} [{', '.join(attributes)}];"


def _first(node: Node) -> str:
    while node.is_cluster and node.inner is not None:
        node = node.inner.nodes[0]
    return node.path


def _last(node: Node) -> str:
    while node.is_cluster and node.inner is not None:
        node = next(inner for inner in reversed(node.inner.nodes) if inner.shape != "fail")
    return node.path


def _text(node: Node) -> str:
    first = f"{node.shown_path} {node.title}" if node.shown_path else node.title
    return "\n".join((first, *node.notes))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
