"""Documents of single entities: a workflow with all that it needs, a task, a launch plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.compiler.failures import problems_of, unique
from flytemp.compiler.validate import name_problems, node_problems, task_problems
from flytemp.errors import Problem, ProgramError
from flytemp.spec.canonical import AnyDocument, digest
from flytemp.spec.models import BundleRef, LaunchPlanDocument, TaskDocument, WorkflowDocument

AnyTask = Task[..., Any]
AnyWorkflow = Workflow[..., Any]


@dataclass
class Closure:
    """Tasks and workflows that are needed together, and what is wrong with them."""

    tasks: dict[str, AnyTask] = field(default_factory=dict)
    workflows: dict[str, AnyWorkflow] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, entity: AnyTask | AnyWorkflow, callers: tuple[AnyWorkflow, ...] = ()) -> None:
        """Add an entity and everything that it calls."""
        if isinstance(entity, Workflow) and entity in callers:
            self.problems.append(entity.recursion_problem())
            return
        known = self.tasks if isinstance(entity, Task) else self.workflows
        other = known.get(entity.name)
        if other is not None:
            if other is not entity:
                self.problems.append(_same_name(entity, other))
            return
        if isinstance(entity, Task):
            self.tasks[entity.name] = entity
            self._check_task(entity)
        else:
            self.workflows[entity.name] = entity
            for callee in self._check_workflow(entity):
                self.add(callee, (*callers, entity))

    def _check_task(self, task: AnyTask) -> None:
        try:
            _ = task.python_interface
        except ProgramError as error:
            self.problems += error.problems
        else:
            self.problems += task_problems(task)

    def _check_workflow(self, workflow: AnyWorkflow) -> list[AnyTask | AnyWorkflow]:
        """Put the graph together; the entities that it calls."""
        self.problems += name_problems(workflow)
        try:
            nodes = workflow.nodes
        except Exception as error:  # noqa: BLE001 - it is the user's code: anything may be raised
            self.problems += problems_of(error, f"putting workflow '{workflow.name}' together")
            return []
        for node in nodes:
            self.problems += node_problems(node)
        return workflow.callees()

    def check(self) -> None:
        """Raise everything that is wrong.

        Raises:
            ProgramError: if anything is.
        """
        if self.problems:
            raise ProgramError(unique(self.problems))


def _same_name(entity: AnyTask | AnyWorkflow, other: AnyTask | AnyWorkflow) -> Problem:
    return Problem(
        f"two {entity.noun}s are named '{entity.name}'; the other one is at {other.place.location}",
        entity.place.location,
        "rename one of the functions",
    )


def workflow_document(workflow: AnyWorkflow, bundle: BundleRef | None) -> WorkflowDocument:
    """The workflow with every task and sub-workflow that it needs.

    Raises:
        ProgramError: with everything that is wrong with them.
    """
    closure = Closure()
    closure.add(workflow)
    closure.check()
    return WorkflowDocument(
        name=workflow.name,
        workflows={name: needed.spec() for name, needed in sorted(closure.workflows.items())},
        tasks={name: task.spec() for name, task in sorted(closure.tasks.items())},
        bundle=bundle,
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


def launch_plan_problems(plan: LaunchPlan[Any]) -> list[Problem]:
    """What is wrong with a launch plan whose workflow's interface is sound."""
    return [*name_problems(plan), *plan.literals()[2]]


def compile_entity(entity: AnyTask | AnyWorkflow | LaunchPlan[Any], bundle: BundleRef | None = None) -> AnyDocument:
    """The document of one entity. Inside ``with program.activated():`` for an entity of a loaded program.

    Raises:
        ProgramError: with everything that is wrong with it, each with file and line.
    """
    if isinstance(entity, Task):
        return task_document(entity, bundle)
    return launch_plan_document(entity, bundle) if isinstance(entity, LaunchPlan) else workflow_document(entity, bundle)
