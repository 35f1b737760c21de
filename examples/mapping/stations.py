"""Map tasks over the lines of a log, over stations and over readings."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from flytemp import map_task, task, workflow


@dataclass
class Reading:
    """Line of the log, such as ``oslo 21.5``."""

    station: str
    celsius: float


@dataclass
class Summary:
    """Summary of a log."""

    readings: int
    unreadable: int
    hottest: str


@task
def parse(line: str) -> Reading:
    """Parse one line."""
    station, celsius = line.split()
    return Reading(station, float(celsius))


@task
def summarize(readings: list[Reading | None]) -> Summary:
    """Summarize the lines that could be parsed."""
    known = [reading for reading in readings if reading is not None]
    hottest = max(known, key=lambda reading: reading.celsius)
    return Summary(len(known), len(readings) - len(known), hottest.station)


@workflow
def read_log(lines: list[str]) -> Summary:
    """Read a log; up to a quarter of the lines may be invalid."""
    readings = map_task(parse, concurrency=4, min_success_ratio=0.75)(line=lines)
    return summarize(readings=readings)


@task
def correct(celsius: float, offset: float, digits: int) -> float:
    """Return a reading corrected by the offset of its instrument."""
    return round(celsius - offset, digits)


@task
def mean(values: list[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


@workflow
def corrected(celsius: list[float], offsets: list[float], digits: int = 1) -> list[float]:
    """Map over two lists of the same length, with an input that is the same for all items."""
    values: list[float] = map_task(functools.partial(correct, digits=digits))(celsius=celsius, offset=offsets)
    return values


@workflow
def station_mean(celsius: list[float], offsets: list[float]) -> float:
    """Return the mean of one station's readings."""
    return mean(values=corrected(celsius=celsius, offsets=offsets))


@workflow
def all_means(celsius: list[list[float]], offsets: list[list[float]]) -> list[float]:
    """Map over a workflow that contains a map."""
    means: list[float] = map_task(station_mean)(celsius=celsius, offsets=offsets)
    return means
