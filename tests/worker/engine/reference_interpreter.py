"""Evaluation of documents in plain Python: the expected outputs of every execution that succeeds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flytemp.literals.compare import compare
from flytemp.literals.navigate import value_at
from flytemp.spec.graphs import needs_of
from flytemp.spec.models import (
    Binding,
    BranchSpec,
    Comparison,
    Condition,
    InputBinding,
    ListBinding,
    LiteralBinding,
    MapBinding,
    NodeSpec,
    OutputBinding,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.node_forms import form_of

Json = Any
Generator: TypeAlias = Callable[[Mapping[str, Json]], WorkflowDocument]
"""A dynamic task: returns the graph for its inputs."""


class Failed(Exception):
    """Raised when a conditional of the program fails it."""


@dataclass(frozen=True)
class World:
    """What outputs depend on other than inputs. ``lost`` are the failed calls of maps, as paths of items."""

    dynamics: Mapping[str, Generator] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()


def needs(spec: NodeSpec) -> set[str]:
    """Return the nodes that must succeed before this one starts."""
    return set(needs_of(spec))


def compute(name: str, inputs: Mapping[str, Json]) -> dict[str, Json]:
    """Return the outputs of a task of these tests; they differ for every name and every inputs.

    A task whose name begins with "big" gives outputs that are too large to be handed on inline.
    """
    x = zlib.crc32(json.dumps([name, inputs], sort_keys=True).encode())
    record: dict[str, Json] = {"a": x + 1, "l": [x + 2, x + 3]}
    if name.startswith("big"):
        record["pad"] = "p" * 9_000
    return {"x": x, "s": record}


def launched(name: str, inputs: Mapping[str, Json]) -> dict[str, Json]:
    """Return the outputs of the execution of a launch plan."""
    return compute(f"launch plan {name}", inputs)


def said(gate: str) -> Json:
    """Return the answer to a gate that waits for an input."""
    return zlib.crc32(gate.encode())


def allowed_failures(min_successes: int | None, min_ratio: float, items: int) -> int:
    """Return how many calls of a map may fail."""
    least = next(number for number in range(items + 1) if number >= min_ratio * items)
    return items - min(items, max(min_successes or 0, least))


def evaluate(
    program: WorkflowDocument, name: str, inputs: Mapping[str, Json], world: World | None = None, within: str = ""
) -> dict[str, Json]:
    """Return the outputs of a workflow by calling its nodes like functions.

    Raises:
        Failed: a conditional ends in a failure.
    """
    frame = _Frame(program, program.workflows[name], inputs, world or World(), within)
    for node in frame.spec.nodes:
        frame.result(node.id)
    return {var: frame.value(binding) for var, binding in frame.spec.outputs.items()}


class _Frame:
    """Evaluation of one workflow; ``within`` is the prefix of its nodes' paths, with a dot at its end."""

    def __init__(
        self, program: WorkflowDocument, spec: WorkflowSpec, inputs: Mapping[str, Json], world: World, within: str
    ) -> None:
        self.program, self.spec, self.inputs, self.world, self.within = program, spec, inputs, world, within
        self.by_id = {node.id: node for node in spec.nodes}
        self.results: dict[str, dict[str, Json]] = {}

    def value(self, binding: Binding) -> Json:
        match binding:
            case LiteralBinding(value=literal):
                return literal
            case ListBinding(items=items):
                return [self.value(item) for item in items]
            case MapBinding(entries=entries):
                return {key: self.value(item) for key, item in entries.items()}
            case InputBinding():
                return value_at(self.inputs[binding.var], binding.path)
            case OutputBinding():
                return value_at(self.result(binding.node)[binding.var], binding.path)
        raise AssertionError(f"not a value: {binding}")

    def result(self, node_id: str) -> dict[str, Json]:
        if node_id not in self.results:
            node = self.by_id[node_id]
            for needed in sorted(needs(node)):
                self.result(needed)
            self.results[node_id] = self._node(node, f"{self.within}{node_id}")
        return self.results[node_id]

    def _node(self, node: NodeSpec, path: str) -> dict[str, Json]:
        if node.branch is not None:
            return self._branch(node.branch, path)
        if node.gate is not None:
            return {"o0": said(node.gate.name) if node.gate.kind == "input" else self.value(node.inputs["value"])}
        if node.kind == "sleep":
            return {}
        interface = form_of(node).call_interface(node, self.program)
        arguments = {variable.name: variable.default for variable in interface.inputs if not variable.required}
        arguments |= {var: self.value(binding) for var, binding in node.inputs.items()}
        if node.map is None:
            return self._call(node.kind, node.target, arguments, path)
        count = len(arguments[node.map.over[0]])
        lost = sum(f"{path}.{index}" in self.world.lost for index in range(count))
        if lost > allowed_failures(node.map.min_successes, node.map.min_success_ratio, count):
            raise Failed("too many calls failed")
        outputs: dict[str, list[Json]] = {variable.name: [] for variable in interface.outputs}
        for index in range(count):
            item = f"{path}.{index}"
            given = {var: value[index] if var in node.map.over else value for var, value in arguments.items()}
            found = {} if item in self.world.lost else self._call(node.map.kind, node.target, given, item)
            for name, values in outputs.items():
                values.append(found.get(name))
        return outputs

    def _call(self, kind: str, target: str, arguments: Mapping[str, Json], path: str) -> dict[str, Json]:
        if kind == "task":
            return compute(target, arguments)
        if kind == "launch_plan":
            return launched(target, arguments)
        if kind == "workflow":
            return evaluate(self.program, target, arguments, self.world, f"{path}.")
        made = self.world.dynamics[target](arguments)
        return evaluate(made, made.name, {}, self.world, f"{path}.")

    def _branch(self, spec: BranchSpec, path: str) -> dict[str, Json]:
        for case in spec.cases:
            if case.condition is None or self._holds(case.condition):
                if case.node is None:
                    raise Failed(case.fail)
                found = self._node(case.node, f"{path}.{case.node.id}")
                return {variable.name: found[variable.name] for variable in spec.outputs}
        raise Failed("no case holds")

    def _holds(self, condition: Condition) -> bool:
        if isinstance(condition, Comparison):
            return compare(condition.operator, self.value(condition.left), self.value(condition.right), condition.type)
        terms = (self._holds(term) for term in condition.terms)
        return all(terms) if condition.kind == "and" else any(terms)


