"""Walking a document's graphs: nodes at any depth of branches, and what a node waits for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flytemp.spec.models import (
    Binding,
    Comparison,
    Condition,
    ErrorBinding,
    InputBinding,
    ListBinding,
    MapBinding,
    NodeSpec,
    OutputBinding,
    WorkflowSpec,
)

Source = InputBinding | OutputBinding | ErrorBinding


def all_nodes(spec: WorkflowSpec) -> Iterator[tuple[str, NodeSpec]]:
    """Every node of a graph with its local id, ``n2.n0`` for one in a branch; the failure node comes last."""
    for node in spec.nodes:
        yield from nodes_within(node)
    if spec.on_failure is not None:
        yield from nodes_within(spec.on_failure)


def nodes_within(node: NodeSpec, around: str = "") -> Iterator[tuple[str, NodeSpec]]:
    """The node itself, then those of its cases, when it is a branch."""
    local = around + node.id
    yield local, node
    if node.branch is not None:
        for case in node.branch.cases:
            if case.node is not None:
                yield from nodes_within(case.node, f"{local}.")


def needs_of(node: NodeSpec) -> Iterator[str]:
    """The nodes of the graph that ``node`` waits for; a branch waits for whatever its conditions and cases need."""
    yield from node.after
    for source in sources(node.inputs.values()):
        if isinstance(source, OutputBinding):
            yield source.node
    if node.branch is None:
        return
    for case in node.branch.cases:
        if case.condition is not None:
            for source in sources(operands(case.condition)):
                if isinstance(source, OutputBinding):
                    yield source.node
        if case.node is not None:
            yield from needs_of(case.node)


def operands(condition: Condition) -> Iterator[Binding]:
    """What a condition compares, at any depth."""
    for comparison in comparisons(condition):
        yield comparison.left
        yield comparison.right


def comparisons(condition: Condition) -> Iterator[Comparison]:
    if isinstance(condition, Comparison):
        yield condition
    else:
        for term in condition.terms:
            yield from comparisons(term)


def sources(bindings: Iterable[Binding]) -> Iterator[Source]:
    """The inputs, outputs and errors that ``bindings`` take from, at any depth."""
    for binding in bindings:
        if isinstance(binding, ListBinding):
            yield from sources(binding.items)
        elif isinstance(binding, MapBinding):
            yield from sources(binding.entries.values())
        elif isinstance(binding, Source):
            yield binding


def called_workflows(spec: WorkflowSpec) -> set[str]:
    """The keys of the workflows whose graphs this one runs."""
    return {node.target for _, node in all_nodes(spec) if callee_kind(node) == "workflow"}


def callee_kind(node: NodeSpec) -> str:
    """The kind of what a node calls; a map's own is that of each of its calls."""
    return node.map.kind if node.kind == "map" and node.map is not None else node.kind


def entry_name(key: str) -> str:
    """The name of the entity that a document holds under ``key``: its own name, or a URN for one from elsewhere."""
    parts = key.split(":")
    return parts[3] if len(parts) in (4, 5) else key


def circular(needs: dict[str, set[str]]) -> list[str]:
    """Those that wait for each other, or for one that does; empty when there is an order for all."""
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
