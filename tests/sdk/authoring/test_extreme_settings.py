"""Settings with which no task could run are refused where the program states them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flytemp import (
    Backoff,
    ContainerTask,
    LaunchPlan,
    PodTemplate,
    Resources,
    RetryStrategy,
    Secret,
    Timeout,
    map_task,
    task,
    workflow,
)
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.gates import approve, sleep
from flytemp.compiler import compile_entity
from flytemp.errors import ProgramError


@task
def same(x: int) -> int:
    return x


def function(x: int) -> int:
    return x


@pytest.mark.parametrize(
    "options",
    [
        {"environment": {"A=B": "x"}}, {"environment": {"": "x"}}, {"environment": {"A": "a\0b"}},
        {"environment": {"A": "\udce9"}},
        {"environment": {"A B": "x"}}, {"environment": {"FLYTEMP_INVOCATION": "x"}}, {"environment": {"A": "x" * 200_000}},
        {"timeout": timedelta.max}, {"timeout": 1e300}, {"timeout": 10**400}, {"timeout": 10**5000}, {"timeout": float("nan")},
        {"retries": 10**30}, {"labels": {"a": "\udce9"}}, {"annotations": {"a": "b\0"}}, {"container_image": "a\0b"},
        {"pod_template_name": "../secrets/x"},
    ],
    ids=lambda options: next(iter(options)),
)  # fmt: skip
def test_impossible_options_of_a_task_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        task(function, **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Timeout(max_queued_time=timedelta.max), lambda: Timeout(deadline=timedelta.max), lambda: Timeout(max_runtime=4e9),
        lambda: Backoff(base=timedelta.max), lambda: Backoff(cap=1e300), lambda: Backoff(factor=1e308),
        lambda: RetryStrategy(10**30).spec(), lambda: PodTemplate(primary_container_name="A B"),
        lambda: Secret(group=3),  # type: ignore[arg-type]
        lambda: Resources(cpu=float("nan")), lambda: Secret(group="g", key="k", env_var="A=B"),
        lambda: Secret(group="g", key="\udce9"),
        lambda: Secret(group="g", mount_requirement="FILE"),  # type: ignore[arg-type]
        lambda: RetryStrategy(1, backoff=timedelta(1)).spec(),  # type: ignore[arg-type]
        lambda: Resources(mem="9" * 400), lambda: Resources(mem="1e300"), lambda: Resources(cpu=10**5000),
        lambda: Resources(ephemeral_storage="10E"),
        lambda: ContainerTask(name="nul", image="debian", command=["a\0"]),
        lambda: workflow(function, timeout=timedelta.max),
    ],
)  # fmt: skip
def test_impossible_values_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(SettingsError):
        make()


def calling(x: int) -> int:
    return same(x=x)


def sleeping(x: int) -> int:
    sleep(timedelta.max)
    return same(x=x)


def approving(x: int) -> int:
    return approve(same(x=x), "release", timeout=timedelta.max)  # type: ignore[no-any-return]


def overriding(x: int) -> int:
    return same(x=x).with_overrides(timeout=timedelta.max)  # type: ignore[attr-defined, no-any-return]


def mapping(x: list[int]) -> list[int]:
    return map_task(same, concurrency=10**30)(x=x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("body", [sleeping, approving, overriding, mapping])
def test_impossible_values_in_a_graph_are_refused(body: Callable[..., Any]) -> None:
    with pytest.raises(ProgramError):
        compile_entity(workflow(body))


def test_parallelism_of_a_launch_plan_is_bounded() -> None:
    with pytest.raises(SettingsError):
        LaunchPlan.create("too-parallel", workflow(calling), max_parallelism=10**30)
