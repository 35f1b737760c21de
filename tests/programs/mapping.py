"""Map tasks: over tasks, partials, several lists, workflows and launch plans."""

import functools
import typing
from typing import List, Optional

from flytemp import LaunchPlan, Resources, TaskMetadata, map_task, task, workflow

threshold = 11


@task
def detect_anomalies(data_point: int) -> bool:
    return data_point > threshold


@workflow
def map_workflow(data: List[int] = [10, 12, 11, 10, 13, 12, 100, 11, 12, 10]) -> List[bool]:
    return map_task(detect_anomalies)(data_point=data)


@task
def coalesce(b: List[int]) -> str:
    return "".join(str(number) for number in b)


@task
def a_mappable_task(a: int) -> int:
    return a + 2


@workflow
def map_and_join(a: List[int]) -> str:
    mapped = map_task(a_mappable_task, concurrency=2)(a=a).with_overrides(requests=Resources(mem="100Mi"), retries=1)
    return coalesce(b=mapped)


@task
def multi_input_task(quantity: int, price: float, shipping: float) -> float:
    return quantity * price * shipping


@workflow
def multiple_inputs_map_workflow(list_q: List[int] = [1, 2, 3, 4, 5], p: float = 6.0, s: float = 7.0) -> List[float]:
    partial_task = functools.partial(multi_input_task, price=p, shipping=s)
    return map_task(partial_task)(quantity=list_q)


@workflow
def map_workflow_with_additional_inputs(
    list_q: List[int] = [1, 2, 3], list_p: List[float] = [6.0, 9.0, 8.7], s: float = 6.0
) -> List[float]:
    return map_task(functools.partial(functools.partial(multi_input_task), shipping=s))(quantity=list_q, price=list_p)


@task
def weighted(x: int, weights: List[int], offset: int = 0) -> int:
    return x * sum(weights) + offset


@task
def get_weights() -> List[int]:
    return [1, 2]


@workflow
def bound_list_wf(xs: List[int]) -> List[int]:
    return map_task(functools.partial(weighted, weights=get_weights()), metadata=TaskMetadata(retries=1))(x=xs)


@task
def odd_only(x: int) -> int:
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x


@workflow
def some_fail_wf(xs: List[int]) -> List[Optional[int]]:
    return map_task(odd_only, min_success_ratio=0.5)(x=xs)


@workflow
def enough_wf(xs: List[int]) -> List[Optional[int]]:
    return map_task(odd_only, min_successes=1, run_all_sub_nodes=True)(x=xs)


@workflow
def scaled(x: int, factor: int = 3) -> int:
    return weighted(x=x, weights=[factor])


scaled_plan = LaunchPlan.get_or_create(scaled, "mapping_scaled", fixed_inputs={"factor": 5})


@workflow
def of_workflows_wf(xs: List[int]) -> typing.Tuple[List[int], List[int]]:
    return map_task(scaled)(x=xs), map_task(scaled_plan)(x=[*[1, 2], 3])


@task
def note(text: str):
    print(text)


@workflow
def void_map_wf(texts: List[str]):
    map_task(note)(text=texts) >> map_task(note)(text=["the", "end"])


if __name__ == "__main__":
    print(map_workflow())
