"""Successive halving: train many candidates a little, the better half longer, and so on until one is left."""

from __future__ import annotations

from dataclasses import dataclass

from flytemp import dynamic, task, workflow

POINTS = [(x / 10, 3.0 * x / 10 + 1.0) for x in range(-10, 11)]
"""What is to be learned: y = 3x + 1."""


@dataclass
class Trained:
    """A line that was fitted by gradient descent."""

    learning_rate: float
    steps: int
    slope: float
    intercept: float
    loss: float


@task
def train(learning_rate: float, steps: int) -> Trained:
    """Fit the line in some steps."""
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
    """The learning rates of those with the smaller losses."""
    ranked = sorted(results, key=lambda result: result.loss)
    return [result.learning_rate for result in ranked[: len(ranked) // 2]]


@dynamic
def halve(learning_rates: list[float], steps: int) -> Trained:
    """One round, and the rounds after it: how many there are depends on the number of candidates."""
    results = [train(learning_rate=rate, steps=steps) for rate in learning_rates]
    if len(results) == 1:
        return results[0]
    return halve(learning_rates=better_half(results=results), steps=2 * steps)


@workflow
def tune(learning_rates: list[float], steps: int = 5) -> Trained:
    """Find the learning rate that gets furthest."""
    return halve(learning_rates=learning_rates, steps=steps)
