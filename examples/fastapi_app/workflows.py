"""Workflow of the service: summary statistics of a series of measurements."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from flytemp import task, workflow


@dataclass(frozen=True)
class Summary:
    """Summary of a series of measurements."""

    count: int
    mean: float
    median: float
    outliers: int


@task
def drop_outliers(measurements: list[float], limit: float) -> list[float]:
    """Remove values that differ from the mean by more than ``limit`` standard deviations."""
    if len(measurements) < 2:
        return measurements
    mean = statistics.fmean(measurements)
    deviation = statistics.stdev(measurements)
    return [value for value in measurements if abs(value - mean) <= limit * deviation]


@task(retries=2)
def summarize(kept: list[float], total: int) -> Summary:
    """Summarize the remaining values."""
    if not kept:
        raise ValueError("there is nothing to summarize")
    print(f"{len(kept)} of {total} measurements")
    return Summary(
        count=len(kept), mean=statistics.fmean(kept), median=statistics.median(kept), outliers=total - len(kept)
    )


@task
def count(measurements: list[float]) -> int:
    """Return the number of measurements."""
    return len(measurements)


@workflow
def series_report(measurements: list[float], limit: float = 3.0) -> Summary:
    """Summarize a series without its outliers.

    Args:
        measurements: in any unit.
        limit: how many standard deviations from the mean are still believed.
    """
    kept = drop_outliers(measurements=measurements, limit=limit)
    return summarize(kept=kept, total=count(measurements=measurements))
