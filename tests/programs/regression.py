"""A regression line through points: tasks that pass numbers, and a partially applied task."""
import functools
from typing import List, Tuple

from flytemp import task, workflow


@task
def slope(x: list[int], y: list[int]) -> float:
    n = len(x)
    sum_xy = sum([x[i] * y[i] for i in range(n)])
    sum_xx = sum([x[i] ** 2 for i in range(n)])
    return (n * sum_xy - sum(x) * sum(y)) / (n * sum_xx - sum(x) ** 2)


@task
def intercept(x: list[int], y: list[int], slope: float) -> float:
    mean_x = sum(x) / len(x)
    mean_y = sum(y) / len(y)
    return mean_y - slope * mean_x


@workflow
def simple_wf(x: list[int] = [-3, 0, 3], y: list[int] = [7, 4, -2]) -> float:
    slope_value = slope(x=x, y=y)
    intercept_value = intercept(x=x, y=y, slope=slope_value)
    return intercept_value


@workflow
def both_wf(x: List[int] = [-3, 0, 3], y: List[int] = [7, 4, -2]) -> Tuple[float, float]:
    slope_value = slope(x, y)
    return slope_value, intercept(x, y, slope=slope_value)


@workflow
def simple_wf_with_partial(x: list[int], y: list[int]) -> float:
    partial_task = functools.partial(slope, x=x)
    return partial_task(y=y)


if __name__ == "__main__":
    print(f"Running simple_wf() {simple_wf()}")
    print(f"Running both_wf() {both_wf(x=[-3, 0, 3], y=[7, 4, -2])}")
