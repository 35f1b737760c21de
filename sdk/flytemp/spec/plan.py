"""From a document to a plan: what the engine runs, as compact plain JSON.

::

    {"root": <graph name>,
     "graphs": {<workflow name>: {
        "policy": "fail-immediately" | "fail-after-executable-nodes-complete",
        "nodes": [{"id", "kind": "task"|"workflow", "target", "name", "in": {input: binding}, "needs": [index…],
                   "retries", "backoff": [base, factor, cap, jitter]}…],
        "out": {output: binding}}}}

Bindings are those of `flytemp_worker.engine.values`. Literals that are large together stay in the document and
are named by ``{"k": [workflow, node id, input, …]}``, so that they never travel through a history.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import Any

from flytemp.errors import CorruptData
from flytemp.literals.types import Json
from flytemp.spec.integrity import check_integrity, needs_of
from flytemp.spec.models import (
    Binding,
    InputBinding,
    Interface,
    ListBinding,
    LiteralBinding,
    MapBinding,
    NodeSpec,
    OutputBinding,
    TaskDocument,
    WorkflowDocument,
    WorkflowSpec,
)

INLINE_LITERAL_BYTES = 2_048
"""A node's literals in the plan, in all; above it they are named instead (design: budgets)."""

PAGE_BYTES = 512 * 1024
"""A page of a plan or a state is at most this long, encoded (design: the engine)."""

TASK_NODE = "n0"
"""The node of a task that is launched by itself."""

Plan = dict[str, Any]


def plan_of(document: WorkflowDocument | TaskDocument) -> Plan:
    """The plan of a workflow, or of a task launched by itself: a workflow of one node, `TASK_NODE`.

    Raises:
        CorruptData: the document names what it does not hold, or its nodes wait for each other.
    """
    workflow = document if isinstance(document, WorkflowDocument) else around_task(document)
    check_integrity(workflow)
    return {
        "root": workflow.name,
        "graphs": {name: _graph(graph, workflow) for name, graph in workflow.workflows.items()},
    }


def around_task(document: TaskDocument) -> WorkflowDocument:
    """The workflow of one node that runs a task launched by itself."""
    task = document.task
    node = NodeSpec(
        id=TASK_NODE,
        kind="task",
        target=task.name,
        inputs={v.name: InputBinding(var=v.name) for v in task.interface.inputs},
    )
    outputs: dict[str, Binding] = {v.name: OutputBinding(node=TASK_NODE, var=v.name) for v in task.interface.outputs}
    spec = WorkflowSpec(name=task.name, interface=task.interface, nodes=(node,), outputs=outputs)
    return WorkflowDocument(name=task.name, workflows={task.name: spec}, tasks={task.name: task}, bundle=document.bundle)


def constant(document: WorkflowDocument, key: list[Any]) -> Json:
    """The literal that ``{"k": key}`` names; what follows the input leads into lists and maps of bindings."""
    workflow, node_id, var, *path = key
    graph = document.workflows[workflow]
    if node_id == "":
        binding = graph.outputs[var]
    else:
        node = next(n for n in graph.nodes if n.id == node_id)
        binding = node.inputs.get(var) or _defaults(_interface(node, document), node)[var]
    for step in path:
        binding = binding.items[step] if isinstance(binding, ListBinding) else _entries(binding)[step]
    assert isinstance(binding, LiteralBinding)
    return binding.value


def _entries(binding: Binding) -> dict[str, Binding]:
    assert isinstance(binding, MapBinding)
    return binding.entries


def _graph(spec: WorkflowSpec, document: WorkflowDocument) -> dict[str, Any]:
    index = {node.id: position for position, node in enumerate(spec.nodes)}
    large = _is_large(spec.outputs.values())
    return {
        "policy": spec.failure_policy,
        "nodes": [_node(node, spec, document, index) for node in spec.nodes],
        "out": {var: _binding(b, index, [spec.name, "", var] if large else None) for var, b in spec.outputs.items()},
    }


def _node(node: NodeSpec, spec: WorkflowSpec, document: WorkflowDocument, index: dict[str, int]) -> dict[str, Any]:
    bindings = {**_defaults(_interface(node, document), node), **node.inputs}
    large = _is_large(bindings.values())
    data: dict[str, Any] = {
        "id": node.id,
        "kind": node.kind,
        "target": node.target,
        "name": node.overrides.name or node.target.rpartition(".")[2],
        "in": {var: _binding(b, index, [spec.name, node.id, var] if large else None) for var, b in bindings.items()},
        "needs": sorted({index[needed] for needed in needs_of(node)}),
    }
    if node.kind == "task":
        settings = node.overrides.settings or document.tasks[node.target].settings
        backoff = settings.retries.backoff
        data["retries"] = settings.retries.count
        data["backoff"] = [backoff.base_seconds, backoff.factor, backoff.cap_seconds, backoff.jitter]
    return data


def _interface(node: NodeSpec, document: WorkflowDocument) -> Interface:
    return document.tasks[node.target].interface if node.kind == "task" else document.workflows[node.target].interface


def _defaults(interface: Interface, node: NodeSpec) -> dict[str, Binding]:
    return {v.name: LiteralBinding(value=v.default) for v in interface.inputs if not v.required and v.name not in node.inputs}


def _binding(binding: Binding, index: dict[str, int], name: list[Any] | None) -> dict[str, Any]:
    """``name`` is the key under which a literal in here is to be named instead of carried; None: it is carried."""
    if isinstance(binding, LiteralBinding):
        return {"l": binding.value} if name is None else {"k": name}
    if isinstance(binding, ListBinding):
        return {"a": [_binding(item, index, name and [*name, position]) for position, item in enumerate(binding.items)]}
    if isinstance(binding, MapBinding):
        return {"m": {key: _binding(item, index, name and [*name, key]) for key, item in binding.entries.items()}}
    data: dict[str, Any] = (
        {"i": binding.var} if isinstance(binding, InputBinding) else {"n": index[binding.node], "v": binding.var}
    )
    if binding.path:
        data["p"] = list(binding.path)
    return data


def _is_large(bindings: Iterable[Binding]) -> bool:
    literals = list(_literals(bindings))
    return bool(literals) and len(json.dumps(literals)) > INLINE_LITERAL_BYTES


def _literals(bindings: Iterable[Binding]) -> Iterator[Json]:
    for binding in bindings:
        if isinstance(binding, LiteralBinding):
            yield binding.value
        elif isinstance(binding, ListBinding):
            yield from _literals(binding.items)
        elif isinstance(binding, MapBinding):
            yield from _literals(binding.entries.values())


# ------------------------------------------------------------------------------------------- pages


def to_pages(data: Json) -> list[str]:
    """``data`` as compressed JSON, in texts of at most `PAGE_BYTES`."""
    encoded = b64encode(zlib.compress(json.dumps(data, separators=(",", ":")).encode(), 6)).decode()
    return [encoded[start : start + PAGE_BYTES] for start in range(0, len(encoded), PAGE_BYTES)] or [""]


def from_pages(pages: list[str]) -> Json:
    """The inverse of `to_pages`.

    Raises:
        CorruptData: the pages are not what `to_pages` gave.
    """
    try:
        return json.loads(zlib.decompress(b64decode("".join(pages))))
    except (ValueError, zlib.error) as error:
        raise CorruptData(f"the pages of a plan or state do not decode: {error}") from error
