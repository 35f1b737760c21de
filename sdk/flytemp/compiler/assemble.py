"""Documents of single entities: a workflow with all that it needs, a task, a launch plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, overload

from flytemp.authoring.callee import Entity
from flytemp.authoring.dynamic import DynamicTask
from flytemp.authoring.graph import Graph
from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.compiler.failures import problems_of, unique
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
    """Tasks, workflows and launch plans that are needed together, by what nodes call them, and what is wrong with them.

    ``whole``: the workflows of launch plans that are called are needed as well, and what dynamic tasks say they may call:
    all that is registered together must be complete. A single workflow's document only refers to launch plans.
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
                self.problems.append(_same_name(entity, other))
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
        """Put the graph together; the entities that it calls."""
        self.problems += name_problems(workflow)
        try:
            graph = workflow.graph()
        except Exception as error:  # noqa: BLE001 - it is the user's code: anything may be raised
            self.problems += problems_of(error, f"compiling workflow '{workflow.name}'")
            return []
        return self.check_graph(graph)

    def check_graph(self, graph: Graph) -> list[Entity]:
        """Note what is wrong with a graph's nodes; the entities that it calls."""
        for node in graph.all_nodes():
            self.problems += node_problems(node)
        return graph.entities()

    def check(self) -> None:
        """Raise everything that is wrong.

        Raises:
            ProgramError: if anything is.
        """
        if self.problems:
            raise ProgramError(unique(self.problems))

    def document(self, name: str, root: WorkflowSpec | None, bundle: BundleRef | None) -> WorkflowDocument:
        """The document of workflow ``name``, which is ``root`` or one of those here."""
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
    """Default launch plans are made anew by each who asks for one; references by each who writes one."""
    if entity is other:
        return True
    if entity.is_reference or other.is_reference:
        return entity.is_reference and other.is_reference
    if isinstance(entity, LaunchPlan) and isinstance(other, LaunchPlan):
        return entity.is_default and other.is_default and entity.workflow is other.workflow
    return False


def _same_name(entity: Entity, other: Entity) -> Problem:
    noun, hint = entity.kind_name, "rename one of the functions"
    if isinstance(entity, LaunchPlan):
        hint = "every workflow has a launch plan of its own name: choose another"
    return Problem(
        f"two {noun}s are named '{entity.name}'; the other one is at {other.site.location}", entity.site.location, hint
    )


def workflow_document(workflow: AnyWorkflow, bundle: BundleRef | None) -> WorkflowDocument:
    """The workflow with every task and sub-workflow that it needs.

    Raises:
        ProgramError: with everything that is wrong with them.
    """
    closure = Closure()
    closure.add(workflow)
    closure.check()
    return closure.document(workflow.name, None, bundle)


def generated_document(task: AnyTask, graph: Graph) -> WorkflowDocument:
    """What a dynamic task made, as a document under the task's name: a workflow without inputs.

    Raises:
        ProgramError: with everything that is wrong with it.
    """
    closure = Closure()
    for callee in closure.check_graph(graph):
        closure.add(callee)
    # Launch plans are looked up when they are launched; the others would have to be put in now, when nothing is registered.
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
    """The task by itself; raises as `workflow_document`."""
    closure = Closure()
    closure.add(task)
    closure.check()
    return TaskDocument(task=task.spec(), bundle=bundle)


def launch_plan_document(
    plan: LaunchPlan[Any], bundle: BundleRef | None, workflow: WorkflowDocument | None = None
) -> LaunchPlanDocument:
    """The launch plan, with its workflow's interface and digest; raises as `workflow_document`."""
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
    """The document of one entity. Inside ``with program.activated():`` for an entity of a loaded program.

    Raises:
        ProgramError: with everything that is wrong with it, each with file and line.
    """
    if isinstance(entity, Task):
        return task_document(entity, bundle)
    return launch_plan_document(entity, bundle) if isinstance(entity, LaunchPlan) else workflow_document(entity, bundle)
