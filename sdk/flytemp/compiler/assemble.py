"""Documents of single entities: a workflow with everything that it needs, a task, a launch plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, overload

from flytemp.authoring.callee import Entity
from flytemp.authoring.dynamic import DynamicTask
from flytemp.authoring.graph import Graph
from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.compiler.failures import problems_of, same_name, unique
from flytemp.compiler.validate import entity_problems, launch_plan_problems, name_problems, node_problems
from flytemp.errors import Problem, ProgramError
from flytemp.spec.canonical import AnyDocument, digest
from flytemp.spec.models import (
    BundleRef,
    Interface,
    LaunchPlanDocument,
    TaskDocument,
    WorkflowDocument,
    WorkflowSpec,
)

AnyTask = Task[..., Any]
AnyWorkflow = Workflow[..., Any]
AnyPlan = LaunchPlan[Any]


@dataclass
class Closure:
    """Tasks, workflows and launch plans that are needed together, by the keys that nodes call them by, and their problems.

    Attributes:
        whole: whether the closure has the workflows of called launch plans and the entities that dynamic tasks may call. What
            is registered together must be complete. A single workflow's document only refers to launch plans.
    """

    tasks: dict[str, AnyTask] = field(default_factory=dict)
    workflows: dict[str, AnyWorkflow] = field(default_factory=dict)
    launch_plans: dict[str, AnyPlan] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    whole: bool = False

    def add(self, entity: Entity, callers: tuple[Entity, ...] = ()) -> None:
        """Add an entity and everything that it calls."""
        if isinstance(entity, Workflow) and entity in callers:
            self.problems.append(entity.recursion_problem())
            return
        known: dict[str, Any] = getattr(self, entity.section)
        other = known.get(entity.key)
        if other is not None:
            if not _is_the_same(entity, other):
                self.problems.append(same_name(entity.kind_name, entity.name, f"at {other.site.location}", entity.site.location))
            return
        known[entity.key] = entity
        if isinstance(entity, Workflow) and not entity.is_reference:
            for callee in self._check_workflow(entity):
                self.add(callee, (*callers, entity))
            return
        self.problems += entity_problems(entity)
        if self.whole and not entity.is_reference:
            self._follow(entity)

    def _follow(self, entity: Entity) -> None:
        if isinstance(entity, LaunchPlan):
            self.add(entity.workflow)
        elif isinstance(entity, DynamicTask):
            for hint in entity.hints:
                self.add(hint)

    def _check_workflow(self, workflow: AnyWorkflow) -> list[Entity]:
        """Trace the workflow, note its problems, and return the entities that it calls."""
        self.problems += name_problems(workflow)
        try:
            graph = workflow.graph()
        except Exception as error:  # noqa: BLE001 - it is the user's code: anything may be raised
            self.problems += problems_of(error, f"compiling workflow '{workflow.name}'")
            return []
        return self.check_graph(graph)

    def check_graph(self, graph: Graph) -> list[Entity]:
        """Note the problems of a graph's nodes, and return the entities that it calls."""
        for node in graph.all_nodes():
            self.problems += node_problems(node)
        return graph.entities()

    def check(self) -> None:
        """Check that there are no problems.

        Raises:
            ProgramError: with all problems.
        """
        if self.problems:
            raise ProgramError(unique(self.problems))

    def part(self, workflow: AnyWorkflow) -> Closure:
        """Return the part of a sound closure that the document of one of its workflows needs."""
        part = Closure()
        pending: list[Entity] = [workflow]
        while pending:
            entity = pending.pop()
            entities: dict[str, Any] = getattr(part, entity.section)
            if entity.key not in entities:
                entities[entity.key] = getattr(self, entity.section)[entity.key]
                if isinstance(entity, Workflow) and not entity.is_reference:
                    pending += entity.graph().entities()
        return part

    def document(self, name: str, root: WorkflowSpec | None, bundle: BundleRef | None) -> WorkflowDocument:
        """Return the document of the workflow ``name``, which is ``root`` or a workflow of the closure."""
        workflows = {key: needed.spec() for key, needed in self.workflows.items()}
        if root is not None:
            workflows[name] = root
        return WorkflowDocument(
            name=name,
            workflows=dict(sorted(workflows.items())),
            tasks={key: task.spec() for key, task in sorted(self.tasks.items())},
            launch_plans={key: plan.reference() for key, plan in sorted(self.launch_plans.items())},
            bundle=bundle,
        )


