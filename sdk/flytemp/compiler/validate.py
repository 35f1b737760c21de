"""Checks of single entities and nodes at compile time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flytemp.authoring.callee import Entity
from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.mapping import MapCall
from flytemp.authoring.node import Node
from flytemp.authoring.quantities import amount
from flytemp.authoring.task import Task, is_test_module
from flytemp.errors import InvalidName, Location, Problem, ProgramError
from flytemp.names import check_entity
from flytemp.spec.models import ResourceAmounts, ResourceSpec, TaskSettings
from flytemp.task_types import find_task_type, task_type_problems


def entity_problems(entity: Entity) -> Sequence[Problem]:
    """Return the problems of an entity by itself: of its interface, name and settings, but not of its graph."""
    try:
        _ = entity.python_interface
    except ProgramError as error:
        return error.problems
    if entity.is_reference:
        return ()
    if isinstance(entity, Task):
        return task_problems(entity)
    return launch_plan_problems(entity) if isinstance(entity, LaunchPlan) else name_problems(entity)


def launch_plan_problems(plan: LaunchPlan[Any]) -> list[Problem]:
    """Return the problems of a launch plan whose workflow has a valid interface."""
    if plan.workflow.is_reference:
        message = f"launch plan '{plan.name}': its workflow '{plan.workflow.name}' is a reference and cannot be registered again"
        hint = "use reference_launch_plan: every workflow has a launch plan of its own name"
        return [Problem(message, plan.site.location, hint)]
    return [*name_problems(plan), *plan.literals()[2]]


def task_problems(task: Task[..., Any]) -> list[Problem]:
    """Return the problems of a task that has a valid interface."""
    where = task.site.location
    problems = [*name_problems(task), *settings_problems(f"task '{task.name}'", task.settings, where)]
    ignored = task.settings.cache.ignored_inputs if task.settings.cache else ()
    problems += [
        Problem(f"task '{task.name}': its cache ignores '{name}', which is not an input", where, _inputs(task))
        for name in ignored
        if name not in task.python_interface.parameters
    ]
    problems += [problem.within(f"task '{task.name}' ", where) for problem in task_type_problems(task.spec())]
    if not task.is_loadable and not is_test_module(task.module):
        problems.append(
            Problem(
                f"task '{task.name}' is not a variable of its module, so the process that runs it cannot import it",
                where,
                "assign the task to a variable at the top level of the module",
            )
        )
    return problems


def node_problems(node: Node) -> list[Problem]:
    """Return the problems of a map's grouping, and of the settings that a call overrides."""
    problems = []
    callee = node.callee
    if isinstance(callee, MapCall) and callee.options.items_per_task > 1 and not _shares_tries(callee.target):
        message = f"{node}: items_per_task is {callee.options.items_per_task}, but each call needs a try of its own"
        problems.append(Problem(message, node.site.location, "leave items_per_task out"))
    settings = node.effective_settings
    if settings is not None and settings != callee.settings:
        problems += settings_problems(str(node), settings, node.site.location)
    return problems


def _shares_tries(target: object) -> bool:
    type_ = find_task_type(target.kind) if isinstance(target, Task) else None
    return type_ is None or type_.shares_tries


def name_problems(entity: Entity) -> list[Problem]:
    """Return the problem of an entity that cannot be registered under its name."""
    try:
        check_entity(entity.name)
    except InvalidName as error:
        return [Problem(error.message, entity.site.location, error.hint)]
    return []


def settings_problems(owner: str, settings: TaskSettings, where: Location) -> list[Problem]:
    """Return the problems of resources whose request exceeds the limit."""
    resources = settings.resources
    problems = [
        Problem(f"{owner}: the request of {request} {name.replace('_', ' ')} exceeds the limit of {limit}", where, _RAISE)
        for name, request, limit in _pairs(resources)
        if amount(request) > amount(limit)
    ]
    gpus = [value for value in (resources.requests.gpu, resources.limits.gpu) if value is not None]
    if len(gpus) == 2 and amount(gpus[0]) < amount(gpus[1]):
        problems.append(
            Problem(
                f"{owner}: the request of {gpus[0]} gpu differs from the limit of {gpus[1]}",
                where,
                "GPUs cannot be shared: give one number",
            )
        )
    return problems


_RAISE = "raise the limit or lower the request"


def _pairs(resources: ResourceSpec) -> list[tuple[str, str, str]]:
    return [
        (name, request, limit)
        for name in ResourceAmounts.model_fields
        if (request := getattr(resources.requests, name)) is not None and (limit := getattr(resources.limits, name)) is not None
    ]


def _inputs(task: Task[..., Any]) -> str:
    return f"its inputs: {', '.join(task.python_interface.parameters) or 'none'}"
