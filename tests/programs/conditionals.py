"""Conditionals in all their forms."""

from enum import Enum
from typing import NamedTuple, Optional, Tuple

from flytemp import LaunchPlan, conditional, dynamic, task, workflow


class Coin(Enum):
    HEADS = "heads"
    TAILS = "tails"


class Areas(NamedTuple):
    area: float
    perimeter: float


@task
def calculate_circle_circumference(radius: float) -> float:
    return 2 * 3.0 * radius


@task
def calculate_circle_area(radius: float) -> float:
    return 3.0 * radius * radius


@workflow
def shape_properties(radius: float) -> float:
    return (
        conditional("shape_properties")
        .if_((radius >= 0.1) & (radius < 1.0))
        .then(calculate_circle_circumference(radius=radius))
        .else_()
        .then(calculate_circle_area(radius=radius))
    )


@workflow
def shape_properties_with_multiple_branches(radius: float) -> float:
    return (
        conditional("shape_properties_with_multiple_branches")
        .if_((radius >= 0.1) & (radius < 1.0))
        .then(calculate_circle_circumference(radius=radius))
        .elif_((radius >= 1.0) & (radius <= 10.0))
        .then(calculate_circle_area(radius=radius))
        .else_()
        .fail("The input must be within the range of 0 to 10.")
    )


@workflow
def shape_properties_accept_conditional_output(radius: float) -> float:
    result = (
        conditional("shape_properties_accept_conditional_output")
        .if_((radius >= 0.1) & (radius < 1.0))
        .then(calculate_circle_circumference(radius=radius))
        .elif_((radius >= 1.0) & (radius <= 10.0))
        .then(calculate_circle_area(radius=radius))
        .else_()
        .fail("The input must exist between 0 and 10.")
    )
    return calculate_circle_area(radius=result)


@task
def coin_toss(seed: int) -> bool:
    return seed % 2 == 0


@task
def failed() -> int:
    return -1


@task
def success() -> int:
    return 0


@workflow
def boolean_wf(seed: int = 5) -> int:
    result = coin_toss(seed=seed)
    return conditional("coin_flip").if_(result.is_true()).then(success()).else_().then(failed())


@workflow
def boolean_input_wf(boolean_input: bool) -> int:
    return conditional("boolean_input_conditional").if_(boolean_input.is_true()).then(success()).else_().then(failed())


@workflow
def nested_conditions(radius: float) -> float:
    return (
        conditional("nested_conditions")
        .if_((radius >= 0.1) & (radius < 1.0))
        .then(
            conditional("inner_nested_conditions")
            .if_(radius < 0.5)
            .then(calculate_circle_circumference(radius=radius))
            .elif_((radius >= 0.5) & (radius < 0.9))
            .then(calculate_circle_area(radius=radius))
            .else_()
            .fail("0.9 is an outlier.")
        )
        .elif_((radius >= 1.0) & (radius <= 10.0))
        .then(calculate_circle_area(radius=radius))
        .else_()
        .fail("The input must be within the range of 0 to 10.")
    )


@task
def both(radius: float) -> Areas:
    return Areas(3.0 * radius * radius, 6.0 * radius)


@task
def neither(radius: float) -> Areas:
    return Areas(0.0, 0.0)


@workflow
def both_outputs_wf(radius: float) -> Tuple[float, float]:
    found = conditional("both").if_(radius > 0.0).then(both(radius=radius)).else_().then(neither(radius=radius))
    return found.area, found.perimeter


@task
def announce(text: str):
    print(text)


@workflow
def void_wf(x: int) -> int:
    said = (
        conditional("void")
        .if_((x == 1) | (x == 2))
        .then(announce(text="small").with_overrides(node_name="small", retries=1))
        .else_()
        .then(announce(text="large"))
    )
    end = success()
    said >> end
    return end


@task
def maybe(x: int) -> Optional[int]:
    return x if x > 0 else None


@task
def plus(a: int, b: int) -> int:
    return a + b


@dynamic
def plus_all(x: int, times: int) -> int:
    for _ in range(times):
        x = plus(a=x, b=1)
    return x


plus_plan = LaunchPlan.get_or_create(boolean_wf, "conditionals_child", default_inputs={"seed": 2})


@workflow
def kinds_wf(x: int, coin: Coin = Coin.HEADS) -> int:
    first = maybe(x=x)
    return (
        conditional("kinds")
        .if_(first.is_none())
        .then(boolean_wf(seed=x))
        .elif_((5 < x) & (coin == Coin.HEADS))
        .then(plus_all(x=x, times=3))
        .elif_(coin != Coin.HEADS)
        .then(plus_plan(seed=x))
        .else_()
        .then(plus(a=x, b=x))
    )


@workflow
def two_sides_wf(x: int, y: int) -> int:
    return conditional("larger").if_(plus(a=x, b=1) > y).then(plus(a=x, b=0)).else_().then(plus(a=y, b=0))


if __name__ == "__main__":
    print(f"Radius of circle (0.1 to 1): {shape_properties(radius=0.5)}")