def _is_the_same(entity: Entity, other: Entity) -> bool:
    """Return True if both stand for one entity: default launch plans and references may have several objects."""
    if entity is other:
        return True
    if entity.is_reference or other.is_reference:
        return entity.is_reference and other.is_reference
    if isinstance(entity, LaunchPlan) and isinstance(other, LaunchPlan):
        return entity.is_default and other.is_default and entity.workflow is other.workflow
    return False


def workflow_document(workflow: AnyWorkflow, bundle: BundleRef | None) -> WorkflowDocument:
    """Return the document of a workflow with every task and sub-workflow that it needs.

    Raises:
        ProgramError: with all problems of these.
    """
    closure = Closure()
    closure.add(workflow)
    closure.check()
    return closure.document(workflow.name, None, bundle)


def generated_document(task: AnyTask, graph: Graph) -> WorkflowDocument:
    """Return the graph of a dynamic task as the document of a workflow without inputs, under the task's name.

    Raises:
        ProgramError: with all problems of the graph.
    """
    closure = Closure()
    for callee in closure.check_graph(graph):
        closure.add(callee)
    # Launch plans are looked up when they are launched. Other references cannot be linked at run time.
    embedded: list[AnyTask | AnyWorkflow] = [*closure.tasks.values(), *closure.workflows.values()]
    closure.problems += [_reference_in_dynamic(task, entity) for entity in embedded if entity.is_reference]
    closure.check()
    interface = Interface(outputs=task.interface.outputs)
    nodes, outputs = graph.specs()
    root = WorkflowSpec(name=task.name, interface=interface, nodes=nodes, outputs=outputs, location=task.site.source())
    return closure.document(task.name, root, None)


def _reference_in_dynamic(task: AnyTask, entity: AnyTask | AnyWorkflow) -> Problem:
    return Problem(
        f"{entity.kind_name} '{entity.name}' is a reference: in {task.kind_name} '{task.name}', those are not supported",
        entity.site.location,
        "call it before the dynamic task and pass its result in, or use reference_launch_plan",
    )


def task_document(task: AnyTask, bundle: BundleRef | None) -> TaskDocument:
    """Return the document of a task; raises like `workflow_document`."""
    closure = Closure()
    closure.add(task)
    closure.check()
    return TaskDocument(task=task.spec(), bundle=bundle)


def launch_plan_document(
    plan: LaunchPlan[Any], bundle: BundleRef | None, workflow: WorkflowDocument | None = None
) -> LaunchPlanDocument:
    """Return the document of a launch plan, with its workflow's interface and digest; raises like `workflow_document`."""
    document = workflow or workflow_document(plan.workflow, bundle)
    problems = launch_plan_problems(plan)
    if problems:
        raise ProgramError(unique(problems))
    return LaunchPlanDocument(launch_plan=plan.spec(), interface=document.root.interface, workflow_digest=digest(document))


@overload
def compile_entity(entity: AnyTask, bundle: BundleRef | None = None) -> TaskDocument: ...
@overload
def compile_entity(entity: AnyWorkflow, bundle: BundleRef | None = None) -> WorkflowDocument: ...
@overload
def compile_entity(entity: LaunchPlan[Any], bundle: BundleRef | None = None) -> LaunchPlanDocument: ...
@overload
def compile_entity(entity: AnyTask | AnyWorkflow | LaunchPlan[Any], bundle: BundleRef | None = None) -> AnyDocument: ...
def compile_entity(entity: AnyTask | AnyWorkflow | LaunchPlan[Any], bundle: BundleRef | None = None) -> AnyDocument:
    """Return the document of one entity. For an entity of a loaded program, call it inside ``with program.activated():``.

    Raises:
        ProgramError: with all problems, each with file and line.
    """
    if isinstance(entity, Task):
        return task_document(entity, bundle)
    return launch_plan_document(entity, bundle) if isinstance(entity, LaunchPlan) else workflow_document(entity, bundle)
