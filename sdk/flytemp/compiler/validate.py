"""What can be checked of one task, node or name before anything runs."""

from __future__ import annotations

from typing import Any

from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.mapping import MapCall
from flytemp.authoring.node import Node
from flytemp.authoring.quantities import amount
from flytemp.authoring.task import Task, is_test_module
from flytemp.authoring.workflow import Workflow
from flytemp.errors import InvalidName, Location, Problem
from flytemp.names import check_entity
from flytemp.spec.models import ResourceAmounts, ResourceSpec, TaskSettings
from flytemp.task_types import find_task_type, type_flaws


def task_problems(task: Task[..., Any]) -> list[Problem]:
    """What is wrong with a task whose interface is sound."""
    where = task.place.location
    problems = [*name_problems(task), *settings_problems(f"task '{task.name}'", task.settings, where)]
    ignored = task.settings.cache.ignored_inputs if task.settings.cache else ()
    problems += [
        Problem(f"task '{task.name}': its cache ignores '{name}', which is no input", where, _inputs(task))
        for name in ignored
        if name not in task.python_interface.parameters
    ]
    problems += [Problem(f"task '{task.name}' {flaw}", where, hint) for flaw, hint in type_flaws(task.spec())]
    if not task.is_loadable and not is_test_module(task.module):
        problems.append(
            Problem(
                f"task '{task.name}' is not a variable of its module: the process that runs it could not find it",
                where,
                "assign the task to a variable at the top level of the module",
            )
        )
    return problems


def node_problems(node: Node) -> list[Problem]:
    """What is wrong with a map's grouping, and with the settings that a call overrides."""
    problems = []
    callee = node.callee
    if isinstance(callee, MapCall) and callee.options.items_per_task > 1 and not _shares_tries(callee.target):
        message = f"{node}: items_per_task is {callee.options.items_per_task}, and each call needs a try of its own"
        problems.append(Problem(message, node.place.location, "leave items_per_task out"))
    settings = node.effective_settings
    if settings is not None and settings != callee.settings:
        problems += settings_problems(str(node), settings, node.place.location)
    return problems


def _shares_tries(target: object) -> bool:
    type_ = find_task_type(target.kind) if isinstance(target, Task) else None
    return type_ is None or type_.shares_tries


def name_problems(entity: Task[..., Any] | Workflow[..., Any] | LaunchPlan[Any]) -> list[Problem]:
    """Whether the entity can be registered under its name."""
    try:
        check_entity(entity.name)
    except InvalidName as error:
        return [Problem(error.message, entity.place.location, error.hint)]
    return []


def settings_problems(owner: str, settings: TaskSettings, where: Location) -> list[Problem]:
    """Resources that no machine can give."""
    resources = settings.resources
    problems = [
        Problem(f"{owner}: it requests {request} of {name.replace('_', ' ')} and is limited to {limit}", where, _RAISE)
        for name, request, limit in _pairs(resources)
        if amount(request) > amount(limit)
    ]
    gpus = [value for value in (resources.requests.gpu, resources.limits.gpu) if value is not None]
    if len(gpus) == 2 and amount(gpus[0]) < amount(gpus[1]):
        problems.append(
            Problem(
                f"{owner}: it requests {gpus[0]} of gpu and is limited to {gpus[1]}",
                where,
                "GPUs are not shared: give one number",
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
