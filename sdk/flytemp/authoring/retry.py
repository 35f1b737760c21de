"""Retries of a task: how often, and how long to wait before each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from flytemp.authoring.errors import SettingsError
from flytemp.spec import models

Seconds: TypeAlias = float | int | timedelta


def seconds(value: object, what: str) -> float:
    """A duration as seconds.

    Raises:
        SettingsError: for what is neither a number of seconds, zero or more, nor a timedelta; ``what`` names it.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise SettingsError(f"{what} must be a number of seconds or a datetime.timedelta, zero or more, not {value!r}")
    return float(value)


@dataclass(frozen=True)
class Backoff:
    """Wait before attempt n+1: ``min(base * factor**(n-1), cap)`` seconds, times 0.5 to 1.0 when ``jitter``."""

    base: Seconds = 1.0
    factor: float = 2.0
    cap: Seconds | None = 60.0
    jitter: bool = True

    def __post_init__(self) -> None:
        seconds(self.base, "base of a Backoff")
        if isinstance(self.factor, bool) or not isinstance(self.factor, int | float) or not self.factor >= 1:
            raise SettingsError(f"factor of a Backoff must be a number of at least 1, not {self.factor!r}")
        if self.cap is None and self.factor > 1:
            raise SettingsError("a Backoff that grows needs a cap", hint="Backoff(base=1, factor=2, cap=60)")
        if self.cap is not None:
            seconds(self.cap, "cap of a Backoff")

    def spec(self) -> models.Backoff:
        base = seconds(self.base, "base of a Backoff")
        cap = base if self.cap is None else seconds(self.cap, "cap of a Backoff")
        return models.Backoff(base_seconds=base, factor=float(self.factor), cap_seconds=cap, jitter=self.jitter)


@dataclass(frozen=True)
class RetryStrategy:
    """``count`` more attempts after the first. The waits between grow, with jitter, unless ``backoff`` says otherwise."""

    count: int
    backoff: Backoff | None = field(default=None)

    def spec(self) -> models.Retries:
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 0:
            raise SettingsError(f"retries must be a whole number, zero or more, not {self.count!r}")
        return models.Retries(count=self.count, backoff=(self.backoff or Backoff()).spec())


def retries_spec(value: object) -> models.Retries:
    """``retries=3`` or ``retries=RetryStrategy(3, Backoff(…))``.

    Raises:
        SettingsError: for anything else.
    """
    if isinstance(value, RetryStrategy):
        return value.spec()
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SettingsError(
            f"retries must be a whole number, zero or more, or a RetryStrategy, not {value!r}",
            hint="retries=3 means up to 4 attempts",
        )
    return RetryStrategy(value).spec()


@dataclass(frozen=True)
class Timeout:
    """How long a task may take, in each of three ways; None and zero mean no limit.

    Attributes:
        max_runtime: of one attempt, from when it runs.
        max_queued_time: that one attempt may wait until it runs.
        deadline: of all attempts and the waiting between them.
    """

    max_runtime: Seconds | None = None
    max_queued_time: Seconds | None = None
    deadline: Seconds | None = None

    def __post_init__(self) -> None:
        for field_ in ("max_runtime", "max_queued_time", "deadline"):
            limit(getattr(self, field_), f"{field_} of a Timeout")


def limit(value: object, what: str) -> float | None:
    """Seconds; None for none and zero, which mean no limit.

    Raises:
        SettingsError: as `seconds`.
    """
    return None if value is None else seconds(value, what) or None


def timeout_specs(value: object) -> dict[str, float | None]:
    """The settings that ``timeout=`` stands for: seconds of one attempt, or a `Timeout`.

    Raises:
        SettingsError: for anything else.
    """
    if isinstance(value, Timeout):
        return {
            "timeout_seconds": limit(value.max_runtime, "max_runtime"),
            "queued_timeout_seconds": limit(value.max_queued_time, "max_queued_time"),
            "deadline_seconds": limit(value.deadline, "deadline"),
        }
    return {"timeout_seconds": limit(value, "timeout")}
