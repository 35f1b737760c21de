"""Mermaid flowchart format, which GitHub, GitLab and most wikis render."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flytemp_cli.graph.model import Edge, Graph, Node, Shape

EDGES_DRAWN = 500
"""Default maximum number of edges that Mermaid renders (``maxEdges``)."""

_SHAPES: Mapping[Shape, tuple[str, str]] = {
    "decision": ("{", "}"),
    "fail": ("[/", "\\]"),
    "map": ("[[", "]]"),
    "dynamic": ("{{", "}}"),
    "launch_plan": (">", "]"),
    "gate": ("[/", "/]"),
    "sleep": ("([", "])"),
    "failure": ("([", "])"),
}


def mermaid(graph: Graph) -> str:
    """Return a top-down flowchart. Sub-workflows and branches are subgraphs, order-only edges are dotted."""
    heading = ["---", f"title: {_plain(', '.join((graph.name, *graph.notes)))}", "---"] if graph.notes else []
    return "\n".join([*heading, "flowchart TD", *_lines(graph, "  ")])


def _lines(graph: Graph, indent: str) -> Iterator[str]:
    for node in graph.nodes:
        if node.is_cluster and node.inner is not None:
            # The diamond shows the branch's name.
            label = " " if node.shape == "branch" else _text(node)
            yield f'{indent}subgraph {_id(node.path)}["{label}"]'
            yield from _lines(node.inner, indent + "  ")
            yield f"{indent}end"
        else:
            before, after = _SHAPES.get(node.shape, ("[", "]"))
            yield f'{indent}{_id(node.path)}{before}"{_text(node)}"{after}'
    for edge in graph.edges:
        yield f"{indent}{_id(edge.source)} {_arrow(edge)} {_id(edge.target)}"


def _arrow(edge: Edge) -> str:
    line = "-.->" if edge.is_order or edge.kind == "failure" else "-->"
    return f'{line}|"{_escaped(edge.label)}"|' if edge.label else line


def _id(path: str) -> str:
    # The prefix avoids reserved words of Mermaid such as "end".
    plain = path.replace("-", "_").replace(".", "__").replace("*", "each").replace("?", "__if").replace("!", "on_failure")
    return f"node_{plain}"


def _text(node: Node) -> str:
    first = f"{node.shown_path} {node.title}" if node.shown_path else node.title
    return "<br/>".join(_escaped(line) for line in (first, *node.notes))


def _escaped(text: str) -> str:
    # Mermaid interprets entities in quoted text, and Markdown in text that begins with a backtick.
    return "".join(char if char.isalnum() or char in " _-." else f"#{ord(char)};" for char in text)


def _plain(text: str) -> str:
    """Return text for the YAML front matter without characters that YAML interprets."""
    return "".join(char if char.isalnum() or char in " _-.," else " " for char in text)
