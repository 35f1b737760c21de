"""Bounds of numbers and fields of interfaces, workflows, launch plans and settings. Node forms check the fields of nodes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from flytemp.authoring.quantities import is_fraction_of_a_byte, is_quantity
from flytemp.errors import Problem
from flytemp.names import is_pool
from flytemp.pods.shape import pod_spec_problems
from flytemp.spec.bounds import MAX_COUNT, MAX_DURATION, MAX_FACTOR, MAX_SECONDS
from flytemp.spec.models import Interface, LaunchPlanSpec, MapSpec, TaskSettings, Variable, WorkflowSpec
from flytemp.spec.variables import environment_problems, variable_name_problem


def workflow_problems(spec: WorkflowSpec) -> Iterator[Problem]:
    """Yield the problems of a workflow, apart from those of its nodes."""
    for problem in positive("timeout_seconds", spec.timeout_seconds):
        yield problem.within("it ")
    yield from interface_problems(spec.interface)
    for name in sorted(spec.outputs.keys() - {variable.name for variable in spec.interface.outputs}):
        yield Problem(f"it gives {name!r}, which is not one of its outputs")


def interface_problems(interface: Interface) -> Iterator[Problem]:
    """Yield each input and each output whose name occurs twice."""
    yield from repeated_names("input", interface.inputs)
    yield from repeated_names("output", interface.outputs)


def launch_plan_problems(plan: LaunchPlanSpec) -> Iterator[Problem]:
    """Yield numbers that are out of bounds, and inputs that are given twice."""
    yield from positive("timeout_seconds", plan.timeout_seconds)
    if plan.max_parallelism is not None:
        yield from whole("max_parallelism", plan.max_parallelism, "zero (no limit)")
    for name in sorted(plan.default_inputs.keys() & plan.fixed_inputs.keys()):
        yield Problem(f"has {name!r} as a default and as a fixed input: keep one of them")


def settings_problems(settings: TaskSettings) -> Iterator[Problem]:
    """Yield settings of a task with which no process and no pod could run: numbers, variables, quantities, pod templates."""
    yield from _number_problems(settings)
    if settings.pool is not None and not is_pool(settings.pool):
        yield Problem(f"has the pool {settings.pool!r}: it must be 1 to 63 of a-z, 0-9 and '-', not '-' at an end")
    for text in environment_problems(settings.environment):
        yield Problem(f"has an environment that no task can have: {text}")
    for request in settings.secrets:
        if request.env_var is not None and (wrong := variable_name_problem(request.env_var)) is not None:
            yield Problem(f"has a secret with an invalid env_var: {wrong}")
    yield from _quantity_problems(settings)
    if settings.pod_template is not None:
        for text in pod_spec_problems(settings.pod_template.spec):
            yield Problem(f"has a malformed pod template: {text}")


_IN_BYTES = frozenset({"memory", "ephemeral_storage", "shared_memory"})


def _quantity_problems(settings: TaskSettings) -> Iterator[Problem]:
    stated = {"shared_memory": settings.shared_memory if isinstance(settings.shared_memory, str) else None}
    for kind in ("requests", "limits"):
        stated |= {f"{kind}.{name}": value for name, value in getattr(settings.resources, kind)}
    for name, value in stated.items():
        if value is not None and not is_quantity(value):
            yield Problem(f"has {name} {value!r}, which is not a Kubernetes quantity")
        elif value is not None and name.rpartition(".")[2] in _IN_BYTES and is_fraction_of_a_byte(value):
            hint = "a number without a unit is in bytes; add a unit, as in 500Mi"
            yield Problem(f"has {name} {value!r}, which is a fraction of a byte", hint=hint)


def _number_problems(settings: TaskSettings) -> Iterator[Problem]:
    for name in ("timeout_seconds", "queued_timeout_seconds", "deadline_seconds"):
        yield from positive(name, getattr(settings, name))
    retries, backoff = settings.retries, settings.retries.backoff
    yield from whole("retries", retries.count)
    for name, least, most in (("base_seconds", 0, MAX_SECONDS), ("factor", 1, MAX_FACTOR), ("cap_seconds", 0, MAX_SECONDS)):
        value = getattr(backoff, name)
        if not least <= value < math.inf:
            yield Problem(f"has a backoff with {name} {value}: it must be {'zero' if least == 0 else 'one'} or more")
        elif value > most:
            yield Problem(f"has a backoff with {name} {value}: it must be at most {most:g}")


def positive(name: str, value: float | None) -> Iterator[Problem]:
    """Yield a problem if a number of seconds is given and is not positive, or is longer than Temporal can wait."""
    if value is not None and not 0 < value < math.inf:
        yield Problem(f"has {name} {value}: it must be more than zero, or be left out")
    elif value is not None and value > MAX_SECONDS:
        yield Problem(f"has {name} {value}: it must be at most {MAX_DURATION}; leave it out for no limit")


def whole(name: str, value: int, least: str = "zero") -> Iterator[Problem]:
    """Yield a problem if a whole number is negative or beyond `MAX_COUNT`. ``least`` describes zero in the message."""
    if value < 0:
        yield Problem(f"has {name} {value}: it must be {least} or more")
    elif value > MAX_COUNT:
        yield Problem(f"has {name} {value}: it must be at most {MAX_COUNT}")


def repeated_names(noun: str, variables: tuple[Variable, ...], verb: str = "it has") -> Iterator[Problem]:
    """Yield a problem for each variable whose name an earlier one has."""
    names: set[str] = set()
    for variable in variables:
        if variable.name in names:
            yield Problem(f"{verb} the {noun} {variable.name!r} twice")
        names.add(variable.name)


def map_problems(spec: MapSpec) -> Iterator[Problem]:
    """Yield numbers of a map that are out of bounds, and inputs that it maps over twice."""
    if not spec.over:
        yield Problem("maps over no input")
    if len(set(spec.over)) != len(spec.over):
        yield Problem("maps over an input twice")
    if spec.concurrency is not None:
        yield from whole("concurrency", spec.concurrency, "zero (no limit)")
    if spec.min_successes is not None:
        yield from whole("min_successes", spec.min_successes)
    if not 0 <= spec.min_success_ratio <= 1:
        yield Problem(f"has min_success_ratio {spec.min_success_ratio}: it must be from 0 to 1")
    if not 1 <= spec.items_per_task <= MAX_COUNT:
        yield Problem(f"has items_per_task {spec.items_per_task}: it must be one or more, and at most {MAX_COUNT}")
    elif spec.items_per_task > 1 and spec.kind != "task":
        words = spec.kind.replace("_", " ")
        yield Problem(f"has items_per_task {spec.items_per_task}: only calls of a task share a start, not those of a {words}")
