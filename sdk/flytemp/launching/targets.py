"""Targets of a launch: from a text that a person or a request gave to a registered document."""

from __future__ import annotations

from dataclasses import dataclass

from flytemp.errors import InputError, NotFound
from flytemp.names import LOCAL_VERSION, EntityId, EntityKind, is_urn
from flytemp.registry import Registry
from flytemp.registry.documents import entity_kind
from flytemp.spec.models import Document, LaunchPlanDocument, TaskDocument, WorkflowDocument
from flytemp.suggest import nearest

_PRECEDENCE = (EntityKind.LAUNCH_PLAN, EntityKind.WORKFLOW, EntityKind.TASK)


@dataclass(frozen=True, slots=True)
class LaunchTarget:
    """An entity to launch, with the document that its executions run.

    Attributes:
        entity: the id of the entity, with its version.
        document: the document of the entity.
        spec_id: the id of the document that runs: a launch plan's workflow, else the same as ``entity``.
        spec: the document that runs: a launch plan's workflow, else the same as ``document``.
    """

    entity: EntityId
    document: Document
    spec_id: EntityId
    spec: WorkflowDocument | TaskDocument


def find_target(
    registry: Registry, text: str, *, project: str, domain: str, version: str | None = None
) -> tuple[EntityId, Document]:
    """Return the id and the document of the entity that ``text`` names.

    A launch plan takes precedence over a workflow of the same name, and a workflow over a task.

    Args:
        registry: where the entity is registered.
        text: a URN, a registered name (``pkg.wf.my_wf``), the last part of a registered name (``my_wf``) if it is unique, or
            the name of the variable that holds a launch plan in its module.
        project: the project to search, unless ``text`` is a URN.
        domain: the domain to search, unless ``text`` is a URN.
        version: the version to return; the latest if None.

    Raises:
        NotFound: no entity has this name; the hint lists similar names.
        InputError: ``text`` is ambiguous, or a URN of another version than ``version``.
    """
    if is_urn(text):
        entity = EntityId.parse(text)
        if version is not None and entity.version not in (None, version):
            raise InputError(
                f"{text} names version {entity.version}, but version {version} was requested", hint="leave one of them out"
            )
        return registry.get(EntityId(entity.kind, entity.project, entity.domain, entity.name, entity.version or version))
    names = {kind: [summary.name for summary in registry.list(kind, project, domain)] for kind in _PRECEDENCE}
    for kind in _PRECEDENCE:
        if text in names[kind]:
            return registry.get(EntityId(kind, project, domain, text, version))
    for kind in _PRECEDENCE:
        matches = [name for name in names[kind] if name.rpartition(".")[2] == text]
        if len(matches) > 1:
            raise InputError(f"{text!r} may mean {' or '.join(sorted(matches))}", hint="give the full registered name")
        if matches:
            return registry.get(EntityId(kind, project, domain, matches[0], version))
    aliased = _by_variable(registry, text, names[EntityKind.LAUNCH_PLAN], project, domain, version)
    if len(aliased) > 1:
        raise InputError(
            f"{text!r} may mean {' or '.join(entity.name for entity, _ in aliased)}", hint="give the launch plan's own name"
        )
    if aliased:
        return aliased[0]
    known = sorted({name for kind in _PRECEDENCE for name in names[kind]})
    raise NotFound(
        f"no launch plan, workflow or task is named {text!r} in {project}/{domain}", hint=_similar_names(text, known)
    )


def _by_variable(
    registry: Registry, text: str, names: list[str], project: str, domain: str, version: str | None
) -> list[tuple[EntityId, Document]]:
    """Return the launch plans that are held by a variable of this name in their modules."""
    found: list[tuple[EntityId, Document]] = []
    for name in names:
        try:
            entity, document = registry.get(EntityId(EntityKind.LAUNCH_PLAN, project, domain, name, version))
        except NotFound:  # the launch plan has no such version
            continue
        if isinstance(document, LaunchPlanDocument) and document.launch_plan.variable == text:
            found.append((entity, document))
    return found


def _similar_names(text: str, known: list[str]) -> str:
    if not known:
        return "nothing is registered there yet; register a program with: flytemp register PATH"
    tails = {name.rpartition(".")[2]: name for name in known}
    near = nearest(text, [*known, *tails], count=3, similarity=0.5)
    if near:
        return f"did you mean {' or '.join(dict.fromkeys(tails.get(name, name) for name in near))}?"
    return "flytemp list launch-plans lists the registered launch plans"


def load_target(registry: Registry, entity: EntityId, document: Document) -> LaunchTarget:
    """Return the target with the document that runs: a launch plan's workflow is read from the registry.

    The workflow has the project, domain and version of its launch plan.

    Raises:
        NotFound: the launch plan's workflow is not registered.
    """
    if not isinstance(document, LaunchPlanDocument):
        return LaunchTarget(entity, document, entity, document)
    workflow = EntityId(EntityKind.WORKFLOW, entity.project, entity.domain, document.launch_plan.workflow, entity.version)
    spec_id, spec = registry.get(workflow)
    assert isinstance(spec, WorkflowDocument)
    return LaunchTarget(entity, document, spec_id, spec)


def program_target(document: Document, workflow: WorkflowDocument | None, project: str, domain: str) -> LaunchTarget:
    """Return the target of a local run: an entity of a program that is not registered.

    Args:
        document: the task, workflow or launch plan to launch.
        workflow: the launch plan's workflow, where ``document`` is a launch plan.
        project: the project of the execution.
        domain: the domain of the execution.
    """
    spec = workflow if isinstance(document, LaunchPlanDocument) else document
    assert spec is not None
    entity = EntityId(entity_kind(document), project, domain, document.name, LOCAL_VERSION)
    spec_id = EntityId(entity_kind(spec), project, domain, spec.name, LOCAL_VERSION)
    return LaunchTarget(entity, document, spec_id, spec)
