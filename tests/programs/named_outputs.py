"""Outputs with names: single and several, of tasks and of a workflow."""
from typing import NamedTuple

from flytemp import task, workflow

slope_value = NamedTuple("slope_value", [("slope", float)])
intercept_value = NamedTuple("intercept_value", [("intercept", float)])
slope_and_intercept_values = NamedTuple("slope_and_intercept_values", [("slope", float), ("intercept", float)])


class Summary(NamedTuple):
    count: int
    label: str


@task
def slope(x: list[int], y: list[int]) -> slope_value:
    n = len(x)
    sum_xy = sum([x[i] * y[i] for i in range(n)])
    sum_xx = sum([x[i] ** 2 for i in range(n)])
    return (n * sum_xy - sum(x) * sum(y)) / (n * sum_xx - sum(x) ** 2)


@task
def intercept(x: list[int], y: list[int], slope: float) -> intercept_value:
    return intercept_value(sum(y) / len(y) - slope * sum(x) / len(x))


@task
def summarise(x: list[int]) -> Summary:
    return Summary(len(x), label=f"{len(x)} points")


@task
def inline(x: int) -> NamedTuple("doubled", [("twice", int), ("thrice", int)]):
    return 2 * x, 3 * x


@workflow
def simple_wf_with_named_outputs(x: list[int] = [-3, 0, 3], y: list[int] = [7, 4, -2]) -> slope_and_intercept_values:
    slope_value = slope(x=x, y=y)
    intercept_value = intercept(x=x, y=y, slope=slope_value.slope)
    return slope_and_intercept_values(slope=slope_value.slope, intercept=intercept_value.intercept)


@workflow
def summary_wf(x: list[int] = [1, 2]) -> Summary:
    count, label = summarise(x=x)
    return Summary(count=count, label=label)


@workflow
def whole_tuple_wf(x: list[int] = [1, 2]) -> Summary:
    return summarise(x=x)


@workflow
def inline_wf(x: int = 5) -> int:
    return inline(x=x).thrice


if __name__ == "__main__":
    print(f"Running simple_wf_with_named_outputs() {simple_wf_with_named_outputs()}")
