"""Types of a document's bindings: for documents that no compiler wrote, but a person, a generator or a dynamic task.

Whether its names lead anywhere is `flytemp.spec.integrity`'s; what has no type for that reason is passed over here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from flytemp.errors import InputError, InvalidName, Location, Problem
from flytemp.literals.check import check_literal
from flytemp.literals.types import LiteralType
from flytemp.names import check_entity
from flytemp.spec.binding_types import Sources, binding_flaws, operand_flaws
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.field_checks import interface_flaws, launch_plan_flaws, settings_flaws
from flytemp.spec.graphs import comparisons, nodes_within
from flytemp.spec.integrity import integrity_flaws
from flytemp.spec.interfaces import known_interface
from flytemp.spec.models import (
    Interface,
    LaunchPlanDocument,
    ListBinding,
    LiteralBinding,
    NodeSpec,
    SourceLocation,
    TaskDocument,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.task_types import REFERENCE, find_task_type, known_kinds, type_flaws

Locate: TypeAlias = Callable[[str, str, str], Location | None]
"""Where a workflow (its key), a node of it (its local id, or "") and an input of that (or "") were written."""


def document_problems(document: AnyDocument, locate: Locate | None = None, *, linked: bool = True) -> list[Problem]:
    """Everything that is wrong with a document: names, numbers, integrity, types.

    Args:
        locate: where things were written; by default what the document itself says.
        linked: whether references must have been put in their places; see `flytemp.spec.integrity.integrity_flaws`.
    """
    if isinstance(document, WorkflowDocument):
        return [*_flaw_problems(document, locate, linked), *type_problems(document, locate)]
    where = locate("", "", "") if locate is not None else _place(_location_of(document))
    owner = f"{document.kind.replace('_', ' ')} '{document.name}'"
    return [
        Problem(f"{owner}: {reason}", where, hint)
        for reason, hint in (_task_flaws(document) if isinstance(document, TaskDocument) else _plan_flaws(document))
    ]


def type_problems(document: WorkflowDocument, locate: Locate | None = None) -> list[Problem]:
    """Every binding, constant and default of the document's graphs and tasks that does not fit its type.

    Args:
        locate: where things were written; by default what the document itself says.
    """
    find = locate or _stored(document)
    problems = [
        Problem(f"task '{key}': {reason}", _place(task.location), hint)
        for key, task in document.tasks.items()
        for reason, hint in _default_flaws(task.interface)
    ]
    for key, spec in document.workflows.items():
        problems += _Graph(document, key, spec, find).problems()
    return problems


def _flaw_problems(document: WorkflowDocument, locate: Locate | None, linked: bool) -> Iterator[Problem]:
    find = locate or _stored(document)
    for name in document.workflows:
        yield from (
            Problem(reason, find(name, "", ""), hint) for reason, hint in _name_flaws("workflow", name) if ":" not in name
        )
    for flaw in integrity_flaws(document, linked=linked):
        yield Problem(f"workflow '{flaw.workflow}': {flaw.reason}", find(flaw.workflow, flaw.node, ""))


@dataclass
class _Graph:
    """One graph of a document, while its types are checked."""

    document: WorkflowDocument
    key: str
    spec: WorkflowSpec
    locate: Locate
    _interfaces: dict[str, Interface | None] = field(default_factory=dict)  # by local id
    _sources: Sources = field(default_factory=Sources)

    def problems(self) -> Iterator[Problem]:
        spec = self.spec
        for reason, hint in _default_flaws(spec.interface):
            yield self._problem(reason, hint)
        tops = [*spec.nodes, *([spec.on_failure] if spec.on_failure is not None else ())]
        within = [pair for top in tops for pair in nodes_within(top)]
        for local, node in within:
            self._interfaces[local] = known_interface(self.document, node)
        self._sources.inputs = _types(spec.interface.inputs)
        for node in spec.nodes:
            interface = self._interfaces[node.id]
            if interface is not None:
                self._sources.add(node.id, _types(interface.outputs))
        for local, node in within:
            yield from self._node(local, node)
        outputs = _types(spec.interface.outputs)
        for name, binding in spec.outputs.items():
            if name in outputs:
                for reason, hint in binding_flaws(binding, outputs[name], self._sources):
                    yield self._problem(f"output '{name}': {reason}", hint, "", name)

    def _node(self, local: str, node: NodeSpec) -> Iterator[Problem]:
        interface = self._interfaces[local]
        what = f"node {local} ({node.kind.replace('_', ' ')}{' ' if node.target else ''}{node.target})"
        if interface is not None:
            types = self._sources.types_of(interface)
            for name, binding in node.inputs.items():
                if name in types:
                    for reason, hint in binding_flaws(binding, types[name], self._sources):
                        yield self._problem(f"input '{name}' of {what}: {reason}", hint, local, name)
        for reason, hint in self._own_flaws(local, node):
            yield self._problem(f"{what}: {reason}", hint, local)

    def _own_flaws(self, local: str, node: NodeSpec) -> Iterator[tuple[str, str | None]]:
        """What is wrong beside the inputs: a branch's conditions and outputs, the lengths of what a map maps over."""
        if node.branch is not None:
            for number, case in enumerate(node.branch.cases, 1):
                for comparison in comparisons(case.condition) if case.condition is not None else ():
                    for operand in (comparison.left, comparison.right):
                        for reason, hint in operand_flaws(operand, comparison.type, self._sources):
                            yield f"the condition of case {number}: {reason}", hint
                if case.node is not None:
                    yield from self._case_outputs(f"{local}.{case.node.id}", node.branch.outputs)
        if node.map is not None:
            lengths = {name: _length(node, name) for name in node.map.over}
            known = {name: length for name, length in lengths.items() if length is not None}
            if len(set(known.values())) > 1:
                told = ", ".join(f"{name!r} has {length}" for name, length in known.items())
                yield f"it maps over lists of different lengths: {told}", "the lists that are mapped over are equally long"

    def _case_outputs(self, local: str, declared: tuple[Variable, ...]) -> Iterator[tuple[str, str | None]]:
        interface = self._interfaces[local]
        given = _types(interface.outputs) if interface is not None else {}
        for variable in declared:
            reason = self._sources.mismatch(given[variable.name], variable.type) if variable.name in given else None
            if reason is not None:
                yield f"output '{variable.name}' of the node {local} of a case: {reason}", None

    def _problem(self, reason: str, hint: str | None, local: str = "", name: str = "") -> Problem:
        return Problem(f"workflow '{self.key}': {reason}", self.locate(self.key, local, name), hint)


