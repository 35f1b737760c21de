"""Checks of documents, above all that bindings, constants and defaults fit their types.

Compilers, people, generators and dynamic tasks write documents. Names without a referent are reported by
`flytemp.spec.integrity`; bindings without a type for that reason are ignored here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flytemp.errors import InputError, InvalidName, Location, Problem
from flytemp.literals.check import check_literal
from flytemp.literals.types import Json, LiteralType
from flytemp.names import check_entity
from flytemp.spec.binding_types import SourceTypes, binding_problems
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.field_checks import interface_problems, launch_plan_problems, settings_problems
from flytemp.spec.graphs import all_nodes
from flytemp.spec.integrity import Locate, integrity_problems
from flytemp.spec.models import (
    Interface,
    LaunchPlanDocument,
    NodeSpec,
    SourceLocation,
    TaskDocument,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.node_forms import form_of
from flytemp.task_types import REFERENCE, find_task_type, known_kinds, task_type_problems


def document_problems(document: AnyDocument, locate: Locate | None = None, *, linked: bool = True) -> list[Problem]:
    """Return everything that is wrong with a document: names, numbers, integrity, types.

    Args:
        document: a document of any kind.
        locate: finds source locations; by default they are those in the document.
        linked: report references as well; see `flytemp.spec.integrity.integrity_problems`.
    """
    if isinstance(document, WorkflowDocument):
        find = locate or _stored(document)
        names = [
            problem.within("", find(name, "", ""))
            for name in document.workflows
            if ":" not in name
            for problem in _name_problems("workflow", name)
        ]
        return [*names, *integrity_problems(document, linked=linked, locate=find), *type_problems(document, find)]
    where = locate("", "", "") if locate is not None else _place(_location_of(document))
    owner = f"{document.kind.replace('_', ' ')} '{document.name}': "
    found = _task_problems(document) if isinstance(document, TaskDocument) else _plan_problems(document)
    return [problem.within(owner, where) for problem in found]


def type_problems(document: WorkflowDocument, locate: Locate | None = None) -> list[Problem]:
    """Return every binding, constant and default of the document's graphs and tasks that does not fit its type.

    Args:
        document: the document of a workflow.
        locate: finds source locations; by default they are those in the document.
    """
    find = locate or _stored(document)
    problems = [
        problem.within(f"task '{key}': ", _place(task.location))
        for key, task in document.tasks.items()
        for problem in _default_problems(task.interface)
    ]
    for key, spec in document.workflows.items():
        problems += _Graph(document, key, spec, find).problems()
    return problems


@dataclass
class _Graph:
    """Check of the types of one graph of a document."""

    document: WorkflowDocument
    key: str
    spec: WorkflowSpec
    locate: Locate
    _interfaces: dict[str, Interface | None] = field(default_factory=dict)  # by local id
    _sources: SourceTypes = field(default_factory=SourceTypes)

    def problems(self) -> Iterator[Problem]:
        spec = self.spec
        for problem in _default_problems(spec.interface):
            yield self._placed(problem)
        nodes = list(all_nodes(spec))
        for local, node in nodes:
            self._interfaces[local] = form_of(node).interface(node, self.document)
        self._sources.inputs = _types(spec.interface.inputs)
        for node in spec.nodes:
            interface = self._interfaces[node.id]
            if interface is not None:
                self._sources.add(node.id, _types(interface.outputs))
        for local, node in nodes:
            yield from self._node(local, node)
        outputs = _types(spec.interface.outputs)
        for name, binding in spec.outputs.items():
            if name in outputs:
                for problem in binding_problems(binding, outputs[name], self._sources):
                    yield self._placed(problem.within(f"output '{name}': "), "", name)

    def _node(self, local: str, node: NodeSpec) -> Iterator[Problem]:
        form, interface = form_of(node), self._interfaces[local]
        owner = f"node {local} ({form.words}{' ' if node.target else ''}{node.target})"
        if interface is not None:
            types = self._sources.types_of(interface)
            for name, binding in node.inputs.items():
                if name in types:
                    for problem in binding_problems(binding, types[name], self._sources):
                        yield self._placed(problem.within(f"input '{name}' of {owner}: "), local, name)
            children = {child.id: self._interfaces[f"{local}.{child.id}"] for child in form.children(node)}
            for problem in form.type_problems(node, self._sources, children):
                yield self._placed(problem.within(f"{owner}: "), local)

    def _placed(self, problem: Problem, local: str = "", name: str = "") -> Problem:
        return problem.within(f"workflow '{self.key}': ", self.locate(self.key, local, name))


# ------------------------------------------------------------------------------ tasks, launch plans


def _task_problems(document: TaskDocument) -> Iterator[Problem]:
    task = document.task
    yield from _name_problems("task", task.name)
    if task.kind != REFERENCE and find_task_type(task.kind) is None:
        yield Problem(f"it has the kind {task.kind!r}, which no installed package offers", hint=known_kinds())
    for problem in task_type_problems(task):
        yield problem.within("it ")
    for problem in settings_problems(task.settings):
        yield problem.within("it ")
    yield from interface_problems(task.interface)
    yield from _default_problems(task.interface)


def _plan_problems(document: LaunchPlanDocument) -> Iterator[Problem]:
    plan = document.launch_plan
    yield from _name_problems("launch plan", plan.name)
    for problem in launch_plan_problems(plan):
        yield problem.within("it ")
    types = _types(document.interface.inputs)
    for noun, values in (("default", plan.default_inputs), ("fixed", plan.fixed_inputs)):
        for name, value in values.items():
            if name not in types:
                hint = f"inputs of '{plan.workflow}': {', '.join(types) or 'none'}"
                yield Problem(f"invalid {noun} input '{name}'", hint=hint)
            else:
                yield from _literal_problems(value, types[name], f"{noun} input '{name}': ")


def _name_problems(noun: str, name: str) -> Iterator[Problem]:
    try:
        check_entity(name)
    except InvalidName as error:
        yield Problem(f"{noun}: {error.message}", hint=error.hint)


def _default_problems(interface: Interface) -> Iterator[Problem]:
    for variable in interface.inputs:
        if not variable.required:
            owner = f"the default of input '{variable.name}' does not fit: "
            yield from _literal_problems(variable.default, variable.type, owner)


def _literal_problems(value: Json, type_: LiteralType, owner: str) -> Iterator[Problem]:
    try:
        check_literal(value, type_)
    except InputError as error:
        yield Problem(f"{owner}{error.message}", hint=error.hint)


# ------------------------------------------------------------------------------------------- places


def _stored(document: WorkflowDocument) -> Locate:
    """Return a function that finds the source locations that the document has."""
    places: dict[tuple[str, str], SourceLocation | None] = {}
    for key, spec in document.workflows.items():
        places[key, ""] = spec.location
        for local, node in all_nodes(spec):
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
