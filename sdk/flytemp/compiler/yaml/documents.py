"""Documents of spec files: validated, completed with the entities of the same program, and checked."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter, ValidationError

from flytemp.compiler.failures import same_name
from flytemp.compiler.yaml.trees import Tree
from flytemp.errors import Location, Problem
from flytemp.launching.inputs import launch_interface
from flytemp.literals.types import SchemaModel
from flytemp.spec import models
from flytemp.spec.canonical import AnyDocument, content, digest
from flytemp.spec.graphs import all_nodes
from flytemp.spec.models import (
    BundleRef,
    Document,
    LaunchPlanDocument,
    LaunchPlanReference,
    LaunchPlanSpec,
    NodeSpec,
    Section,
    TaskDocument,
    TaskSpec,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.node_form import Path
from flytemp.spec.node_forms import CALLS, callee_section, form_of
from flytemp.spec.typecheck import document_problems
from flytemp.suggest import suggest
from flytemp.task_types import normalised_task

Entry = TaskSpec | WorkflowSpec | LaunchPlanReference
_Place = tuple["YamlSource", tuple[str, ...]]
_LACKING = re.compile(r"calls the (task|dynamic|workflow|launch plan) '([^']*)', which the document lacks")


@dataclass(frozen=True, slots=True)
class YamlSource:
    """Document as it is in a file, with the tree that it was read from."""

    document: AnyDocument
    tree: Tree
    file: str

    def place(self, *path: str | int) -> Location:
        return Location(self.file, self.tree.at(path)[0])


def validated(tree: Tree, file: str, problems: list[Problem]) -> YamlSource | None:
    """Return the document of a complete form; None, with problems added to ``problems``, if the form is invalid."""
    try:
        return YamlSource(_adapter().validate_python(tree.plain()), tree, file)
    except ValidationError as error:
        for wrong in error.errors(include_url=False, include_input=False, include_context=False):
            problems.append(_problem(tree, file, wrong["loc"], wrong["type"], wrong["msg"]))
        return None


@functools.cache
def _adapter() -> TypeAdapter[AnyDocument]:
    return TypeAdapter(Document)


def _problem(tree: Tree, file: str, path: tuple[str | int, ...], kind: str, message: str) -> Problem:
    line, walked = tree.at(path)
    last = path[-1] if path else ""
    hint = None
    if kind == "extra_forbidden":
        hint = suggest(str(last), _fields(), "") or None
        message, walked = f"there is no key {last!r} here", walked[:-1]
    elif kind == "missing":
        message = f"the key {last!r} is missing"
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in walked).lstrip(".")
    return Problem(f"{where}: {message}" if where else message, Location(file, line), hint)


@functools.cache
def _fields() -> list[str]:
    """Return the names of all keys of documents."""
    known = [value for value in vars(models).values() if isinstance(value, type) and issubclass(value, SchemaModel)]
    return sorted({name for model in known for name in model.model_fields})


# --------------------------------------------------------------------------- what belongs together


@dataclass
class _Known:
    """Entities that the documents of a program can call, with the places of those that are in files."""

    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    workflows: dict[str, WorkflowSpec] = field(default_factory=dict)
    launch_plans: dict[str, LaunchPlanReference] = field(default_factory=dict)
    bundles: dict[str, BundleRef | None] = field(default_factory=dict)  # of the workflows and tasks of files
    places: dict[tuple[str, str], tuple[YamlSource, tuple[str, ...]]] = field(default_factory=dict)

    def of(self, section: Section) -> Mapping[str, Entry]:
        entries: Mapping[str, Entry] = getattr(self, section)
        return entries


def complete_documents(
    written: Sequence[YamlSource], compiled: Sequence[AnyDocument], bundle: BundleRef | None, problems: list[Problem]
) -> list[AnyDocument]:
    """Return the documents to register: those of the files, and those of the tasks and workflows inside them.

    Args:
        written: the documents of the files.
        compiled: the documents of the program's modules, whose entities the files may call.
        bundle: the program's code.
        problems: problems are added to this list.
    """
    known = _Known()
    for document in compiled:
        _add_compiled(known, document)
    for each in written:
        _add_written(known, each, problems)
    for each in written:
        if isinstance(each.document, LaunchPlanDocument):
            _add_plan(known, each.document)
    workflows = {
        name: _complete(name, known, known.bundles[f"workflow {name}"] or bundle)
        for (noun, name) in known.places
        if noun == "workflow" and ":" not in name
    }
    tasks: list[AnyDocument] = [
        TaskDocument(task=known.tasks[name], bundle=known.bundles[f"task {name}"] or bundle)
        for (noun, name) in known.places
        if noun == "task" and ":" not in name and known.tasks[name].kind != "reference"
    ]
    documents = [*tasks, *workflows.values()]
    for document in documents:
        problems += _checked(document, known)
    plans = _launch_plans(written, compiled, workflows, known, problems)
    return [*documents, *plans]


def _add_compiled(known: _Known, document: AnyDocument) -> None:
    if isinstance(document, TaskDocument):
        known.tasks[document.name] = document.task
    elif isinstance(document, WorkflowDocument):
        known.tasks |= {key: task for key, task in document.tasks.items() if key not in known.tasks}
        known.workflows |= {key: spec for key, spec in document.workflows.items() if key not in known.workflows}
        known.launch_plans |= document.launch_plans
    else:
        known.launch_plans[document.name] = _reference(document)


def _add_written(known: _Known, written: YamlSource, problems: list[Problem]) -> None:
    document = written.document
    if isinstance(document, TaskDocument):
        _add(known, "task", document.name, normalised_task(document.task), (written, ("task",)), problems)
        known.bundles.setdefault(f"task {document.name}", document.bundle)
        return
    if isinstance(document, LaunchPlanDocument):
        return  # it has the interface of its workflow, which may be in a later file
    for key, task in document.tasks.items():
        _add(known, "task", key, normalised_task(task), (written, ("tasks", key)), problems)
        known.bundles.setdefault(f"task {key}", document.bundle)
    for key, spec in document.workflows.items():
        _add(known, "workflow", key, spec, (written, ("workflows", key)), problems)
        known.bundles.setdefault(f"workflow {key}", document.bundle)
    known.launch_plans |= document.launch_plans
    if document.name not in document.workflows:
        hint = f"its `workflows` are {', '.join(document.workflows) or 'none'}"
        problems.append(Problem(f"the document lacks its own workflow '{document.name}'", written.place("name"), hint))


def _add_plan(known: _Known, document: LaunchPlanDocument) -> None:
    workflow = known.workflows.get(document.launch_plan.workflow)
    if workflow is not None:
        document = document.model_copy(update={"interface": workflow.interface})
    known.launch_plans.setdefault(document.name, _reference(document))


def _add(known: _Known, noun: str, key: str, entry: TaskSpec | WorkflowSpec, place: _Place, problems: list[Problem]) -> None:
    other = known.of("tasks" if isinstance(entry, TaskSpec) else "workflows").get(key)
    if other is not None and content(other) != content(entry):
        first = known.places.get((noun, key))
        where = f"at {first[0].place(*first[1])}" if first is not None else "in a module of the same program"
        problems.append(same_name(noun, key, where, place[0].place(*place[1])))
        return
    if other is None or (noun, key) in known.places:
        known.places.setdefault((noun, key), place)
        if isinstance(entry, TaskSpec):
            known.tasks[key] = entry
        else:
            known.workflows[key] = entry
            known.launch_plans.setdefault(key, LaunchPlanReference(name=key, interface=entry.interface))


def _complete(name: str, known: _Known, bundle: BundleRef | None) -> WorkflowDocument:
    """Return the document of a workflow with everything that it calls, as far as it is known."""
    called: dict[str, set[str]] = {"tasks": set(), "workflows": {name}, "launch_plans": set()}
    pending = [name]
    while pending:
        for _, node in all_nodes(known.workflows[pending.pop()]):
            section = callee_section(node)
            if section is None or node.target in called[section] or node.target not in known.of(section):
                continue
            called[section].add(node.target)
            if section == "workflows":
                pending.append(node.target)
    return WorkflowDocument(
        name=name,
        workflows={key: known.workflows[key] for key in sorted(called["workflows"])},
        tasks={key: known.tasks[key] for key in sorted(called["tasks"])},
        launch_plans={key: known.launch_plans[key] for key in sorted(called["launch_plans"])},
        bundle=bundle,
    )


# ---------------------------------------------------------------------------------------- checking


def _checked(document: AnyDocument, known: _Known) -> Iterator[Problem]:
    """Yield the problems of a document, with lines of its files."""
    lines: dict[tuple[str, str], tuple[YamlSource, tuple[str | int, ...]]] = {}
    if isinstance(document, WorkflowDocument):
        for key in document.workflows:
            place = known.places.get(("workflow", key))
            if place is not None:
                lines |= {(key, local): (place[0], (*place[1], *path)) for local, path in _node_paths(document.workflows[key])}
                lines[key, ""] = place

    def locate(workflow: str, node: str, name: str) -> Location | None:
        if not workflow:
            place = known.places.get((document.kind, document.name))
            return place[0].place(*place[1]) if place is not None else None
        found = lines.get((workflow, node)) or lines.get((workflow, ""))
        if found is None:
            return None
        return found[0].place(*found[1], *(("inputs" if node else "outputs", name) if name else ()))

    for problem in document_problems(document, locate, linked=False):
        yield _hinted(problem, known)


def _hinted(problem: Problem, known: _Known) -> Problem:
    """Return the problem with a hint of similar names, if it is about an entity that does not exist."""
    found = _LACKING.search(problem.message)
    if found is None or problem.hint is not None:
        return problem
    names = list(known.of(CALLS[found[1].replace(" ", "_")].section))
    otherwise = f"define it in a file or module that is registered with this one: {_shown(names)}"
    return replace(problem, hint=suggest(found[2], names, otherwise))


def _shown(names: list[str]) -> str:
    return f"those have {', '.join(sorted(names)[:10])}" if names else "those have none"


def _node_paths(spec: WorkflowSpec) -> Iterator[tuple[str, Path]]:
    """Yield the local id of each node of a workflow, and the fields and indexes that lead to the node."""
    for index, node in enumerate(spec.nodes):
        yield from _paths_within(node, ("nodes", index), "")
    if spec.on_failure is not None:
        yield from _paths_within(spec.on_failure, ("on_failure",), "")


def _paths_within(node: NodeSpec, path: Path, around: str) -> Iterator[tuple[str, Path]]:
    local = around + node.id
    yield local, path
    for inner, child in form_of(node).child_paths(node):
        yield from _paths_within(child, (*path, *inner), f"{local}.")


# ------------------------------------------------------------------------------------ launch plans


def _launch_plans(
    written: Iterable[YamlSource],
    compiled: Iterable[AnyDocument],
    workflows: Mapping[str, WorkflowDocument],
    known: _Known,
    problems: list[Problem],
) -> list[AnyDocument]:
    """Return the launch plans of the files, and the default launch plan of each of their workflows."""
    modules = {document.name: document for document in compiled if isinstance(document, WorkflowDocument)}
    taken = {document.name: "in a module" for document in compiled if isinstance(document, LaunchPlanDocument)}
    plans: list[AnyDocument] = []
    for name, workflow in workflows.items():
        plan = LaunchPlanSpec(name=name, workflow=name, location=workflow.root.location)
        plans.append(_plan_document(plan, workflow))
        taken[name] = "the default one of the workflow"
    for each in written:
        if not isinstance(each.document, LaunchPlanDocument):
            continue
        name, place = each.document.name, each.place("launch_plan", "name")
        if name in workflows and _is_default(each.document.launch_plan):
            continue
        if name in taken:
            problems.append(same_name("launch plan", name, taken[name], place))
            continue
        taken[name] = f"at {place}"
        called = each.document.launch_plan.workflow
        document = _own_plan(each, workflows.get(called) or modules.get(called), [*workflows, *modules], problems)
        if document is not None:
            plans.append(document)
    return plans


def _own_plan(
    written: YamlSource, workflow: WorkflowDocument | None, names: list[str], problems: list[Problem]
) -> LaunchPlanDocument | None:
    """Return the document of a launch plan in a file, with its workflow's interface and digest."""
    document = written.document
    assert isinstance(document, LaunchPlanDocument)
    plan, place = document.launch_plan, written.place("launch_plan", "name")
    if workflow is not None:
        document = _plan_document(plan, workflow)
    elif not document.workflow_digest:
        problems.append(
            Problem(
                f"launch plan '{plan.name}' launches the workflow '{plan.workflow}', which does not exist",
                written.place("launch_plan", "workflow"),
                suggest(plan.workflow, names, "register the workflow together with it"),
            )
        )
        return None
    problems += document_problems(document, lambda workflow, node, name: place)
    return document


def _is_default(plan: LaunchPlanSpec) -> bool:
    """Return True for the default launch plan of a workflow: it has the workflow's name and no settings."""
    return content(plan) == content(LaunchPlanSpec(name=plan.name, workflow=plan.name))


def _plan_document(plan: LaunchPlanSpec, workflow: WorkflowDocument) -> LaunchPlanDocument:
    return LaunchPlanDocument(launch_plan=plan, interface=workflow.root.interface, workflow_digest=digest(workflow))


def _reference(document: LaunchPlanDocument) -> LaunchPlanReference:
    return LaunchPlanReference(name=document.name, interface=launch_interface(document))
