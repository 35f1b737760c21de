"""Whether a workflow's document can run at all: every name in it leads somewhere, and nothing waits for itself.

The compiler writes only such documents. One that a person or another program wrote, or that was damaged, must not
reach the engine, where a node that waits for itself would wait for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flytemp.errors import CorruptData
from flytemp.spec.models import (
    Binding,
    InputBinding,
    Interface,
    ListBinding,
    MapBinding,
    NodeSpec,
    OutputBinding,
    WorkflowDocument,
    WorkflowSpec,
)


def check_integrity(document: WorkflowDocument) -> None:
    """
    Raises:
        CorruptData: naming the workflow, the node and what is wrong.
    """
    if document.name not in document.workflows:
        raise _corrupt(document.name, "the document lacks it")
    for spec in document.workflows.values():
        for node in spec.nodes:
            _check_inputs(spec, node, interface_of(document, spec, node))
        _check_sources(document, spec)
        circle = circular({node.id: set(needs_of(node)) for node in spec.nodes})
        if circle:
            raise _corrupt(spec.name, f"its nodes {', '.join(circle)} wait for each other")
    calls = {name: {node.target for node in spec.nodes if node.kind == "workflow"} for name, spec in document.workflows.items()}
    circle = circular(calls)
    if circle:
        raise _corrupt(circle[0], f"it calls itself, through {', '.join(circle)}")


def interface_of(document: WorkflowDocument, spec: WorkflowSpec, node: NodeSpec) -> Interface:
    """The interface of what ``node`` calls."""
    callee = document.tasks.get(node.target) if node.kind == "task" else document.workflows.get(node.target)
    if callee is None:
        raise _corrupt(spec.name, f"its node {node.id} calls the {node.kind} {node.target!r}, which the document lacks")
    return callee.interface


def needs_of(node: NodeSpec) -> Iterator[str]:
    """The nodes that ``node`` waits for."""
    yield from node.after
    for source in sources(node.inputs.values()):
        if isinstance(source, OutputBinding):
            yield source.node


def sources(bindings: Iterable[Binding]) -> Iterator[InputBinding | OutputBinding]:
    """The inputs and outputs that ``bindings`` take from, at any depth."""
    for binding in bindings:
        if isinstance(binding, InputBinding | OutputBinding):
            yield binding
        elif isinstance(binding, ListBinding):
            yield from sources(binding.items)
        elif isinstance(binding, MapBinding):
            yield from sources(binding.entries.values())


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


def _check_inputs(spec: WorkflowSpec, node: NodeSpec, interface: Interface) -> None:
    known = {variable.name for variable in interface.inputs}
    unknown = node.inputs.keys() - known
    if unknown:
        raise _corrupt(spec.name, f"its node {node.id} gives {_names(unknown)}, which {node.target} does not take")
    missing = {variable.name for variable in interface.inputs if variable.required} - node.inputs.keys()
    if missing:
        raise _corrupt(spec.name, f"its node {node.id} does not give {_names(missing)}, which {node.target} needs")


def _check_sources(document: WorkflowDocument, spec: WorkflowSpec) -> None:
    by_id = {node.id: node for node in spec.nodes}
    if len(by_id) != len(spec.nodes):
        raise _corrupt(spec.name, "two of its nodes have the same id")
    inputs = {variable.name for variable in spec.interface.inputs}
    outputs = {node.id: {variable.name for variable in interface_of(document, spec, node).outputs} for node in spec.nodes}
    for node in spec.nodes:
        for needed in node.after:
            if needed not in by_id:
                raise _corrupt(spec.name, f"its node {node.id} comes after {needed!r}, which it lacks")
    unbound = {variable.name for variable in spec.interface.outputs} - spec.outputs.keys()
    if unbound:
        raise _corrupt(spec.name, f"nothing gives its output {_names(unbound)}")
    users: list[tuple[str, Iterable[Binding]]] = [(f"its output {var!r}", (b,)) for var, b in spec.outputs.items()]
    users += [(f"its node {node.id}", node.inputs.values()) for node in spec.nodes]
    for user, bindings in users:
        for source in sources(bindings):
            if isinstance(source, InputBinding) and source.var not in inputs:
                raise _corrupt(spec.name, f"{user} takes its input {source.var!r}, which it lacks")
            if isinstance(source, OutputBinding) and source.var not in outputs.get(source.node, ()):
                raise _corrupt(spec.name, f"{user} takes {source.var!r} of {source.node!r}, which it lacks")


def _names(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))


def _corrupt(workflow: str, reason: str) -> CorruptData:
    return CorruptData(
        f"the document of workflow {workflow} cannot run: {reason}",
        hint="it was not compiled by flytemp, or changed since: register the program again",
    )
