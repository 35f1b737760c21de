"""The workflow that the launch plans beside this file launch."""
from flytemp import task, workflow


@task
def scale(x: list[int], factor: int) -> list[int]:
    return [item * factor for item in x]


@task
def total(x: list[int]) -> int:
    return sum(x)


@workflow
def simple_wf(x: list[int], factor: int = 2) -> int:
    return total(x=scale(x=x, factor=factor))
