"""Workflows that pass on what they are given, or know already; tasks without outputs; calls by position."""
from typing import Any, Dict, List, Optional, Tuple

from flytemp import task, workflow

GREETING = "good morning"
LIMITS = {"low": 1, "high": 10}


@task
def note(text: str) -> None:
    print("noted:", text)


@task
def forget():
    print("nothing to say")


@task
def increment(x: int, by: int = 1) -> int:
    return x + by


@task
def pair(first: int, second: int) -> Tuple[int, int]:
    return second, first


@workflow
def constant_wf() -> str:
    return GREETING


@workflow
def constants_wf() -> Tuple[int, Dict[str, int], List[float], bool]:
    note(text="constants")
    return 3, LIMITS, [1.5, 2.5], True


@workflow
def identity_wf(x: int) -> int:
    return x


@workflow
def mixed_wf(x: int, label: str = "mixed") -> Tuple[int, str, int, str]:
    return x, label, increment(x=x), "constant"


@workflow
def positional_wf(x: int, y: int = 5) -> Tuple[int, int]:
    a = increment(x, 2)
    b = increment(y, by=a)
    first, second = pair(a, b)
    return first, second


@workflow
def nothing_wf():
    forget()
    note(text="done")


@workflow
def void_wf(text: str = "x") -> None:
    return note(text=text)


@workflow
def one_pair_wf(x: int = 1) -> Tuple[int, int]:
    return pair(first=x, second=x)


@workflow
def same_task_often_wf(n: int = 0) -> int:
    total = n
    for step in range(5):
        total = increment(x=total, by=step)
    return total


@workflow
def many_wf(n: int = 1) -> List[int]:
    return [increment(x=n, by=step) for step in (10, 20, 30)]


@workflow
def keyed_wf(n: int = 1) -> Dict[str, int]:
    return {"first": increment(x=n), "second": increment(x=n, by=2), "third": 3}


@workflow
def none_wf(x: Optional[int] = None) -> Optional[int]:
    return x


if __name__ == "__main__":
    print(constant_wf(), constants_wf(), identity_wf(x=4), positional_wf(1, y=2))
    print(nothing_wf(), many_wf(), keyed_wf(n=2), same_task_often_wf())
