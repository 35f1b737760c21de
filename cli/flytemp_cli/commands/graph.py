"""`flytemp graph NAME`, `flytemp graph FILE [NAME]`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flytemp_cli.completion import complete_names
from flytemp_cli.error_report import InputUsageError
from flytemp_cli.lazy_imports import Command
from flytemp_cli.options import VERSION
from flytemp_cli.session import Session, pass_session

if TYPE_CHECKING:
    from flytemp.spec.models import Document
    from flytemp_cli.graph.model import Graph

_FILES = (".py", ".yaml", ".yml", ".json")


@click.command("graph", cls=Command)
@click.argument("words", nargs=-1, required=True, metavar="NAME | FILE [NAME]", shell_complete=complete_names())
@click.option("-o", "--output", "format_", type=click.Choice(["mermaid", "dot", "svg", "json"]), default="mermaid",
              show_default=True, help="Format of the drawing")  # fmt: skip
@click.option("--version", type=VERSION, metavar="VERSION", help="Version of a registered workflow [default: the latest]")
@pass_session
def command(session: Session, words: tuple[str, ...], format_: str, version: str | None) -> None:
    """Draw a workflow from the registry or from a file (Python module, or YAML or JSON spec).

    \b
    Examples:
      flytemp graph my_wf
      flytemp graph src/wf.py my_wf -o svg > my_wf.svg
      flytemp graph nightly.yaml
      flytemp graph my_wf --version v3 -o dot | dot -Tpng > my_wf.png
    """
    from flytemp_cli.graph.build import graph_of

    if len(words) not in (1, 2):
        raise InputUsageError("too many arguments", hint="use `flytemp graph NAME` or `flytemp graph FILE [NAME]`")
    first, *rest = words
    from_file = bool(rest) or first.endswith(_FILES) or "/" in first
    document = _from_file(words) if from_file else _from_registry(session, first, version)
    graph = graph_of(document)
    output = session.output()
    output.text(_draw(graph, format_))
    hint = _size_hint(graph, format_)
    if hint:
        output.hint(hint)


def _from_file(words: tuple[str, ...]) -> Document:
    from flytemp_cli.sources import load_sources, select_entity

    if not Path(words[0]).exists():
        raise InputUsageError(f"no such file: {words[0]}")
    return select_entity(load_sources(words[:1]), words[1] if len(words) == 2 else None, words[0]).workflow()


def _from_registry(session: Session, name: str, version: str | None) -> Document:
    from flytemp.launching.targets import find_target, load_target
    from flytemp.registry import Registry
    from flytemp.store import open_store

    settings = session.settings()
    registry = Registry(open_store(settings.store))
    found = find_target(registry, name, project=settings.project, domain=settings.domain, version=version)
    return load_target(registry, *found).spec


_READABLE_NODES = 1_000
"""Number of nodes above which a hint suggests drawing a sub-workflow."""


def _size_hint(graph: Graph, format_: str) -> str:
    """Return a hint if the drawing is too large for common viewers; empty otherwise."""
    from flytemp_cli.graph.mermaid import EDGES_DRAWN
    from flytemp_cli.graph.model import count_edges, count_nodes

    nodes, edges = count_nodes(graph), count_edges(graph)
    if format_ == "mermaid" and edges > EDGES_DRAWN:
        return f"Mermaid draws at most {EDGES_DRAWN} arrows by default (maxEdges), this graph has {edges}; try -o svg"
    if format_ in ("svg", "dot") and nodes > _READABLE_NODES:
        return f"the drawing has {nodes} nodes and opens slowly; `flytemp graph` of a sub-workflow draws a smaller graph"
    return ""


def _draw(graph: Graph, format_: str) -> str:
    match format_:
        case "dot":
            from flytemp_cli.graph.dot import dot

            return dot(graph)
        case "svg":
            from flytemp_cli.graph.svg import svg

            return svg(graph)
        case "json":
            from flytemp_cli.graph.model import as_json
            from flytemp_cli.output import dump_json

            return dump_json(as_json(graph))
        case _:
            from flytemp_cli.graph.mermaid import mermaid

            return mermaid(graph)
