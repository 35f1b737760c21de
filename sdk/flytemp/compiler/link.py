"""Replacement of references by the registered entities, when a program is registered.

A workflow's document is self-contained, so a referenced task comes with its own bundle, a referenced workflow with all that
it calls. They stand under their URNs, with the version that they have now: nothing that is registered later changes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from flytemp.compiler.failures import unique
from flytemp.errors import InvalidName, Location, NotFound, Problem, ProgramError
from flytemp.launching.inputs import launch_interface
from flytemp.literals.cast import castable, variant_for
from flytemp.literals.describe import describe_type
from flytemp.names import DEFAULT_DOMAIN, DEFAULT_PROJECT, EntityId, EntityKind, EntityPointer
from flytemp.registry.registry import Registry
from flytemp.spec.canonical import AnyDocument, digest
from flytemp.spec.models import (
    BundleRef,
    Interface,
    LaunchPlanDocument,
    LaunchPlanReference,
    NodeSpec,
    SourceLocation,
    TaskDocument,
    TaskSpec,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.spec.node_forms import callee_section, form_of
from flytemp.spec.typecheck import document_problems


@dataclass(frozen=True, slots=True)
class Registration:
    """Project, domain and version of the registration that placeholders in references stand for.

    Without a given version, the version is a hash of the linked documents: ``version=None``.
    """

    project: str = DEFAULT_PROJECT
    domain: str = DEFAULT_DOMAIN
    version: str | None = None


def link_documents(
    documents: Iterable[AnyDocument], registry: Registry, registration: Registration | None = None
) -> list[AnyDocument]:
    """Return the documents of a program with their references replaced by the registered entities.

    A reference has the same version in each document. Documents without references are unchanged.

    Raises:
        ProgramError: with every reference to an entity that does not exist or has another interface.
        StoreError: if the store refuses.
    """
    before = list(documents)
    plans = {document.name: document for document in before if isinstance(document, LaunchPlanDocument)}
    linker = _Linker(registry, registration or Registration(), plans)
    after = [linker.linked(document) if isinstance(document, WorkflowDocument) else document for document in before]
    changed = [(old, new) for old, new in zip(before, after, strict=True) if new is not old and isinstance(new, WorkflowDocument)]
    # Each stub may agree with the registry while two stubs contradict each other.
    problems = linker.problems or [problem for _, new in changed for problem in document_problems(new)]
    if problems:
        raise ProgramError(unique(problems))
    digests = {digest(old): digest(new) for old, new in changed}
    return [
        document.model_copy(update={"workflow_digest": digests[document.workflow_digest]})
        if isinstance(document, LaunchPlanDocument) and document.workflow_digest in digests
        else document
        for document in after
    ]


@dataclass
class _Names:
    """New keys of called entities by their old keys, and the new keys of tasks that are dynamic."""

    tasks: dict[str, str] = field(default_factory=dict)
    workflows: dict[str, str] = field(default_factory=dict)
    launch_plans: dict[str, str] = field(default_factory=dict)
    dynamic: set[str] = field(default_factory=set)  # new keys

    def node(self, node: NodeSpec) -> NodeSpec:
        form, section = form_of(node), callee_section(node)
        if section is not None:
            names: dict[str, str] = getattr(self, section)
            target = names.get(node.target, node.target)
            if target != node.target:
                node = node.model_copy(update={"target": target})
            if form.callee_kind(node) == "task" and target in self.dynamic:
                node = form.with_callee_kind(node, "dynamic")
        return form.with_children(node, self.node)

    def workflow(self, spec: WorkflowSpec) -> WorkflowSpec:
        on_failure = None if spec.on_failure is None else self.node(spec.on_failure)
        return spec.model_copy(update={"nodes": tuple(map(self.node, spec.nodes)), "on_failure": on_failure})


@dataclass
class _Parts:
    """Sections of a document while it is linked."""

    workflows: dict[str, WorkflowSpec] = field(default_factory=dict)
    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    launch_plans: dict[str, LaunchPlanReference] = field(default_factory=dict)

    def of(self, document: WorkflowDocument) -> WorkflowDocument:
        """Return the document with these sections."""
        sections = {name: dict(sorted(getattr(self, name).items())) for name in ("workflows", "tasks", "launch_plans")}
        return document.model_copy(update=sections)

    def embed(self, document: WorkflowDocument, entity: EntityId) -> str:
        """Add a registered workflow, ``entity``, with everything that it calls, under URNs; return the workflow's URN."""

        def urn(kind: EntityKind, key: str) -> str:
            return key if ":" in key else str(replace(entity, kind=kind, name=key))

        names = _Names(
            {key: urn(EntityKind.TASK, key) for key in document.tasks},
            {key: urn(EntityKind.WORKFLOW, key) for key in document.workflows},
            {key: urn(EntityKind.LAUNCH_PLAN, key) for key in document.launch_plans},
        )
        for key, task in document.tasks.items():
            self.tasks[names.tasks[key]] = with_bundle(task, document.bundle)
        for key, spec in document.workflows.items():
            self.workflows[names.workflows[key]] = names.workflow(spec)
        for key, plan in document.launch_plans.items():
            here = {"project": plan.project or entity.project, "domain": plan.domain or entity.domain}
            version = plan.version or (entity.version if ":" not in key else None)
            self.launch_plans[names.launch_plans[key]] = plan.model_copy(update={**here, "version": version})
        return names.workflows[document.name]


