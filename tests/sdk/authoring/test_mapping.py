"""`map_task`: nodes, plain calls, options and errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from flytemp import LaunchPlan, Resources, TaskMetadata, array_node_map_task, create_node, dynamic, map_task, task, workflow
from flytemp.errors import InputError, NotSupported, ProgramError
from flytemp.spec.models import InputBinding, LiteralBinding, MapSpec
from tests.messages.golden import check_golden, unlocated


@task(retries=1)
def scaled(x: int, by: int = 2) -> int:
    return x * by


@task
def summed(x: int, others: list[int]) -> int:
    return x + sum(others)


@task
def odd(x: int) -> int:
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x


@task
def two() -> tuple[int, int]:
    return 1, 2


@workflow
def scaled_wf(x: int) -> int:
    return scaled(x=x)


@dynamic
def scaled_dynamic(x: int) -> int:
    return scaled(x=x, by=10)


def test_a_map_is_one_node() -> None:
    @workflow
    def wf(xs: list[int]) -> list[int]:
        partial = functools.partial(scaled, by=5)
        return map_task(partial, concurrency=3)(x=xs).with_overrides(retries=4, name="five times")  # type: ignore[no-any-return]

    (node,) = wf.spec().nodes
    assert (node.kind, node.target) == ("map", f"{__name__}.scaled")
    assert node.map == MapSpec(kind="task", over=("x",), concurrency=3)
    assert node.inputs == {"x": InputBinding(var="xs"), "by": LiteralBinding(value=5)}
    assert node.overrides.name == "five times"
    assert node.overrides.settings is not None
    assert node.overrides.settings.retries.count == 4
    assert wf(xs=[1, 2]) == [5, 10]
    assert wf(xs=[]) == []


def test_a_plain_call_runs_every_item() -> None:
    assert map_task(scaled)(x=[1, 2, 3]) == [2, 4, 6]
    assert map_task(scaled)([1, 2], [3, 4]) == [3, 8]
    assert map_task(functools.partial(summed, others=[1, 2]))(x=[1, 2]) == [4, 5]
    assert map_task(functools.partial(scaled, 3))(by=[1, 2]) == [3, 6]
    assert array_node_map_task(scaled_wf)(x=[4]) == [8]
    assert map_task(scaled_dynamic)(x=[4]) == [40]
    assert map_task(LaunchPlan.get_or_create(scaled_wf))(x=[4]) == [8]


@pytest.mark.parametrize(
    ("options", "needed"),
    [({}, None), ({"min_success_ratio": 0.5}, 2), ({"min_successes": 2}, 2), ({"min_successes": 0}, 0)],
)
def test_number_of_required_successes(options: dict[str, Any], needed: int | None) -> None:
    mapped = map_task(odd, **options)
    if needed is None:
        with pytest.raises(ValueError, match="2 is even"):
            mapped(x=[1, 2, 3])
        return
    assert mapped(x=[1, 2, 3]) == [1, None, 3]
    assert mapped(x=[]) == []
    if needed:
        with pytest.raises(ValueError, match="is even"):
            mapped(x=[2, 4, 1])


def test_run_all_makes_every_call() -> None:
    ran: list[int] = []

    @task
    def fails(x: int) -> int:
        ran.append(x)
        raise ValueError("no")

    for run_all, count in ((False, 1), (True, 3)):
        ran.clear()
        with pytest.raises(ValueError, match="no"):
            map_task(fails, run_all_sub_nodes=run_all)(x=[1, 2, 3])
        assert len(ran) == count


def test_lists_must_have_the_same_length() -> None:
    @workflow
    def constants() -> list[int]:
        return map_task(scaled)(x=[1, 2, 3], by=[1])  # type: ignore[no-any-return]

    @workflow
    def later(xs: list[int]) -> list[int]:
        return map_task(scaled)(x=xs, by=[1])  # type: ignore[no-any-return]

    cases = {
        "a plain call": unlocated(lambda: map_task(scaled)(x=[1, 2, 3], by=[1]), InputError),
        "constants": unlocated(constants.spec, ProgramError),
        "a call of the workflow": unlocated(lambda: later(xs=[1, 2, 3]), InputError),
    }
    check_golden("map-lengths", cases)


def test_settings_of_the_calls() -> None:
    @workflow
    def wf(xs: list[int]) -> None:
        map_task(scaled, metadata=TaskMetadata(retries=3, timeout=5))(x=xs).with_overrides(requests=Resources(cpu="1"))
        map_task(scaled, items_per_task=10, run_all_sub_nodes=True, min_success_ratio=0.25)(x=xs)
        create_node(map_task(scaled_wf), x=xs)

    first, second, third = wf.spec().nodes
    assert first.overrides.settings is not None
    assert (first.overrides.settings.retries.count, first.overrides.settings.timeout_seconds) == (3, 5.0)
    assert first.overrides.settings.resources.requests.cpu == "1"
    assert second.overrides.settings is None
    assert second.map == MapSpec(over=("x",), items_per_task=10, run_all=True, min_success_ratio=0.25)
    assert third.map == MapSpec(kind="workflow", over=("x",))

    @workflow
    def refused(xs: list[int]) -> None:
        map_task(scaled_wf)(x=xs).with_overrides(retries=3)

    check_golden("map-overrides", {"retries of a workflow": unlocated(refused.spec, NotSupported)})


def test_invalid_maps_are_refused() -> None:
    calls: dict[str, Callable[[], object]] = {
        "several outputs": lambda: map_task(two),
        "a function": lambda: map_task(len),
        "negative concurrency": lambda: map_task(scaled, concurrency=-1),
        "ratio above 1": lambda: map_task(scaled, min_success_ratio=2),
        "no items per task": lambda: map_task(scaled, items_per_task=0),
        "metadata of a workflow": lambda: map_task(scaled_wf, metadata=TaskMetadata(retries=1)),
        "unknown metadata": lambda: map_task(scaled, metadata={"x": 1}),
        "unknown input of a partial": lambda: map_task(functools.partial(scaled, z=1)),
        "an input twice": lambda: map_task(functools.partial(scaled, by=1))(x=[1], by=[1]),
        "no list": lambda: map_task(functools.partial(scaled, x=1, by=1))(),
        "unknown input": lambda: map_task(scaled)(y=[1]),
        "missing input": lambda: map_task(summed)(x=[1]),
        "no list of items": lambda: map_task(scaled)(x=1),
    }
    check_golden("maps", {name: unlocated(call) for name, call in calls.items()})
