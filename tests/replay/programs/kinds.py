"""Programs with every kind of node, for the golden histories."""

import time
from datetime import timedelta
from pathlib import Path
from typing import List, Optional

from flytemp import (
    FlyteError,
    LaunchPlan,
    NonRecoverableError,
    Timeout,
    approve,
    conditional,
    dynamic,
    map_task,
    sleep,
    task,
    wait_for_input,
    workflow,
)


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(xs: List[int]) -> int:
    return sum(xs)


@task
def numbers(n: int) -> List[int]:
    return list(range(n))


@task
def odd(x: int) -> int:
    if x % 2 == 0:
        raise NonRecoverableError(f"{x} is even")
    return x


@task
def known(xs: List[Optional[int]]) -> int:
    return sum(x for x in xs if x is not None)


@task
def text(x: int) -> str:
    return str(x) * 600


@task
def length(texts: List[str]) -> int:
    return sum(map(len, texts))


@task
def slow(x: int) -> int:
    time.sleep(60)
    return x


@task
def needs(file: str) -> int:
    if not Path(file).exists():
        raise NonRecoverableError("there is no file")
    return 1


@task
def clean(x: int, err: Optional[FlyteError] = None) -> None:
    print(x, err)


@workflow
def inner(x: int) -> int:
    return add(a=add(a=x, b=1), b=1)


@workflow
def chosen(x: int) -> int:
    big = add(a=x, b=1)
    return conditional("size").if_((big > 10) & (big < 100)).then(inner(x=big)).elif_(big == 10).then(add(a=big, b=1)).else_().fail("small")


@workflow
def chosen_by_large(n: int) -> int:
    values = numbers(n=n)
    return conditional("third").if_(values[3] == 3).then(add(a=values[2], b=values[1])).else_().fail("odd numbers")


@workflow
def mapped(xs: List[int]) -> int:
    return total(xs=map_task(inner, concurrency=2)(x=xs))


@workflow
def some_fail(xs: List[int]) -> int:
    return known(xs=map_task(odd, min_success_ratio=0.5)(x=xs))


@workflow
def grouped(xs: List[int]) -> int:
    return known(xs=map_task(odd, min_success_ratio=0.5, items_per_task=2)(x=xs))


@workflow
def all_must(xs: List[int]) -> List[int]:
    return map_task(odd)(x=xs)


@workflow
def mapped_texts(n: int) -> int:
    return length(texts=map_task(text)(x=[1, 2, 3]))


@workflow
def mapped_range(n: int) -> int:
    return total(xs=map_task(inner)(x=numbers(n=n)))


@task
def halves(xs: List[int]) -> (List[int], List[int]):
    middle = len(xs) // 2
    return xs[:middle], xs[middle:]


@task
def merged(a: List[int], b: List[int]) -> List[int]:
    return sorted(a + b)


@dynamic
def sorted_numbers(xs: List[int]) -> List[int]:
    if len(xs) <= 1:
        return xs
    low, high = xs[: len(xs) // 2], xs[len(xs) // 2 :]
    return merged(a=sorted_numbers(xs=low), b=sorted_numbers(xs=high))


inner_plan = LaunchPlan.get_or_create(inner, name="kinds-inner")


@workflow
def parent(x: int) -> int:
    return add(a=inner_plan(x=x), b=inner_plan(x=x))


@workflow
def slept(x: int) -> int:
    waited = sleep(timedelta(seconds=1))
    result = add(a=x, b=1)
    waited >> result
    return result


@workflow(on_failure=clean)
def guarded(x: int) -> int:
    return add(a=odd(x=add(a=x, b=1)), b=1)


@task(timeout=Timeout(deadline=1))
def late(x: int) -> int:
    time.sleep(60)
    return x


@workflow
def hurried(x: int) -> int:
    return late(x=x)


@workflow(timeout=timedelta(seconds=1))
def impatient(x: int) -> int:
    return slow(x=x)


@workflow
def gated(x: int) -> int:
    more = wait_for_input("more", timeout=timedelta(hours=1), expected_type=int)
    return add(a=approve(add(a=x, b=1), "good", timeout=timedelta(hours=1)), b=more)


@workflow
def gated_items(xs: List[int]) -> int:
    return total(xs=map_task(gated)(x=xs))


@workflow
def mended(file: str) -> int:
    return add(a=needs(file=file), b=add(a=1, b=1))