@dataclass
class _Linker:
    """Resolver of references. Each reference is looked up once.

    Attributes:
        plans: the launch plans of the program, which are not registered yet.
    """

    registry: Registry
    registration: Registration
    plans: dict[str, LaunchPlanDocument]
    problems: list[Problem] = field(default_factory=list)
    _found: dict[str, tuple[EntityId, AnyDocument] | Problem] = field(default_factory=dict)

    def linked(self, document: WorkflowDocument) -> WorkflowDocument:
        names, parts = _Names(), _Parts()
        for key, task in document.tasks.items():
            found = self._task(key, task) if task.kind == "reference" else (key, task)
            if found is not None:
                names.tasks[key], parts.tasks[found[0]] = found
        names.dynamic = {key for key, task in parts.tasks.items() if task.kind == "dynamic"}
        for key, plan in document.launch_plans.items():
            pinned = self._launch_plan(plan) if plan.project is not None and plan.domain is not None else (key, plan)
            if pinned is not None:
                names.launch_plans[key], parts.launch_plans[pinned[0]] = pinned
        for key, spec in document.workflows.items():
            if spec.reference is not None:
                embedded = self._workflow(spec, spec.reference, parts)
                names.workflows[key] = embedded or key
        changed = [names.tasks, names.launch_plans, names.workflows]
        if not names.workflows and all(old == new for known in changed for old, new in known.items()):
            return document
        parts.workflows |= {key: names.workflow(spec) for key, spec in document.workflows.items() if spec.reference is None}
        return parts.of(document)

    def _task(self, key: str, task: TaskSpec) -> tuple[str, TaskSpec] | None:
        found = self._get(EntityKind.TASK, task.reference or key, task.interface, task.location)
        if found is None:
            return None
        entity, document = found
        assert isinstance(document, TaskDocument)
        return str(entity), with_bundle(document.task, document.bundle)

    def _launch_plan(self, plan: LaunchPlanReference) -> tuple[str, LaunchPlanReference] | None:
        pointer = EntityPointer(EntityKind.LAUNCH_PLAN, plan.project or "", plan.domain or "", plan.name, plan.version or None)
        if pointer.has_same_version and plan.name in self.plans:
            here = self._resolved(pointer)
            if (here.project, here.domain) == (self.registration.project, self.registration.domain):
                own = LaunchPlanReference(name=plan.name, interface=caller_interface(self.plans[plan.name]))
                return plan.name, own
        found = self._get(EntityKind.LAUNCH_PLAN, str(pointer), plan.interface, None)
        if found is None:
            return None
        entity, document = found
        interface = caller_interface(document)
        target = {"project": entity.project, "domain": entity.domain, "version": entity.version}
        return str(entity), plan.model_copy(update={**target, "interface": interface})

    def _workflow(self, spec: WorkflowSpec, urn: str, parts: _Parts) -> str | None:
        found = self._get(EntityKind.WORKFLOW, urn, spec.interface, spec.location)
        if found is None:
            return None
        entity, document = found
        assert isinstance(document, WorkflowDocument)
        return parts.embed(document, entity)

    def _get(
        self, kind: EntityKind, urn: str, stub: Interface, location: SourceLocation | None
    ) -> tuple[EntityId, AnyDocument] | None:
        """Return the entity of a reference; None, with a problem noted, if it does not exist or has another interface."""
        where = Location(location.file, location.line) if location is not None else None
        what = f"the reference to {kind.noun} {urn}"
        if urn not in self._found:
            self._found[urn] = self._looked_up(kind, urn, what)
        found = self._found[urn]
        if isinstance(found, Problem):
            self.problems.append(replace(found, location=where))
            return None
        entity, document = found
        differences = list(_differences(stub, caller_interface(document)))
        if differences:
            hint = f"write the stub as {entity} is registered: `flytemp get {kind.noun.replace(' ', '-')} {entity.name}`"
            self.problems.append(Problem(f"{what} has another interface: {'; '.join(differences)}", where, hint))
            return None
        return found

    def _resolved(self, pointer: EntityPointer) -> EntityId:
        here = self.registration
        return pointer.resolved(here.project, here.domain, here.version)

    def _looked_up(self, kind: EntityKind, urn: str, what: str) -> tuple[EntityId, AnyDocument] | Problem:
        try:
            entity = self._resolved(EntityPointer.parse(urn))
            if entity.kind is not kind:
                return Problem(f"{what} names a {entity.kind.noun}", None, f"a {kind.noun}'s URN begins with {kind.value}:")
            return self.registry.get(entity)
        except NotFound as error:
            return Problem(f"{what} cannot be resolved: {error.message}", None, error.hint)
        except InvalidName as error:
            return Problem(f"{what}: {error.message}", None, error.hint)


def with_bundle(task: TaskSpec, bundle: BundleRef | None) -> TaskSpec:
    """Return the task for the document of another program: with its own code bundle."""
    return task if task.bundle is not None else task.model_copy(update={"bundle": bundle})


def caller_interface(document: AnyDocument) -> Interface:
    """Return the inputs that a caller may give, and the outputs."""
    return launch_interface(document)


def _differences(stub: Interface, real: Interface) -> Iterator[str]:
    """Yield the reasons why calls of the stub do not fit the registered interface."""
    for noun, here, there in (("input", stub.inputs, real.inputs), ("output", stub.outputs, real.outputs)):
        types = {variable.name: variable.type for variable in there}
        for variable in here:
            if variable.name not in types:
                yield f"it has no {noun} '{variable.name}'"
                continue
            given, wanted = variable.type, types[variable.name]
            source, target = (given, wanted) if noun == "input" else (wanted, given)
            if not castable(source, target) or variant_for(source, target) is not None:
                yield f"its {noun} '{variable.name}' is {describe_type(wanted)}, and {describe_type(given)} here"
    names = {variable.name for variable in stub.inputs}
    for variable in real.inputs:
        if variable.required and variable.name not in names:
            yield f"it needs '{variable.name}: {describe_type(variable.type)}'"
