"""Which entity a person or a request means, and what inputs it takes."""

from __future__ import annotations

import difflib

from flytemp.errors import InputError, NotFound
from flytemp.names import EntityId, EntityKind, is_urn
from flytemp.registry import Registry
from flytemp.spec.models import Document, Interface, LaunchPlanDocument, TaskDocument, Variable, WorkflowDocument

_ORDER = (EntityKind.LAUNCH_PLAN, EntityKind.WORKFLOW, EntityKind.TASK)


def find_target(
    registry: Registry, text: str, *, project: str, domain: str, version: str | None = None
) -> tuple[EntityId, Document]:
    """The entity that ``text`` names, at ``version`` or the latest.

    ``text`` is a URN, a registered name (``pkg.wf.my_wf``), or the last part of one (``my_wf``) if that is unique.
    Of the same name, a launch plan comes before a workflow, a workflow before a task.

    Raises:
        NotFound: nothing has that name; the hint has near matches.
        InputError: several names end in ``text``.
    """
    if is_urn(text):
        entity = EntityId.parse(text)
        if version is not None and entity.version not in (None, version):
            raise InputError(f"{text} names version {entity.version}, and version {version} is asked for")
        return registry.get(
            EntityId(entity.kind, entity.project, entity.domain, entity.name, entity.version or version)
        )
    names = {kind: [summary.name for summary in registry.list(kind, project, domain)] for kind in _ORDER}
    for kind in _ORDER:
        if text in names[kind]:
            return registry.get(EntityId(kind, project, domain, text, version))
    for kind in _ORDER:
        matches = [name for name in names[kind] if name.rpartition(".")[2] == text]
        if len(matches) > 1:
            raise InputError(f"{text!r} may mean {' or '.join(sorted(matches))}", hint="give the whole registered name")
        if matches:
            return registry.get(EntityId(kind, project, domain, matches[0], version))
    aliased = _by_variable(registry, text, names[EntityKind.LAUNCH_PLAN], project, domain, version)
    if len(aliased) > 1:
        raise InputError(
            f"{text!r} may mean {' or '.join(entity.name for entity, _ in aliased)}", hint="give the launch plan's own name"
        )
    if aliased:
        return aliased[0]
    known = sorted({name for kind in _ORDER for name in names[kind]})
    raise NotFound(
        f"no launch plan, workflow or task is called {text!r} in {project}/{domain}", hint=_near(text, known)
    )


def _by_variable(
    registry: Registry, text: str, names: list[str], project: str, domain: str, version: str | None
) -> list[tuple[EntityId, Document]]:
    """The launch plans that a variable of this name holds in their files."""
    found: list[tuple[EntityId, Document]] = []
    for name in names:
        try:
            entity, document = registry.get(EntityId(EntityKind.LAUNCH_PLAN, project, domain, name, version))
        except NotFound:  # a launch plan that has no such version
            continue
        if isinstance(document, LaunchPlanDocument) and document.launch_plan.variable == text:
            found.append((entity, document))
    return found


def _near(text: str, known: list[str]) -> str:
    if not known:
        return "nothing is registered there yet: flytemp register PATH"
    tails = {name.rpartition(".")[2]: name for name in known}
    near = difflib.get_close_matches(text, [*known, *tails], n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(dict.fromkeys(tails.get(name, name) for name in near))}?"
    return "flytemp list launch-plans shows what there is"


def runnable(
    registry: Registry, entity: EntityId, document: Document
) -> tuple[EntityId, WorkflowDocument | TaskDocument]:
    """What actually runs: a launch plan's workflow (of the same project, domain and version), or the entity itself."""
    if not isinstance(document, LaunchPlanDocument):
        return entity, document
    workflow_id = EntityId(
        EntityKind.WORKFLOW, entity.project, entity.domain, document.launch_plan.workflow, entity.version
    )
    found, workflow = registry.get(workflow_id)
    assert isinstance(workflow, WorkflowDocument)
    return found, workflow


def interface_of(document: Document) -> Interface:
    """The whole interface of what runs."""
    if isinstance(document, TaskDocument):
        return document.task.interface
    return document.interface if isinstance(document, LaunchPlanDocument) else document.root.interface


def launch_interface(document: Document) -> Interface:
    """What a caller may set: a launch plan's fixed inputs are gone, its defaults are the defaults."""
    interface = interface_of(document)
    if not isinstance(document, LaunchPlanDocument):
        return interface
    plan = document.launch_plan
    inputs = tuple(
        _with_default(variable, plan.default_inputs)
        for variable in interface.inputs
        if variable.name not in plan.fixed_inputs
    )
    return Interface(inputs=inputs, outputs=interface.outputs)


def _with_default(variable: Variable, defaults: dict[str, object]) -> Variable:
    if variable.name not in defaults:
        return variable
    return variable.model_copy(update={"required": False, "default": defaults[variable.name]})
