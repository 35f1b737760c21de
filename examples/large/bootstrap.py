"""A confidence interval by bootstrap: thousands of small calls, kept within bounds."""

from __future__ import annotations

import functools
import random
from typing import NamedTuple

from flytemp import LaunchPlan, map_task, task, workflow


class Interval(NamedTuple):
    """Where the mean lies, in nine cases of ten."""

    low: float
    high: float


@task
def seeds(samples: int) -> list[int]:
    """One for each sample."""
    return list(range(samples))


@task
def mean_of_sample(seed: int, data: list[float]) -> float:
    """The mean of as many values as there are, drawn with replacement."""
    numbers = random.Random(seed)
    return sum(numbers.choice(data) for _ in data) / len(data)


@task
def middle(means: list[float | None]) -> Interval:
    """What is left without the twentieth part at either end."""
    known = sorted(mean for mean in means if mean is not None)
    cut = len(known) // 20
    return Interval(low=round(known[cut], 3), high=round(known[-cut - 1], 3))


@workflow
def confidence(data: list[float], samples: int = 1_000) -> Interval:
    """Draw samples and look at their means; some calls may be lost."""
    call = functools.partial(mean_of_sample, data=data)
    means = map_task(call, concurrency=8, items_per_task=250, min_success_ratio=0.95)(seed=seeds(samples=samples))
    interval = middle(means=means)
    return Interval(low=interval.low, high=interval.high)


careful = LaunchPlan.get_or_create(confidence, "careful", default_inputs={"samples": 2_000}, max_parallelism=4)
