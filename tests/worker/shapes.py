"""Programs with every kind of node. Their tasks run in the test's process and can be blocked."""

from __future__ import annotations

import functools
import threading
from datetime import timedelta

from flytemp import (
    FlyteError,
    LaunchPlan,
    WorkflowFailurePolicy,
    approve,
    conditional,
    dynamic,
    map_task,
    sleep,
    task,
    wait_for_input,
    workflow,
)

DEADLINE_SECONDS = 60.0
SEEN: list[str] = []
"""Calls of tasks, which the tasks record themselves."""


class Holds:
    """Names of tasks that block until the name is removed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._names: set[str] = set()
        self.waiting: set[str] = set()

    def hold(self, *names: str) -> None:
        with self._changed:
            self._names.update(names)

    def release(self) -> None:
        with self._changed:
            self._names.clear()
            self._changed.notify_all()

    def wait(self, name: str) -> None:
        with self._changed:
            self.waiting.add(name)
            assert self._changed.wait_for(lambda: name not in self._names, DEADLINE_SECONDS)
            self.waiting.discard(name)


HOLDS = Holds()
BROKEN: set[str] = set()
"""Names of tasks that fail."""


@task
def double(x: int) -> int:
    SEEN.append(f"double {x}")
    HOLDS.wait(f"double {x}")
    return 2 * x


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@task
def count_none(xs: list[int | None]) -> int:
    return sum(x is None for x in xs)


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def text_of(n: int, size: int) -> str:
    return str(n) * size


@task
def lengths(texts: list[str]) -> list[int]:
    return [len(text) for text in texts]


@task
def fragile(name: str, x: int) -> int:
    SEEN.append(f"fragile {name} {x}")
    if name in BROKEN:
        raise ValueError(f"{name} is broken")
    return x


@task
def fragile_double(x: int) -> int:
    return 2 * x


@task
def odd_only(x: int) -> int:
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x


@task
def clean_up(name: str, err: FlyteError | None = None) -> None:
    SEEN.append(f"clean up {name}: {err.failed_node_id if err else None}")
    HOLDS.wait(f"clean up {name}")


@workflow
def inner(x: int) -> int:
    return add(a=double(x=x), b=1)


@workflow
def mapped(n: int) -> int:
    return total(xs=map_task(double)(x=numbers(n=n)))


@workflow
def mapped_outputs(n: int) -> list[int]:
    return map_task(double)(x=numbers(n=n))


@workflow
def mapped_texts(n: int, size: int) -> list[int]:
    return lengths(texts=map_task(functools.partial(text_of, size=size))(n=numbers(n=n)))


@workflow
def mapped_odd(n: int) -> int:
    return count_none(xs=map_task(odd_only, min_success_ratio=0.4)(x=numbers(n=n)))


@workflow
def mapped_all_odd(n: int) -> list[int]:
    return map_task(odd_only)(x=numbers(n=n))


@workflow
def mapped_groups(n: int) -> int:
    return count_none(xs=map_task(odd_only, min_success_ratio=0.4, items_per_task=3)(x=numbers(n=n)))


@workflow
def mapped_inner(n: int) -> int:
    return total(xs=map_task(inner)(x=numbers(n=n)))


@dynamic
def spread(n: int) -> int:
    values = [double(x=x) for x in range(n)]
    return total(xs=values)


@dynamic
def late_gate(x: int) -> int:
    HOLDS.wait("late")
    return add(a=x, b=wait_for_input("late", timeout=timedelta(hours=1), expected_type=int))


@dynamic
def endless(n: int) -> int:
    return endless(n=n + 1)


@workflow
def spread_twice(n: int) -> int:
    return add(a=spread(n=n), b=spread(n=n))


@workflow
def either(x: int) -> int:
    big = add(a=x, b=0)
    size = conditional("size").if_(big > 10).then(inner(x=big)).elif_(big == 10).then(add(a=big, b=1))
    return size.else_().fail("small")


inner_plan = LaunchPlan.get_or_create(inner, name="shapes-inner", labels={"of": "plan"})


@workflow
def parent(x: int) -> int:
    return add(a=inner_plan(x=x), b=inner_plan(x=x))


@workflow
def failing_child(name: str) -> int:
    return fragile(name=name, x=1)


failing_plan = LaunchPlan.get_or_create(failing_child, name="shapes-failing")


@workflow
def parent_of_failing(name: str) -> int:
    return failing_plan(name=name)


@workflow
def gated(x: int) -> int:
    more = wait_for_input("more", timeout=timedelta(hours=1), expected_type=int)
    return add(a=approve(double(x=x), "enough", timeout=timedelta(hours=1)), b=more)


@workflow
def gated_items(xs: list[int]) -> list[int]:
    return map_task(gated)(x=xs)


@workflow
def gated_results(x: int) -> list[int]:
    return map_task(gated)(x=[double(x=x), 2, 3])


@workflow
def doubled_items(x: int) -> None:
    map_task(double)(x=[x, 10, 11, 12])


@workflow(on_failure=doubled_items)
def guarded_by_map(x: int) -> int:
    return double(x=x)


@workflow
def slept(x: int) -> int:
    waited = sleep(timedelta(seconds=1))
    result = add(a=x, b=1)
    waited >> result  # type: ignore[operator]
    return result


@workflow(on_failure=clean_up)
def guarded(name: str) -> int:
    return add(a=fragile(name=name, x=1), b=fragile(name="other", x=double(x=7)))


@workflow(timeout=timedelta(seconds=1))
def impatient(x: int) -> int:
    return double(x=x)


@workflow
def long_chain(x: int) -> int:
    for _ in range(5):
        x = inner(x=x)
    return x


@workflow
def mapped_fragile(xs: list[int]) -> int:
    return total(xs=map_task(functools.partial(fragile, name="sick"))(x=xs))


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def stubborn(x: int) -> int:
    return add(a=add(a=fragile(name="sick", x=x), b=1), b=double(x=x))


@workflow
def either_mapped(n: int) -> int:
    xs = numbers(n=n)
    doubled = conditional("many").if_(xs[0] == 1).then(map_task(fragile_double)(x=xs)).else_().then(map_task(double)(x=xs))
    return total(xs=doubled)


@workflow
def two_steps(name: str) -> int:
    first = fragile(name="first", x=1)
    return add(a=fragile(name=name, x=first), b=double(x=first))


ENTITIES = (
    double, add, total, count_none, numbers, text_of, lengths, fragile, odd_only, clean_up, inner, mapped,
    mapped_outputs, mapped_texts, mapped_odd, mapped_all_odd, mapped_groups, mapped_inner, spread, endless,
    spread_twice, either, inner_plan, parent, failing_child, failing_plan, parent_of_failing, gated, gated_items, slept,
    guarded, impatient, long_chain, fragile_double, late_gate, mapped_fragile, stubborn, either_mapped, two_steps,
    gated_results, guarded_by_map,
)  # fmt: skip
