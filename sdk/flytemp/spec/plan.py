"""Plans: the compact plain JSON that the engine runs, made from documents.

::

    {"root": <graph name>,
     "graphs": {<workflow name>: {
        "policy": "fail-immediately" | "fail-after-executable-nodes-complete",
        "nodes": [node…],
        "out": {output: binding},
        "on_failure": node, "timeout": seconds}}}

A node has ``id, kind, target, name, in: {input: binding}, needs: [index…]``, a ``deadline`` in seconds if it has one, and the
fields of its kind, which `flytemp.spec.node_forms` writes:

* task, dynamic: ``retries, backoff: [base, factor, cap, jitter], queued`` (seconds that an attempt may wait), ``pool`` (of
  the workers that run it, if not the default ones);
* launch_plan: ``plan``: ``{"launch_plan", "project", "domain", "version"}``;
* branch: ``branch``: ``{"nodes", "cases": [[condition, index of a node or null, message of a failure or null]…]}``; the
  bindings of its nodes are those of the graph around it, conditions are `flytemp_worker.node_kinds.conditions`;
* map: ``map``: ``{"item": node, "over", "outputs", "concurrency", "min_successes", "min_ratio", "group", "run_all"}``;
* gate: ``gate``: ``{"kind", "name", "type", "timeout"}``;
* sleep: ``seconds``.

Bindings have the form that `flytemp.spec.bindings` defines. Literals that are large together stay in the document; the
plan has constants with the key ``[workflow, local node id, input, …]`` instead, so that they never enter a history.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from flytemp.literals.types import Json
from flytemp.spec import bindings
from flytemp.spec.graphs import needs_of, node_at, reachable_workflows
from flytemp.spec.integrity import check_integrity
from flytemp.spec.models import (
    Binding,
    ErrorBinding,
    InputBinding,
    ListBinding,
    LiteralBinding,
    MapBinding,
    NodeSpec,
    OutputBinding,
    TaskDocument,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.node_forms import form_of

INLINE_LITERAL_BYTES = 2_048
"""Maximum size of all literals of a node in the plan. Larger literals become constants."""

TASK_NODE = "n0"
"""Id of the only node of a task that is launched by itself."""

Plan = dict[str, Any]


def plan_of(document: WorkflowDocument | TaskDocument) -> Plan:
    """Return the plan of a workflow, or of a task that is launched by itself: a workflow of one node, `TASK_NODE`.

    Raises:
        CorruptData: if the document lacks an entity that it calls, or its nodes wait for each other.
    """
    workflow = document if isinstance(document, WorkflowDocument) else around_task(document)
    check_integrity(workflow)
    return {
        "root": workflow.name,
        "graphs": {name: _graph(name, workflow) for name in workflow.workflows},
    }


def chunk_plan_of(document: WorkflowDocument, graph: str, local: str) -> Plan:
    """Return the plan of one map node and of the graphs that its calls need: the plan of a chunk of a large map."""
    spec = document.workflows[graph]
    node = node_at(spec, local)
    workflows = [node.target] if form_of(node).callee_kind(node) == "workflow" else []
    index = {other.id: position for position, other in enumerate(spec.nodes)}
    alone = {**_GraphWriter(graph, document, index).node(node), "needs": []}
    graphs = {name: _graph(name, document) for name in sorted(reachable_workflows(document, workflows))}
    return {"root": graph, "graphs": {**graphs, graph: {"nodes": [alone], "out": {}}}}


def around_task(document: TaskDocument) -> WorkflowDocument:
    """Return the workflow of one node that runs a task that is launched by itself."""
    task = document.task
    node = NodeSpec(
        id=TASK_NODE,
        kind="dynamic" if task.kind == "dynamic" else "task",
        target=task.name,
        inputs={v.name: InputBinding(var=v.name) for v in task.interface.inputs},
    )
    outputs: dict[str, Binding] = {v.name: OutputBinding(node=TASK_NODE, var=v.name) for v in task.interface.outputs}
    spec = WorkflowSpec(name=task.name, interface=task.interface, nodes=(node,), outputs=outputs)
    return WorkflowDocument(name=task.name, workflows={task.name: spec}, tasks={task.name: task}, bundle=document.bundle)


def constant(document: WorkflowDocument, key: list[Any]) -> Json:
    """Return the literal of a constant; the key's steps after the input lead into lists and maps of bindings."""
    workflow, node_id, var, *path = key
    graph = document.workflows[workflow]
    if node_id == "":
        binding = graph.outputs[var]
    else:
        node = node_at(graph, node_id)
        binding = node.inputs.get(var) or _defaults(node, document)[var]
    for step in path:
        binding = binding.items[step] if isinstance(binding, ListBinding) else _entries(binding)[step]
    assert isinstance(binding, LiteralBinding)
    return binding.value


