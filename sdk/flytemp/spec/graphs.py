"""Walks over the graphs of documents: nodes at any depth of branches, what a node waits for, what it calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flytemp.errors import CorruptData
from flytemp.spec.models import (
    Binding,
    ErrorBinding,
    InputBinding,
    ListBinding,
    MapBinding,
    NodeSpec,
    OutputBinding,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.node_forms import form_of

Source = InputBinding | OutputBinding | ErrorBinding


def all_nodes(spec: WorkflowSpec) -> Iterator[tuple[str, NodeSpec]]:
    """Yield every node of a graph with its local id, ``n2.n0`` for one in a branch; the failure node is last."""
    for node in spec.nodes:
        yield from nodes_within(node)
    if spec.on_failure is not None:
        yield from nodes_within(spec.on_failure)


def nodes_within(node: NodeSpec, around: str = "") -> Iterator[tuple[str, NodeSpec]]:
    """Yield the node and all nodes inside it, each with its local id."""
    local = around + node.id
    yield local, node
    for child in form_of(node).children(node):
        yield from nodes_within(child, f"{local}.")


def node_at(graph: WorkflowSpec, local: str) -> NodeSpec:
    """Return the node with a local id, such as ``n2.n0`` for one in a branch.

    Raises:
        CorruptData: if the graph has no such node.
    """
    first, *inner = local.split(".")
    found = graph.by_id.get(first)
    for part in inner:
        children = form_of(found).children(found) if found is not None else ()
        found = next((child for child in children if child.id == part), None)
    if found is None:
        raise CorruptData(f"the workflow {graph.name} has no node {local!r}")
    return found


def pools_of(document: WorkflowDocument) -> set[str]:
    """Return the names of the pools of workers that run tasks of the document's graphs."""
    settings = (
        node.overrides.settings or document.tasks[node.target].settings
        for workflow in document.workflows.values()
        for _, node in all_nodes(workflow)
        if node.target in document.tasks
    )
    return {one.pool for one in settings if one.pool is not None}


def needs_of(node: NodeSpec) -> Iterator[str]:
    """Yield the nodes of the graph that ``node`` waits for, including those that the nodes inside it need."""
    yield from node.after
    for source in sources(taken_by(node)):
        if isinstance(source, OutputBinding):
            yield source.node
    for child in form_of(node).children(node):
        yield from needs_of(child)


def taken_by(node: NodeSpec) -> Iterator[Binding]:
    """Yield the bindings that a node itself takes, without those of the nodes inside it."""
    yield from node.inputs.values()
    yield from form_of(node).operands(node)


def sources(bindings: Iterable[Binding]) -> Iterator[Source]:
    """Yield the inputs, outputs and errors that ``bindings`` take from, at any depth."""
    for binding in bindings:
        if isinstance(binding, ListBinding):
            yield from sources(binding.items)
        elif isinstance(binding, MapBinding):
            yield from sources(binding.entries.values())
        elif isinstance(binding, Source):
            yield binding


def called_workflows(spec: WorkflowSpec) -> set[str]:
    """Return the keys of the workflows whose graphs this one runs."""
    return {node.target for _, node in all_nodes(spec) if form_of(node).callee_kind(node) == "workflow"}


def reachable_workflows(document: WorkflowDocument, keys: Iterable[str]) -> set[str]:
    """Return ``keys`` and the keys of all workflows whose graphs these run, at any depth."""
    reachable: set[str] = set()
    pending = list(keys)
    while pending:
        key = pending.pop()
        if key not in reachable:
            reachable.add(key)
            pending += called_workflows(document.workflows[key])
    return reachable


def circular(needs: dict[str, set[str]]) -> list[str]:
    """Return the names that wait for each other, or for one that does; empty if there is an order for all."""
    feeds: dict[str, list[str]] = {name: [] for name in needs}
    waiting = {name: len(needed) for name, needed in needs.items()}
    for name, needed in needs.items():
        for other in needed:
            feeds[other].append(name)
    free = [name for name, count in waiting.items() if count == 0]
    while free:
        name = free.pop()
        del waiting[name]
        for fed in feeds[name]:
            waiting[fed] -= 1
            if waiting[fed] == 0:
                free.append(fed)
    return list(waiting)
