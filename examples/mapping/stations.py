"""The same work for every line, every station, every reading: map tasks."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from flytemp import map_task, task, workflow


@dataclass
class Reading:
    """A line of the log, such as ``oslo 21.5``."""

    station: str
    celsius: float


@dataclass
class Summary:
    """What the log holds."""

    readings: int
    unreadable: int
    hottest: str


@task
def parse(line: str) -> Reading:
    """One line."""
    station, celsius = line.split()
    return Reading(station, float(celsius))


@task
def summarize(readings: list[Reading | None]) -> Summary:
    """Of the lines that could be read."""
    known = [reading for reading in readings if reading is not None]
    hottest = max(known, key=lambda reading: reading.celsius)
    return Summary(len(known), len(readings) - len(known), hottest.station)


@workflow
def read_log(lines: list[str]) -> Summary:
    """Read a log in which up to a quarter of the lines may be broken."""
    readings = map_task(parse, concurrency=4, min_success_ratio=0.75)(line=lines)
    return summarize(readings=readings)


@task
def correct(celsius: float, offset: float, digits: int) -> float:
    """A reading without the error of its instrument."""
    return round(celsius - offset, digits)


@task
def mean(values: list[float]) -> float:
    """The mean."""
    return sum(values) / len(values)


@workflow
def corrected(celsius: list[float], offsets: list[float], digits: int = 1) -> list[float]:
    """Two lists of the same length, and an input that is the same for every call."""
    values: list[float] = map_task(functools.partial(correct, digits=digits))(celsius=celsius, offset=offsets)
    return values


@workflow
def station_mean(celsius: list[float], offsets: list[float]) -> float:
    """The mean of one station's readings."""
    return mean(values=corrected(celsius=celsius, offsets=offsets))


@workflow
def all_means(celsius: list[list[float]], offsets: list[list[float]]) -> list[float]:
    """Workflows can be mapped too, and hold maps of their own."""
    means: list[float] = map_task(station_mean)(celsius=celsius, offsets=offsets)
    return means