# ------------------------------------------------------------------------------ tasks, launch plans


def _task_flaws(document: TaskDocument) -> Iterator[tuple[str, str | None]]:
    task = document.task
    yield from _name_flaws("task", task.name)
    if task.kind != REFERENCE and find_task_type(task.kind) is None:
        yield f"it has the kind {task.kind!r}, which no installed package offers", known_kinds()
    for reason, hint in type_flaws(task):
        yield f"it {reason}", hint
    for reason in (*settings_flaws(task.settings), *interface_flaws(task.interface)):
        yield reason if reason.startswith("it ") else f"it {reason}", None
    yield from _default_flaws(task.interface)


def _plan_flaws(document: LaunchPlanDocument) -> Iterator[tuple[str, str | None]]:
    plan = document.launch_plan
    yield from _name_flaws("launch plan", plan.name)
    for reason in launch_plan_flaws(plan):
        yield f"it {reason}", None
    types = _types(document.interface.inputs)
    for noun, values in (("default", plan.default_inputs), ("fixed", plan.fixed_inputs)):
        for name, value in values.items():
            if name not in types:
                yield f"invalid {noun} input '{name}'", f"inputs of '{plan.workflow}': {', '.join(types) or 'none'}"
                continue
            try:
                check_literal(value, types[name])
            except InputError as error:
                yield f"{noun} input '{name}': {error.message}", error.hint


def _name_flaws(noun: str, name: str) -> Iterator[tuple[str, str | None]]:
    try:
        check_entity(name)
    except InvalidName as error:
        yield f"{noun}: {error.message}", error.hint


def _default_flaws(interface: Interface) -> Iterator[tuple[str, str | None]]:
    for variable in interface.inputs:
        if not variable.required:
            try:
                check_literal(variable.default, variable.type)
            except InputError as error:
                yield f"the default of input '{variable.name}' does not fit: {error.message}", error.hint


# ------------------------------------------------------------------------------------------- places


def _stored(document: WorkflowDocument) -> Locate:
    """The places that the document says, as far as it says any."""
    places: dict[tuple[str, str], SourceLocation | None] = {}
    for key, spec in document.workflows.items():
        places[key, ""] = spec.location
        for top in (*spec.nodes, *([spec.on_failure] if spec.on_failure is not None else ())):
            for local, node in nodes_within(top):
                places[key, local] = node.location

    def locate(workflow: str, node: str, name: str) -> Location | None:
        return _place(places.get((workflow, node)) or places.get((workflow, "")))

    return locate


def _location_of(document: TaskDocument | LaunchPlanDocument) -> SourceLocation | None:
    return document.task.location if isinstance(document, TaskDocument) else document.launch_plan.location


def _place(location: SourceLocation | None) -> Location | None:
    return None if location is None else Location(location.file, location.line)


def _types(variables: tuple[Variable, ...]) -> Mapping[str, LiteralType]:
    return {variable.name: variable.type for variable in variables}


def _length(node: NodeSpec, name: str) -> int | None:
    """How many items a list has that is mapped over, if that is known already."""
    binding = node.inputs.get(name)
    if isinstance(binding, ListBinding):
        return len(binding.items)
    if isinstance(binding, LiteralBinding) and isinstance(binding.value, list):
        return len(binding.value)
    return None
