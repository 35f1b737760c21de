"""Which numbers and which fields a node, a workflow and a task's settings may have."""

from __future__ import annotations

import math
from collections.abc import Iterator

from flytemp.literals.compare import ORDERED
from flytemp.names import is_pool
from flytemp.spec.models import (
    Comparison,
    Condition,
    GateSpec,
    Interface,
    LaunchPlanSpec,
    MapSpec,
    NodeSpec,
    TaskSettings,
    Variable,
    WorkflowSpec,
)

CALLING = frozenset({"task", "dynamic", "workflow", "launch_plan", "map"})
"""The kinds of nodes that have a target."""
_OWN_FIELDS = {"branch": "branch", "map": "map", "gate": "gate", "sleep": "sleep_seconds"}
_ON_FAILURE = frozenset({"task", "dynamic", "workflow", "launch_plan"})
_ORDERED = ORDERED | {"any"}  # of which texts and numbers have an order among themselves


def node_flaws(node: NodeSpec) -> Iterator[str]:
    """What is wrong with a node by itself: fields of other kinds, numbers out of bounds. Not with its cases' nodes.

    A node that lacks the field of its own kind has no interface: `flytemp.spec.interfaces` says that.
    """
    for kind, field in _OWN_FIELDS.items():
        if kind != node.kind and getattr(node, field) is not None:
            yield f"is a {_words(node.kind)} and has the field {field!r}"
    if node.target and node.kind not in CALLING:
        yield f"is a {node.kind} and has a target, {node.target!r}: it calls nothing"
    if node.map is not None:
        yield from _map_flaws(node.map)
    if node.gate is not None:
        yield from _gate_flaws(node.gate)
    if node.kind == "sleep" and node.sleep_seconds is None:
        yield "is a sleep and lacks its field 'sleep_seconds'"
    if node.sleep_seconds is not None and not 0 <= node.sleep_seconds < math.inf:
        yield f"sleeps for {node.sleep_seconds} seconds: it must be zero or more"
    if node.overrides.settings is not None:
        if not _runs_a_task(node):
            yield f"is a {_words(node.kind)} and overrides settings, which only tasks have"
        yield from settings_flaws(node.overrides.settings)
    if node.branch is not None:
        yield from _case_flaws(node)


def failure_node_flaws(node: NodeSpec) -> Iterator[str]:
    """What is wrong with a node as the one that runs on failure."""
    if node.kind not in _ON_FAILURE:
        yield f"is a {node.kind}: what runs on failure is a task, workflow or launch plan"
    if node.after:
        yield "comes after other nodes: what runs on failure comes after all"


def workflow_flaws(spec: WorkflowSpec) -> Iterator[str]:
    """What is wrong with a workflow beside its nodes."""
    for flaw in _positive("timeout_seconds", spec.timeout_seconds):
        yield f"it {flaw}"
    yield from interface_flaws(spec.interface)
    for name in sorted(spec.outputs.keys() - {variable.name for variable in spec.interface.outputs}):
        yield f"it gives {name!r}, which is no output of it"


def interface_flaws(interface: Interface) -> Iterator[str]:
    yield from _twice("input", interface.inputs)
    yield from _twice("output", interface.outputs)


def launch_plan_flaws(plan: LaunchPlanSpec) -> Iterator[str]:
    """Numbers out of bounds, and inputs that are given twice."""
    yield from _positive("timeout_seconds", plan.timeout_seconds)
    if plan.max_parallelism is not None and plan.max_parallelism < 0:
        yield f"has max_parallelism {plan.max_parallelism}: it must be zero (no limit) or more"
    for name in sorted(plan.default_inputs.keys() & plan.fixed_inputs.keys()):
        yield f"has {name!r} as a default and as a fixed input: keep one of them"


def settings_flaws(settings: TaskSettings) -> Iterator[str]:
    for name in ("timeout_seconds", "queued_timeout_seconds", "deadline_seconds"):
        yield from _positive(name, getattr(settings, name))
    retries, backoff = settings.retries, settings.retries.backoff
    if retries.count < 0:
        yield f"has retries {retries.count}: it must be zero or more"
    for name, least in (("base_seconds", 0), ("factor", 1), ("cap_seconds", 0)):
        value = getattr(backoff, name)
        if not least <= value < math.inf:
            yield f"has a backoff with {name} {value}: it must be {'zero' if least == 0 else 'one'} or more"
    if settings.pool is not None and not is_pool(settings.pool):
        yield f"has the pool {settings.pool!r}: it must be 1 to 63 of a-z, 0-9 and '-', not '-' at an end"


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _positive(name: str, value: float | None) -> Iterator[str]:
    if value is not None and not 0 < value < math.inf:
        yield f"has {name} {value}: it must be more than zero, or be left out"


def _runs_a_task(node: NodeSpec) -> bool:
    kind = node.map.kind if node.map is not None else node.kind
    return kind in ("task", "dynamic")


def _gate_flaws(gate: GateSpec) -> Iterator[str]:
    yield from _positive("timeout_seconds", gate.timeout_seconds)
    if not gate.name:
        yield "is a gate without a name"
    if gate.kind == "input" and gate.type is None:
        yield "waits for an input without a type"


def _map_flaws(map_: MapSpec) -> Iterator[str]:
    if not map_.over:
        yield "maps over no input"
    if len(set(map_.over)) != len(map_.over):
        yield "maps over an input twice"
    if map_.concurrency is not None and map_.concurrency < 0:
        yield f"has concurrency {map_.concurrency}: it must be zero (no limit) or more"
    if map_.min_successes is not None and map_.min_successes < 0:
        yield f"has min_successes {map_.min_successes}: it must be zero or more"
    if not 0 <= map_.min_success_ratio <= 1:
        yield f"has min_success_ratio {map_.min_success_ratio}: it must be from 0 to 1"
    if map_.items_per_task < 1:
        yield f"has items_per_task {map_.items_per_task}: it must be one or more"
    elif map_.items_per_task > 1 and map_.kind != "task":
        yield f"has items_per_task {map_.items_per_task}: only calls of a task share a start, not those of a {_words(map_.kind)}"


def _case_flaws(node: NodeSpec) -> Iterator[str]:
    assert node.branch is not None
    cases = node.branch.cases
    if not cases:
        yield "is a branch without cases"
    ids: set[str] = set()
    for number, case in enumerate(cases, 1):
        if (case.node is None) == (case.fail is None):
            yield f"has a case, number {number}, that needs either a node or a failure's message"
        if case.condition is None and number < len(cases):
            yield f"has a case, number {number}, without a condition: those after it are never reached"
        if case.condition is not None:
            yield from _condition_flaws(case.condition, number)
        if case.node is not None:
            if case.node.id in ids:
                yield f"has two cases with the node {case.node.id!r}"
            ids.add(case.node.id)
    yield from _twice("output", node.branch.outputs, "declares")


def _condition_flaws(condition: Condition, number: int) -> Iterator[str]:
    if isinstance(condition, Comparison):
        if condition.operator not in ("==", "!=") and condition.type not in _ORDERED:
            yield f"has a case, number {number}, that orders by {condition.operator!r} what has no order: {condition.type}"
        return
    if not condition.terms:
        yield f"has a case, number {number}, with an {condition.kind!r} of nothing"
    for term in condition.terms:
        yield from _condition_flaws(term, number)


def _twice(noun: str, variables: tuple[Variable, ...], verb: str = "it has") -> Iterator[str]:
    names: set[str] = set()
    for variable in variables:
        if variable.name in names:
            yield f"{verb} the {noun} {variable.name!r} twice"
        names.add(variable.name)
