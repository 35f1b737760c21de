"""Compiling a whole program: every problem at once, or every document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from flytemp.authoring.launch_plan import default_launch_plan
from flytemp.compiler.assemble import (
    Closure,
    launch_plan_document,
    task_document,
    workflow_document,
)
from flytemp.compiler.discover import AnyLaunchPlan, Entity, Program
from flytemp.compiler.failures import unique
from flytemp.compiler.validate import launch_plan_problems
from flytemp.errors import Location, Problem, ProgramError
from flytemp.spec.canonical import AnyDocument, digest
from flytemp.spec.models import BundleRef, TaskDocument


def compile_program(program: Program, bundle: BundleRef | None) -> list[AnyDocument]:
    """Documents of all tasks, workflows and launch plans: those of the modules, and what they refer to.

    Every workflow has a launch plan of its own name.

    Raises:
        ProgramError: with all problems of all modules, each with file and line.
    """
    entities: list[Entity] = [*program.tasks.values(), *program.workflows.values(), *program.launch_plans.values()]
    if not entities and not program.problems:
        raise ProgramError([_nothing(program)])
    return _compiled(program, entities, bundle, program.problems)


def compile_closure(program: Program, entity: Entity, bundle: BundleRef | None) -> list[AnyDocument]:
    """As `compile_program`, for one entity and what it refers to: other parts of the modules may be broken.

    What a dynamic task will call shows when it runs: for one, the launch plans of the modules come along.

    Raises:
        ProgramError: with all problems of these.
    """
    documents = _compiled(program, [entity], bundle, ())
    if not any(isinstance(document, TaskDocument) and document.task.kind == "dynamic" for document in documents):
        return documents
    return _compiled(program, [entity, *_sound_plans(program)], bundle, ())


def _sound_plans(program: Program) -> list[AnyLaunchPlan]:
    sound: list[AnyLaunchPlan] = []
    for plan in program.launch_plans.values():
        try:
            _compiled(program, [plan], None, ())
        except ProgramError:  # it is reported when it is called, or registered
            continue
        sound.append(plan)
    return sound


def content_version(documents: Iterable[AnyDocument]) -> str:
    """The default version: 16 hex digits that are equal exactly when the documents' contents are."""
    digests = sorted(digest(document) for document in documents)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]


def _compiled(
    program: Program, entities: Sequence[Entity], bundle: BundleRef | None, known: Iterable[Problem]
) -> list[AnyDocument]:
    with program.activated():
        closure = Closure(problems=list(known), whole=True)
        for entity in entities:
            closure.add(entity)
        plans = [plan for plan in closure.launch_plans.values() if not (plan.is_reference or plan.is_default)]
        own = [workflow for workflow in closure.workflows.values() if not workflow.is_reference]
        plans = [*(default_launch_plan(workflow) for workflow in own), *plans]
        closure.problems += _plan_problems(plans)
        closure.check()
        workflows = {workflow.name: workflow_document(workflow, bundle) for workflow in sorted(own, key=lambda each: each.name)}
        return [
            *(task_document(task, bundle) for _, task in sorted(closure.tasks.items()) if not task.is_reference),
            *workflows.values(),
            *(
                launch_plan_document(plan, bundle, workflows[plan.workflow.name])
                for plan in sorted(plans, key=lambda plan: plan.name)
            ),
        ]


def _nothing(program: Program) -> Problem:
    """The problem of a program without entities: in its only file, or somewhere below its root."""
    what, hint = "there is no task, workflow or launch plan", "decorate functions with @task and @workflow"
    if len(program.files) == 1:
        return Problem(what, Location(str(program.files[0]), 1), hint)
    return Problem(f"{what} in {program.root}", None, hint)


def _plan_problems(plans: Sequence[AnyLaunchPlan]) -> list[Problem]:
    first: dict[str, AnyLaunchPlan] = {}
    problems: list[Problem] = []
    for plan in plans:
        other = first.setdefault(plan.name, plan)
        if other is not plan:
            problems.append(
                Problem(
                    f"two launch plans are named '{plan.name}'; the other one is at {other.site.location}",
                    plan.site.location,
                    "every workflow has a launch plan of its own name: choose another",
                )
            )
        try:
            problems += launch_plan_problems(plan)
        except ProgramError as error:  # the workflow's interface, which is reported with the workflow
            problems += error.problems
    return unique(problems)
