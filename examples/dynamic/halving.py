"""Successive halving: each round trains the candidates and keeps the better half, until one is left."""

from __future__ import annotations

from dataclasses import dataclass

from flytemp import dynamic, task, workflow

POINTS = [(x / 10, 3.0 * x / 10 + 1.0) for x in range(-10, 11)]
"""The function to learn: y = 3x + 1."""


@dataclass
class Trained:
    """Line fitted by gradient descent."""

    learning_rate: float
    steps: int
    slope: float
    intercept: float
    loss: float


@task
def train(learning_rate: float, steps: int) -> Trained:
    """Fit the line with a number of steps."""
    slope = intercept = 0.0
    for _ in range(steps):
        errors = [(slope * x + intercept - y, x) for x, y in POINTS]
        slope -= learning_rate * 2 * sum(error * x for error, x in errors) / len(errors)
        intercept -= learning_rate * 2 * sum(error for error, _ in errors) / len(errors)
    loss = sum((slope * x + intercept - y) ** 2 for x, y in POINTS) / len(POINTS)
    print(f"learning rate {learning_rate:g} after {steps} steps: loss {loss:.5f}")
    return Trained(learning_rate, steps, slope, intercept, min(loss, 1e9))


@task
def better_half(results: list[Trained]) -> list[float]:
    """Return the learning rates of the half with the smaller losses."""
    ranked = sorted(results, key=lambda result: result.loss)
    return [result.learning_rate for result in ranked[: len(ranked) // 2]]


@dynamic
def halve(learning_rates: list[float], steps: int) -> Trained:
    """Run one round and the following rounds; their number depends on the number of candidates."""
    results = [train(learning_rate=rate, steps=steps) for rate in learning_rates]
    if len(results) == 1:
        return results[0]
    return halve(learning_rates=better_half(results=results), steps=2 * steps)


@workflow
def tune(learning_rates: list[float], steps: int = 5) -> Trained:
    """Find the best learning rate."""
    return halve(learning_rates=learning_rates, steps=steps)
