"""From a document to a plan: what the engine runs, as compact plain JSON.

::

    {"root": <graph name>,
     "graphs": {<workflow name>: {
        "policy": "fail-immediately" | "fail-after-executable-nodes-complete",
        "nodes": [node…],
        "out": {output: binding},
        "on_failure": node, "timeout": seconds}}}

A node has ``id, kind, target, name, in: {input: binding}, needs: [index…]``, a ``deadline`` in seconds if it has one, and by
its kind:

* task, dynamic: ``retries, backoff: [base, factor, cap, jitter], queued`` (seconds that an attempt may wait), ``pool`` (of
  the workers that run it, if not the default ones);
* launch_plan: ``plan``: ``{"launch_plan", "project", "domain", "version"}``;
* branch: ``branch``: ``{"nodes", "cases": [[condition, index of a node or null, message of a failure or null]…]}``; the
  bindings of its nodes are those of the graph around it, conditions are `flytemp_worker.engine.conditions`;
* map: ``map``: ``{"item": node, "over", "outputs", "concurrency", "min_successes", "min_ratio", "group", "run_all"}``;
* gate: ``gate``: ``{"kind", "name", "type", "timeout"}``;
* sleep: ``seconds``.

Bindings have the form that `flytemp.spec.bindings` defines. Literals that are large together stay in the document; the
plan has constants with the key ``[workflow, local node id, input, …]`` instead, so that they never enter a history.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from flytemp.errors import CorruptData
from flytemp.literals.types import Json
from flytemp.spec import bindings
from flytemp.spec.graphs import entry_name, needs_of
from flytemp.spec.integrity import check_integrity
from flytemp.spec.models import (
    Binding,
    BranchSpec,
    Condition,
    ErrorBinding,
    InputBinding,
    Interface,
    Junction,
    ListBinding,
    LiteralBinding,
    MapBinding,
    MapSpec,
    NodeSpec,
    OutputBinding,
    TaskDocument,
    WorkflowDocument,
    WorkflowSpec,
)

INLINE_LITERAL_BYTES = 2_048
"""A node's literals in the plan, in all; above it they are named instead (design: budgets)."""

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
        "graphs": {name: _graph(name, workflow) for name in workflow.workflows},
    }


def part_plan_of(document: WorkflowDocument, graph: str, local: str) -> Plan:
    """The plan of one map node alone, and of the graphs that its calls need: what a part of a large map runs."""
    spec = document.workflows[graph]
    node = node_at(spec, local)
    reachable: set[str] = set()
    pending = [node.target] if node.map is not None and node.map.kind == "workflow" else []
    while pending:
        name = pending.pop()
        if name not in reachable:
            reachable.add(name)
            pending += workflow_targets(document.workflows[name])
    index = {other.id: position for position, other in enumerate(spec.nodes)}
    alone = {**_GraphWriter(graph, document, index).node(node), "needs": []}
    graphs = {name: _graph(name, document) for name in sorted(reachable)}
    return {"root": graph, "graphs": {**graphs, graph: {"nodes": [alone], "out": {}}}}


def workflow_targets(spec: WorkflowSpec) -> Iterator[str]:
    """The sub-workflows that a graph calls: from its nodes, those of its branches, its maps and its on_failure."""
    pending = [*spec.nodes, *([spec.on_failure] if spec.on_failure else [])]
    while pending:
        node = pending.pop()
        if (node.map.kind if node.map is not None else node.kind) == "workflow":
            yield node.target
        if node.branch is not None:
            pending += [case.node for case in node.branch.cases if case.node is not None]


def around_task(document: TaskDocument) -> WorkflowDocument:
    """The workflow of one node that runs a task launched by itself."""
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
        binding = node.inputs.get(var) or _defaults(callee_interface(node, document), node)[var]
    for step in path:
        binding = binding.items[step] if isinstance(binding, ListBinding) else _entries(binding)[step]
    assert isinstance(binding, LiteralBinding)
    return binding.value


def node_at(graph: WorkflowSpec, local: str) -> NodeSpec:
    """The node with this local id: through the branches that it is in, as ``n2.n0``.

    Raises:
        CorruptData: there is none.
    """
    first, *inner = local.split(".")
    found = graph.by_id.get(first)
    for part in inner:
        cases = found.branch.cases if found is not None and found.branch is not None else ()
        found = next((case.node for case in cases if case.node is not None and case.node.id == part), None)
    if found is None:
        raise CorruptData(f"the workflow {graph.name} has no node {local!r}")
    return found


