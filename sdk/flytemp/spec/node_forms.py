"""Forms of nodes: one class per kind, with everything in the spec that depends on the kind.

`form_of` returns the form of a node. Code outside this module does not branch on the kind of a node. A new kind of node is a
class here with an entry in `FORMS`, and its name and fields in `flytemp.spec.models.NodeSpec`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from flytemp.errors import Problem
from flytemp.spec.binding_types import SourceTypes, known_length, operand_problems
from flytemp.spec.bounds import MAX_DURATION, MAX_SECONDS
from flytemp.spec.conditions import case_problems, comparisons, operands
from flytemp.spec.field_checks import map_problems, positive, repeated_names, settings_problems
from flytemp.spec.interfaces import gate_interface, map_interface
from flytemp.spec.models import (
    Binding,
    Condition,
    Interface,
    Junction,
    NodeKind,
    NodeSpec,
    Section,
    WorkflowDocument,
)
from flytemp.spec.node_form import NodeForm, Path, PlanWriter
from flytemp.task_types import find_task_type

_TASKS = ("task", "dynamic")


class CallForm(NodeForm):
    """A node that calls one entity of the document."""

    can_handle_failure = True
    section: ClassVar[Section]

    def interface(self, node: NodeSpec, document: WorkflowDocument) -> Interface | None:
        return self.entity_interface(document, node.target)

    def entity_interface(self, document: WorkflowDocument, target: str) -> Interface | None:
        entry = getattr(document, self.section).get(target)
        return None if entry is None else entry.interface

    def lacking(self, node: NodeSpec) -> Problem:
        return Problem(f"calls the {self.words} {node.target!r}, which the document lacks")

    def callee_kind(self, node: NodeSpec) -> str:
        return self.kind

    def call_interface(self, node: NodeSpec, document: WorkflowDocument) -> Interface:
        return self.entity_interface(document, node.target) or Interface()


class TaskForm(CallForm):
    """A call of a task."""

    kind = "task"
    section = "tasks"

    def problems_in(self, node: NodeSpec, document: WorkflowDocument) -> Iterator[Problem]:
        if document.tasks[node.target].kind == "dynamic":
            yield Problem(f"calls {node.target!r} as a task, which is dynamic")

    def plan_fields(self, node: NodeSpec, writer: PlanWriter) -> dict[str, Any]:
        settings = node.overrides.settings or writer.document.tasks[node.target].settings
        backoff = settings.retries.backoff
        seconds = {"queued": settings.queued_timeout_seconds, "deadline": settings.deadline_seconds, "pool": settings.pool}
        return {
            "retries": settings.retries.count,
            "backoff": [backoff.base_seconds, backoff.factor, backoff.cap_seconds, backoff.jitter],
            **{name: value for name, value in seconds.items() if value is not None},
        }


class DynamicForm(TaskForm):
    """A call of a task that returns a graph, which then runs."""

    kind = "dynamic"

    def problems_in(self, node: NodeSpec, document: WorkflowDocument) -> Iterator[Problem]:
        if document.tasks[node.target].kind != "dynamic":
            yield Problem(f"calls {node.target!r} as a dynamic task, which is not dynamic")


class WorkflowForm(CallForm):
    """A call of a workflow, whose graph runs inside the execution."""

    kind = "workflow"
    section = "workflows"


class LaunchPlanForm(CallForm):
    """A call of a launch plan: an execution of its own."""

    kind = "launch_plan"
    section = "launch_plans"

    def plan_fields(self, node: NodeSpec, writer: PlanWriter) -> dict[str, Any]:
        plan = writer.document.launch_plans[node.target]
        return {"plan": {"launch_plan": plan.name, **plan.model_dump(include={"project", "domain", "version"})}}


class MapForm(NodeForm):
    """A call for each item of lists."""

    kind = "map"
    field = "map"

    def callee_kind(self, node: NodeSpec) -> str | None:
        return None if node.map is None else node.map.kind

    def interface(self, node: NodeSpec, document: WorkflowDocument) -> Interface | None:
        called = None if node.map is None else CALLS[node.map.kind].entity_interface(document, node.target)
        return None if node.map is None or called is None else map_interface(node.map, called)

    def call_interface(self, node: NodeSpec, document: WorkflowDocument) -> Interface:
        return Interface() if node.map is None else CALLS[node.map.kind].call_interface(node, document)

    def with_callee_kind(self, node: NodeSpec, kind: NodeKind) -> NodeSpec:
        assert node.map is not None
        return node.model_copy(update={"map": node.map.model_copy(update={"kind": kind})})

    def lacking(self, node: NodeSpec) -> Problem:
        return super().lacking(node) if node.map is None else CALLS[node.map.kind].lacking(node)

    def problems(self, node: NodeSpec) -> Iterator[Problem]:
        if node.map is not None:
            yield from map_problems(node.map)

    def problems_in(self, node: NodeSpec, document: WorkflowDocument) -> Iterator[Problem]:
        assert node.map is not None
        yield from CALLS[node.map.kind].problems_in(node, document)
        task = document.tasks.get(node.target) if node.map.kind in _TASKS and node.map.items_per_task > 1 else None
        type_ = find_task_type(task.kind) if task is not None else None
        if type_ is not None and not type_.shares_tries:
            yield Problem(f"has items_per_task {node.map.items_per_task}: each call of {node.target!r} needs a try of its own")
        known = {variable.name for variable in self.call_interface(node, document).inputs}
        unknown = sorted(set(node.map.over) - known)
        if unknown:
            yield Problem(f"maps over {', '.join(map(repr, unknown))}, which {node.target} does not take")

    def type_problems(self, node: NodeSpec, sources: SourceTypes, children: Mapping[str, Interface | None]) -> Iterator[Problem]:
        lengths = {name: known_length(node.inputs.get(name)) for name in (node.map.over if node.map is not None else ())}
        known = {name: length for name, length in lengths.items() if length is not None}
        if len(set(known.values())) > 1:
            listed = ", ".join(f"{name!r} has {length}" for name, length in known.items())
            yield Problem(f"it maps over lists of different lengths: {listed}", hint="pass lists of equal length")

    def plan_fields(self, node: NodeSpec, writer: PlanWriter) -> dict[str, Any]:
        spec, called = node.map, self.call_interface(node, writer.document)
        assert spec is not None
        item = {"id": node.id, "kind": spec.kind, "target": node.target, "name": self.label(node)}
        fields = {
            "item": {**item, **CALLS[spec.kind].plan_fields(node, writer)},
            "over": list(spec.over),
            "outputs": [output.name for output in called.outputs],
            "concurrency": spec.concurrency,
            "min_successes": spec.min_successes,
            "min_ratio": spec.min_success_ratio,
            "group": spec.items_per_task,
            "run_all": spec.run_all,
        }
        return {"map": fields}


class BranchForm(NodeForm):
    """A node that takes the first of its cases whose condition holds."""

    kind = "branch"
    field = "branch"

    def interface(self, node: NodeSpec, document: WorkflowDocument) -> Interface | None:
        return None if node.branch is None else Interface(outputs=node.branch.outputs)

    def problems(self, node: NodeSpec) -> Iterator[Problem]:
        if node.branch is None:
            return
        cases = node.branch.cases
        if not cases:
            yield Problem("is a branch without cases")
        ids: set[str] = set()
        for number, case in enumerate(cases, 1):
            yield from case_problems(case, number, is_last=number == len(cases))
            if case.node is not None:
                if case.node.id in ids:
                    yield Problem(f"has two cases with the node {case.node.id!r}")
                ids.add(case.node.id)
        yield from repeated_names("output", node.branch.outputs, "declares")

    def problems_in(self, node: NodeSpec, document: WorkflowDocument) -> Iterator[Problem]:
        declared = {variable.name for variable in node.branch.outputs} if node.branch is not None else set()
        for child in self.children(node):
            interface = form_of(child).interface(child, document)
            missing = declared - {variable.name for variable in interface.outputs} if interface is not None else None
            if missing:
                names = ", ".join(map(repr, sorted(missing)))
                yield Problem(f"declares the output {names}, which the node {child.id} of one of its cases lacks")

    def type_problems(self, node: NodeSpec, sources: SourceTypes, children: Mapping[str, Interface | None]) -> Iterator[Problem]:
        assert node.branch is not None
        for number, case in enumerate(node.branch.cases, 1):
            for comparison in comparisons(case.condition) if case.condition is not None else ():
                for operand in (comparison.left, comparison.right):
                    for problem in operand_problems(operand, comparison.type, sources):
                        yield problem.within(f"the condition of case {number}: ")
            interface = children.get(case.node.id) if case.node is not None else None
            given = {variable.name: variable.type for variable in interface.outputs} if interface is not None else {}
            for variable in node.branch.outputs:
                mismatch = sources.mismatch(given[variable.name], variable.type) if variable.name in given else None
                if mismatch is not None and case.node is not None:
                    yield Problem(f"output '{variable.name}' of the node {case.node.id} of a case: {mismatch}")

    def child_paths(self, node: NodeSpec) -> Iterator[tuple[Path, NodeSpec]]:
        for index, case in enumerate(node.branch.cases if node.branch is not None else ()):
            if case.node is not None:
                yield ("branch", "cases", index, "node"), case.node

    def with_children(self, node: NodeSpec, replaced: Callable[[NodeSpec], NodeSpec]) -> NodeSpec:
        assert node.branch is not None
        cases = tuple(
            case if case.node is None else case.model_copy(update={"node": replaced(case.node)}) for case in node.branch.cases
        )
        return node.model_copy(update={"branch": node.branch.model_copy(update={"cases": cases})})

    def operands(self, node: NodeSpec) -> Iterator[Binding]:
        for case in node.branch.cases if node.branch is not None else ():
            if case.condition is not None:
                yield from operands(case.condition)

    def plan_fields(self, node: NodeSpec, writer: PlanWriter) -> dict[str, Any]:
        assert node.branch is not None
        inside = writer.inside(node)
        nodes: list[dict[str, Any]] = []
        cases: list[list[Any]] = []
        for case in node.branch.cases:
            condition = None if case.condition is None else _plan_condition(case.condition, writer)
            cases.append([condition, None if case.node is None else len(nodes), case.fail])
            if case.node is not None:
                nodes.append(inside.node(case.node))
        return {"branch": {"nodes": nodes, "cases": cases}}


class GateForm(NodeForm):
    """A node that waits for an answer."""

    kind = "gate"
    field = "gate"

    def interface(self, node: NodeSpec, document: WorkflowDocument) -> Interface | None:
        return None if node.gate is None else gate_interface(node.gate)

    def problems(self, node: NodeSpec) -> Iterator[Problem]:
        if node.gate is None:
            return
        yield from positive("timeout_seconds", node.gate.timeout_seconds)
        if not node.gate.name:
            yield Problem("is a gate without a name")
        if node.gate.kind == "input" and node.gate.type is None:
            yield Problem("waits for an input without a type")

    def label(self, node: NodeSpec) -> str:
        return node.gate.name if node.gate is not None else self.kind

    def detail(self, node: NodeSpec) -> str:
        return self.label(node)

    def plan_fields(self, node: NodeSpec, writer: PlanWriter) -> dict[str, Any]:
        gate = node.gate
        assert gate is not None
        type_ = None if gate.type is None else gate.type.model_dump(mode="json")
        return {"gate": {"kind": gate.kind, "name": gate.name, "type": type_, "timeout": gate.timeout_seconds}}


class SleepForm(NodeForm):
    """A node that waits for some time."""

    kind = "sleep"
    field = "sleep_seconds"

    def interface(self, node: NodeSpec, document: WorkflowDocument) -> Interface | None:
        return Interface()

    def problems(self, node: NodeSpec) -> Iterator[Problem]:
        if node.sleep_seconds is None:
            yield self.lacking(node)
        elif not 0 <= node.sleep_seconds <= MAX_SECONDS:
            yield Problem(f"sleeps for {node.sleep_seconds} seconds: it must be zero or more, and at most {MAX_DURATION}")

    def detail(self, node: NodeSpec) -> str:
        return f"{node.sleep_seconds:g} s"

    def plan_fields(self, node: NodeSpec, writer: PlanWriter) -> dict[str, Any]:
        return {"seconds": node.sleep_seconds}


_CALLS = (TaskForm(), DynamicForm(), WorkflowForm(), LaunchPlanForm())
CALLS: Mapping[str, CallForm] = {form.kind: form for form in _CALLS}
"""Forms of the nodes that call one entity, by kind."""
_OTHERS: tuple[NodeForm, ...] = (
    MapForm(),
    BranchForm(),
    GateForm(),
    SleepForm(),
)
FORMS: Mapping[str, NodeForm] = {**CALLS, **{form.kind: form for form in _OTHERS}}
"""Forms of all nodes, by kind."""


def form_of(node: NodeSpec) -> NodeForm:
    """Return the form of a node."""
    return FORMS[node.kind]


def callee_section(node: NodeSpec) -> Section | None:
    """Return the section of the document that has the entity that a node calls; None if it calls nothing."""
    kind = form_of(node).callee_kind(node)
    return None if kind is None else CALLS[kind].section


def field_problems(node: NodeSpec) -> Iterator[Problem]:
    """Yield the problems of a node by itself, apart from the nodes inside it."""
    own = form_of(node)
    for form in FORMS.values():
        if form.field is not None and form is not own and getattr(node, form.field) is not None:
            yield Problem(f"is a {own.words} and has the field {form.field!r}")
    if node.target and own.callee_kind(node) is None and own.kind != "map":
        yield Problem(f"is a {own.words} and has a target, {node.target!r}: it calls nothing")
    if node.overrides.settings is not None:
        if own.callee_kind(node) not in _TASKS:
            yield Problem(f"is a {own.words} and overrides settings, which only tasks have")
        yield from settings_problems(node.overrides.settings)
    yield from own.problems(node)


def _plan_condition(condition: Condition, writer: PlanWriter) -> list[Any]:
    if isinstance(condition, Junction):
        return [condition.kind, [_plan_condition(term, writer) for term in condition.terms]]
    return ["cmp", condition.operator, writer.binding(condition.left), writer.binding(condition.right), condition.type]
