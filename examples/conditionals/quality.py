"""The treatment of a sensor's readings depends on the number of missing values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flytemp import conditional, task, workflow


class Mode(Enum):
    """Treatment of gaps."""

    LENIENT = "lenient"
    STRICT = "strict"


@dataclass
class Quality:
    """Completeness of the readings."""

    total: int
    missing: int
    share_missing: float


@task
def inspect(readings: list[float | None]) -> Quality:
    """Count all readings and the missing ones."""
    missing = readings.count(None)
    return Quality(total=len(readings), missing=missing, share_missing=missing / max(len(readings), 1))


@task
def keep(readings: list[float | None]) -> list[float]:
    """Return the readings unchanged."""
    return [reading for reading in readings if reading is not None]


@task
def repeat_last(readings: list[float | None]) -> list[float]:
    """Fill each gap with the previous reading."""
    filled: list[float] = []
    for reading in readings:
        filled.append(reading if reading is not None else filled[-1] if filled else 0.0)
    return filled


@task
def interpolate(readings: list[float | None]) -> list[float]:
    """Fill each gap by linear interpolation."""
    known = [(at, reading) for at, reading in enumerate(readings) if reading is not None]
    filled: list[float] = []
    for at, reading in enumerate(readings):
        before = next(((x, y) for x, y in reversed(known) if x <= at), known[0])
        after = next(((x, y) for x, y in known if x >= at), known[-1])
        width = after[0] - before[0]
        filled.append(reading if reading is not None else before[1] + (after[1] - before[1]) * (at - before[0]) / max(width, 1))
    return filled


@task
def average(values: list[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


@workflow
def average_reading(readings: list[float | None], mode: Mode = Mode.LENIENT) -> float:
    """Average the readings; a few gaps are filled, many gaps are an error."""
    quality = inspect(readings=readings)
    complete: list[float] = (
        conditional("gaps")
        .if_(quality.missing == 0)
        .then(keep(readings=readings))
        .elif_((quality.share_missing <= 0.4) & (mode == Mode.LENIENT))
        .then(
            conditional("length")
            .if_(quality.total < 4)
            .then(repeat_last(readings=readings))
            .else_()
            .then(interpolate(readings=readings))
        )
        .else_()
        .fail("too many readings are missing")
    )
    return average(values=complete)