def callee_interface(node: NodeSpec, document: WorkflowDocument) -> Interface:
    """What the call (of a map: one of its calls) takes and gives; empty for nodes that call nothing."""
    kind = node.map.kind if node.map is not None else node.kind
    if kind in ("task", "dynamic"):
        return document.tasks[node.target].interface
    if kind == "workflow":
        return document.workflows[node.target].interface
    if kind == "launch_plan":
        return document.launch_plans[node.target].interface
    return Interface()


def _entries(binding: Binding) -> dict[str, Binding]:
    assert isinstance(binding, MapBinding)
    return binding.entries


def _graph(name: str, document: WorkflowDocument) -> dict[str, Any]:
    """``name`` is what the document calls the graph: its own name, or a URN."""
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


class _GraphWriter:
    """Writes the nodes of one graph."""

    def __init__(self, graph: str, document: WorkflowDocument, index: dict[str, int]) -> None:
        self._graph, self._document, self._index = graph, document, index

    def node(self, node: NodeSpec, within: str = "") -> dict[str, Any]:
        inputs = {**_defaults(callee_interface(node, self._document), node), **node.inputs}
        large = _is_large(inputs.values())
        key = [self._graph, f"{within}{node.id}"]
        data: dict[str, Any] = {
            "id": node.id,
            "kind": node.kind,
            "target": node.target,
            "name": node.overrides.name or _short_name(node),
            "in": {var: _binding(b, self._index, [*key, var] if large else None) for var, b in inputs.items()},
            "needs": [] if within else sorted({self._index[needed] for needed in needs_of(node)}),
        }
        self._of_kind(node, data, within)
        return data

    def _of_kind(self, node: NodeSpec, data: dict[str, Any], within: str) -> None:
        if node.branch is not None:
            data["branch"] = self._branch(node.branch, f"{within}{node.id}.")
        elif node.map is not None:
            data["map"] = self._map(node, node.map)
        elif node.gate is not None:
            gate = node.gate
            type_ = None if gate.type is None else gate.type.model_dump(mode="json")
            data["gate"] = {"kind": gate.kind, "name": gate.name, "type": type_, "timeout": gate.timeout_seconds}
        elif node.sleep_seconds is not None:
            data["seconds"] = node.sleep_seconds
        else:
            self._call(node, node.kind, data)

    def _call(self, node: NodeSpec, kind: str, data: dict[str, Any]) -> None:
        if kind in ("task", "dynamic"):
            settings = node.overrides.settings or self._document.tasks[node.target].settings
            backoff = settings.retries.backoff
            data["retries"] = settings.retries.count
            data["backoff"] = [backoff.base_seconds, backoff.factor, backoff.cap_seconds, backoff.jitter]
            for name, seconds in (("queued", settings.queued_timeout_seconds), ("deadline", settings.deadline_seconds)):
                if seconds is not None:
                    data[name] = seconds
            if settings.pool is not None:
                data["pool"] = settings.pool
        elif kind == "launch_plan":
            plan = self._document.launch_plans[node.target]
            data["plan"] = {"launch_plan": plan.name, **plan.model_dump(include={"project", "domain", "version"})}

    def _map(self, node: NodeSpec, spec: MapSpec) -> dict[str, Any]:
        item: dict[str, Any] = {"id": node.id, "kind": spec.kind, "target": node.target, "name": _short_name(node)}
        self._call(node, spec.kind, item)
        return {
            "item": item,
            "over": list(spec.over),
            "outputs": [output.name for output in callee_interface(node, self._document).outputs],
            "concurrency": spec.concurrency,
            "min_successes": spec.min_successes,
            "min_ratio": spec.min_success_ratio,
            "group": spec.items_per_task,
            "run_all": spec.run_all,
        }

    def _branch(self, spec: BranchSpec, within: str) -> dict[str, Any]:
        nodes: list[dict[str, Any]] = []
        cases: list[list[Any]] = []
        for case in spec.cases:
            condition = None if case.condition is None else self._condition(case.condition)
            cases.append([condition, None if case.node is None else len(nodes), case.fail])
            if case.node is not None:
                nodes.append(self.node(case.node, within))
        return {"nodes": nodes, "cases": cases}

    def _condition(self, condition: Condition) -> list[Any]:
        if isinstance(condition, Junction):
            return [condition.kind, [self._condition(term) for term in condition.terms]]
        left, right = (_binding(side, self._index, None) for side in (condition.left, condition.right))
        return ["cmp", condition.operator, left, right, condition.type]


def _short_name(node: NodeSpec) -> str:
    if node.gate is not None:
        return node.gate.name
    return entry_name(node.target).rpartition(".")[2] or node.kind


def _defaults(interface: Interface, node: NodeSpec) -> dict[str, Binding]:
    return {v.name: LiteralBinding(value=v.default) for v in interface.inputs if not v.required and v.name not in node.inputs}


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