def _entries(binding: Binding) -> dict[str, Binding]:
    assert isinstance(binding, MapBinding)
    return binding.entries


def _graph(name: str, document: WorkflowDocument) -> dict[str, Any]:
    """Return the plan of a graph; ``name`` is its key in the document, a name or a URN."""
    spec = document.workflows[name]
    index = {node.id: position for position, node in enumerate(spec.nodes)}
    large = _is_large(spec.outputs.values())
    writer = _GraphWriter(name, document, index)
    data: dict[str, Any] = {
        "policy": spec.failure_policy,
        "nodes": [writer.node(node) for node in spec.nodes],
        "out": {var: _binding(b, index, [name, "", var] if large else None) for var, b in spec.outputs.items()},
    }
    if spec.on_failure is not None:
        data["on_failure"] = writer.node(spec.on_failure)
    if spec.timeout_seconds is not None:
        data["timeout"] = spec.timeout_seconds
    return data


@dataclass(frozen=True, slots=True)
class _GraphWriter:
    """Writer of the nodes of one graph; ``within`` is the local id of the node that they are inside, with a dot."""

    graph: str
    document: WorkflowDocument
    index: dict[str, int]
    within: str = ""

    def node(self, node: NodeSpec) -> dict[str, Any]:
        form = form_of(node)
        inputs = {**_defaults(node, self.document), **node.inputs}
        large = _is_large(inputs.values())
        key = [self.graph, f"{self.within}{node.id}"]
        return {
            "id": node.id,
            "kind": node.kind,
            "target": node.target,
            "name": node.overrides.name or form.label(node),
            "in": {var: _binding(b, self.index, [*key, var] if large else None) for var, b in inputs.items()},
            "needs": [] if self.within else sorted({self.index[needed] for needed in needs_of(node)}),
            **form.plan_fields(node, self),
        }

    def inside(self, node: NodeSpec) -> _GraphWriter:
        return replace(self, within=f"{self.within}{node.id}.")

    def binding(self, binding: Binding) -> dict[str, Any]:
        return _binding(binding, self.index, None)


def _defaults(node: NodeSpec, document: WorkflowDocument) -> dict[str, Binding]:
    """Return the defaults of the inputs that a node does not give to the entity that it calls."""
    inputs = form_of(node).call_interface(node, document).inputs
    return {v.name: LiteralBinding(value=v.default) for v in inputs if not v.required and v.name not in node.inputs}


def _binding(binding: Binding, index: dict[str, int], name: list[Any] | None) -> dict[str, Any]:
    """Return the plan's form of a binding. With ``name``, literals become constants whose keys begin with it."""
    if isinstance(binding, LiteralBinding):
        return bindings.literal(binding.value) if name is None else bindings.constant(name)
    if isinstance(binding, ErrorBinding):
        return bindings.failure()
    if isinstance(binding, ListBinding):
        return bindings.items_of([_binding(item, index, name and [*name, n]) for n, item in enumerate(binding.items)])
    if isinstance(binding, MapBinding):
        return bindings.entries_of({key: _binding(item, index, name and [*name, key]) for key, item in binding.entries.items()})
    if isinstance(binding, InputBinding):
        return bindings.graph_input(binding.var, binding.path)
    return bindings.node_output(index[binding.node], binding.var, binding.path)


def _is_large(values: Iterable[Binding]) -> bool:
    literals = list(_literals(values))
    return bool(literals) and len(json.dumps(literals)) > INLINE_LITERAL_BYTES


def _literals(values: Iterable[Binding]) -> Iterator[Json]:
    for binding in values:
        if isinstance(binding, LiteralBinding):
            yield binding.value
        elif isinstance(binding, ListBinding):
            yield from _literals(binding.items)
        elif isinstance(binding, MapBinding):
            yield from _literals(binding.entries.values())
