"""Compilation of a whole program: all documents, or all problems at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from flytemp.authoring.launch_plan import default_launch_plan
from flytemp.compiler.assemble import Closure, launch_plan_document
from flytemp.compiler.discover import AnyLaunchPlan, Entity, Program
from flytemp.compiler.failures import same_name, unique
from flytemp.compiler.validate import launch_plan_problems
from flytemp.errors import Location, Problem, ProgramError
from flytemp.names import is_same_version
from flytemp.spec.canonical import AnyDocument, digest, invalid_text
from flytemp.spec.models import BundleRef, TaskDocument, WorkflowDocument


def compile_program(program: Program, bundle: BundleRef | None) -> list[AnyDocument]:
    """Return the documents of all tasks, workflows and launch plans of the modules, and of those that they call.

    Every workflow has a launch plan of its own name.

    Raises:
        ProgramError: with all problems of all modules, each with file and line.
    """
    entities: list[Entity] = [*program.tasks.values(), *program.workflows.values(), *program.launch_plans.values()]
    if not entities and not program.problems:
        raise ProgramError([_nothing(program)])
    return _compiled(program, entities, bundle, program.problems)


def compile_closure(program: Program, entity: Entity, bundle: BundleRef | None) -> list[AnyDocument]:
    """Return the documents of one entity and of those that it calls; other parts of the modules may be broken.

    The calls of a dynamic task are unknown before it runs, so the modules' launch plans are included for a dynamic task.
    Launch plans of the modules to which references of the same version refer are included as well.

    Raises:
        ProgramError: with all problems of these.
    """
    documents = _compiled(program, [entity], bundle, ())
    others: list[Entity] = _referenced(program, documents)
    if any(isinstance(document, TaskDocument) and document.task.kind == "dynamic" for document in documents):
        others += _sound_plans(program)
    return _compiled(program, [entity, *others], bundle, ()) if others else documents


def _referenced(program: Program, documents: Iterable[AnyDocument]) -> list[Entity]:
    """Return the launch plans of the program, and the workflows of default launch plans, that references of it refer to."""
    plans = [plan for document in documents if isinstance(document, WorkflowDocument) for plan in document.launch_plans.values()]
    names = dict.fromkeys(plan.name for plan in plans if plan.version is not None and is_same_version(plan.version))
    own: list[Entity] = [program.launch_plans[name] for name in names if name in program.launch_plans]
    return [*own, *(program.workflows[name] for name in names if name in program.workflows)]


def _sound_plans(program: Program) -> list[AnyLaunchPlan]:
    sound: list[AnyLaunchPlan] = []
    for plan in program.launch_plans.values():
        try:
            _compiled(program, [plan], None, ())
        except ProgramError:  # reported when the launch plan is called or registered
            continue
        sound.append(plan)
    return sound


def content_version(documents: Iterable[AnyDocument]) -> str:
    """Return the default version: 16 hex digits that are equal exactly if the documents' contents are equal."""
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
        workflows = {
            workflow.name: closure.part(workflow).document(workflow.name, None, bundle)
            for workflow in sorted(own, key=lambda each: each.name)
        }
        documents: list[AnyDocument] = [
            *(
                TaskDocument(task=task.spec(), bundle=bundle)
                for _, task in sorted(closure.tasks.items())
                if not task.is_reference
            ),
            *workflows.values(),
            *(
                launch_plan_document(plan, bundle, workflows[plan.workflow.name])
                for plan in sorted(plans, key=lambda plan: plan.name)
            ),
        ]
    if problems := [problem for document in documents for problem in _text_problems(document)]:
        raise ProgramError(problems)
    return documents


def _nothing(program: Program) -> Problem:
    """Return the problem of a program without entities, located in its only file or below its root."""
    what, hint = "there is no task, workflow or launch plan", "decorate functions with @task and @workflow"
    if len(program.files) == 1:
        return Problem(what, Location(str(program.files[0]), 1), hint)
    return Problem(f"{what} in {program.root}", None, hint)


def _text_problems(document: AnyDocument) -> Iterator[Problem]:
    """Yield the problem of a document with a text that cannot be stored."""
    if (text := invalid_text(document)) is not None:
        hint = "remove the character; a lone surrogate is a byte of a file name that is not UTF-8"
        noun = document.kind.replace("_", " ")
        yield Problem(f"{noun} '{document.name}' contains a text that is not Unicode: {text}", None, hint)


def _plan_problems(plans: Sequence[AnyLaunchPlan]) -> list[Problem]:
    first: dict[str, AnyLaunchPlan] = {}
    problems: list[Problem] = []
    for plan in plans:
        other = first.setdefault(plan.name, plan)
        if other is not plan:
            problems.append(same_name(plan.kind_name, plan.name, f"at {other.site.location}", plan.site.location))
        try:
            problems += launch_plan_problems(plan)
        except ProgramError as error:  # about the workflow's interface; reported with the workflow as well
            problems += error.problems
    return unique(problems)