# --------------------------------------------------------------------------------- what dynamics make


def bake(document: WorkflowDocument, inputs: Mapping[str, Json]) -> WorkflowDocument:
    """Return the document with its workflow's input bindings replaced by values."""
    root = document.root
    handler = None if root.on_failure is None else _baked_node(root.on_failure, inputs)
    update = {
        "interface": root.interface.model_copy(update={"inputs": ()}),
        "nodes": tuple(_baked_node(node, inputs) for node in root.nodes),
        "outputs": {var: _baked(binding, inputs) for var, binding in root.outputs.items()},
        "on_failure": handler,
    }
    return document.model_copy(update={"workflows": {**document.workflows, root.name: root.model_copy(update=update)}})


def _baked(binding: Binding, inputs: Mapping[str, Json]) -> Binding:
    if isinstance(binding, InputBinding):
        return LiteralBinding(value=value_at(inputs[binding.var], binding.path))
    if isinstance(binding, ListBinding):
        return ListBinding(items=tuple(_baked(item, inputs) for item in binding.items))
    if isinstance(binding, MapBinding):
        return MapBinding(entries={key: _baked(item, inputs) for key, item in binding.entries.items()})
    return binding


def _baked_node(node: NodeSpec, inputs: Mapping[str, Json]) -> NodeSpec:
    branch = node.branch
    if branch is not None:
        cases = tuple(
            case.model_copy(
                update={
                    "condition": None if case.condition is None else _baked_condition(case.condition, inputs),
                    "node": None if case.node is None else _baked_node(case.node, inputs),
                }
            )
            for case in branch.cases
        )
        branch = branch.model_copy(update={"cases": cases})
    bindings = {var: _baked(binding, inputs) for var, binding in node.inputs.items()}
    return node.model_copy(update={"inputs": bindings, "branch": branch})


def _baked_condition(condition: Condition, inputs: Mapping[str, Json]) -> Condition:
    if isinstance(condition, Comparison):
        sides = {"left": _baked(condition.left, inputs), "right": _baked(condition.right, inputs)}
        return condition.model_copy(update=sides)
    return condition.model_copy(update={"terms": tuple(_baked_condition(term, inputs) for term in condition.terms)})


def gates_of(document: WorkflowDocument) -> Iterator[NodeSpec]:
    """Yield every gate in the document, at any depth of conditionals."""
    pending = [node for spec in document.workflows.values() for node in spec.nodes]
    while pending:
        node = pending.pop()
        if node.gate is not None:
            yield node
        if node.branch is not None:
            pending += [case.node for case in node.branch.cases if case.node is not None]
