"""Confidence interval by bootstrap: a map of thousands of small items with limits."""

from __future__ import annotations

import functools
import random
from typing import NamedTuple

from flytemp import LaunchPlan, map_task, task, workflow


class Interval(NamedTuple):
    """90 % confidence interval of the mean."""

    low: float
    high: float


@task
def seeds(samples: int) -> list[int]:
    """Return one random seed per sample."""
    return list(range(samples))


@task
def mean_of_sample(seed: int, data: list[float]) -> float:
    """Return the mean of a sample drawn with replacement."""
    numbers = random.Random(seed)
    return sum(numbers.choice(data) for _ in data) / len(data)


@task
def middle(means: list[float | None]) -> Interval:
    """Return the interval without the lowest and highest 5 %."""
    known = sorted(mean for mean in means if mean is not None)
    cut = len(known) // 20
    return Interval(low=round(known[cut], 3), high=round(known[-cut - 1], 3))


@workflow
def confidence(data: list[float], samples: int = 1_000) -> Interval:
    """Compute the interval from the means of random samples; a few items may fail."""
    call = functools.partial(mean_of_sample, data=data)
    means = map_task(call, concurrency=8, items_per_task=250, min_success_ratio=0.95)(seed=seeds(samples=samples))
    interval = middle(means=means)
    return Interval(low=interval.low, high=interval.high)


careful = LaunchPlan.get_or_create(confidence, "careful", default_inputs={"samples": 2_000}, max_parallelism=4)
