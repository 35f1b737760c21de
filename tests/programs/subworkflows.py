"""Workflows inside workflows."""
from typing import NamedTuple, Tuple

from flytemp import task, workflow

op = NamedTuple("OpOutput", [("t1_int_output", int), ("c", str)])


@task
def t1(a: int) -> op:
    return op(a + 2, "world")


@task
def join(a: str, b: str) -> str:
    return f"{a} {b}"


@workflow
def my_subwf(a: int = 42) -> Tuple[str, str]:
    x, y = t1(a=a).with_overrides(node_name="node-t1-sub")
    u, v = t1(a=x)
    return y, v


@workflow
def parent_wf(a: int) -> Tuple[int, str, str]:
    x, y = t1(a=a).with_overrides(node_name="node_t1_parent")
    u, v = my_subwf(a=x)
    return x, u, v


@workflow
def nested_parent_wf(a: int = 3) -> (int, str):
    x, y, z = parent_wf(a=a)
    again = parent_wf(a=x)
    return again.o0, join(a=again.o1, b=z)


if __name__ == "__main__":
    print(f"Running nested_parent_wf() {nested_parent_wf(a=3)}")
