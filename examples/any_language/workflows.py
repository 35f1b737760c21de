"""Workflow that other programs launch: a straight line through points, by least squares."""

from __future__ import annotations

from typing import NamedTuple

from flytemp import LaunchPlan, task, workflow


class Line(NamedTuple):
    """Line y = slope × x + intercept."""

    slope: float
    intercept: float


@task
def fit_slope(x: list[float], y: list[float]) -> float:
    """Return the slope of the best straight line."""
    if len(x) != len(y):
        raise ValueError(f"{len(x)} values of x and {len(y)} of y")
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


@task
def fit_intercept(x: list[float], y: list[float], slope: float) -> float:
    """Return the value at x = 0."""
    return sum(y) / len(y) - slope * sum(x) / len(x)


@workflow
def fit_line(x: list[float], y: list[float]) -> Line:
    """Fit a straight line to points."""
    slope = fit_slope(x=x, y=y)
    return Line(slope=slope, intercept=fit_intercept(x=x, y=y, slope=slope))


unit_square = LaunchPlan.get_or_create(
    name="unit_square", workflow=fit_line, default_inputs={"y": [0.0, 1.0]}, fixed_inputs={"x": [0.0, 1.0]}
)
