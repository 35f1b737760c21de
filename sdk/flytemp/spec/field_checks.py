"""Bounds of numbers and fields of interfaces, workflows, launch plans and settings. Node forms check the fields of nodes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from flytemp.errors import Problem
from flytemp.names import is_pool
from flytemp.spec.models import Interface, LaunchPlanSpec, MapSpec, TaskSettings, Variable, WorkflowSpec


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
    if plan.max_parallelism is not None and plan.max_parallelism < 0:
        yield Problem(f"has max_parallelism {plan.max_parallelism}: it must be zero (no limit) or more")
    for name in sorted(plan.default_inputs.keys() & plan.fixed_inputs.keys()):
        yield Problem(f"has {name!r} as a default and as a fixed input: keep one of them")


def settings_problems(settings: TaskSettings) -> Iterator[Problem]:
    """Yield numbers in the settings of a task that are out of bounds."""
    for name in ("timeout_seconds", "queued_timeout_seconds", "deadline_seconds"):
        yield from positive(name, getattr(settings, name))
    retries, backoff = settings.retries, settings.retries.backoff
    if retries.count < 0:
        yield Problem(f"has retries {retries.count}: it must be zero or more")
    for name, least in (("base_seconds", 0), ("factor", 1), ("cap_seconds", 0)):
        value = getattr(backoff, name)
        if not least <= value < math.inf:
            yield Problem(f"has a backoff with {name} {value}: it must be {'zero' if least == 0 else 'one'} or more")
    if settings.pool is not None and not is_pool(settings.pool):
        yield Problem(f"has the pool {settings.pool!r}: it must be 1 to 63 of a-z, 0-9 and '-', not '-' at an end")


def positive(name: str, value: float | None) -> Iterator[Problem]:
    """Yield a problem if a number of seconds is given and is not positive and finite."""
    if value is not None and not 0 < value < math.inf:
        yield Problem(f"has {name} {value}: it must be more than zero, or be left out")


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
    if spec.concurrency is not None and spec.concurrency < 0:
        yield Problem(f"has concurrency {spec.concurrency}: it must be zero (no limit) or more")
    if spec.min_successes is not None and spec.min_successes < 0:
        yield Problem(f"has min_successes {spec.min_successes}: it must be zero or more")
    if not 0 <= spec.min_success_ratio <= 1:
        yield Problem(f"has min_success_ratio {spec.min_success_ratio}: it must be from 0 to 1")
    if spec.items_per_task < 1:
        yield Problem(f"has items_per_task {spec.items_per_task}: it must be one or more")
    elif spec.items_per_task > 1 and spec.kind != "task":
        words = spec.kind.replace("_", " ")
        yield Problem(f"has items_per_task {spec.items_per_task}: only calls of a task share a start, not those of a {words}")
