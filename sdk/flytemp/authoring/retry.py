"""Retries, back-off and time-outs of tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from flytemp.authoring.errors import SettingsError
from flytemp.spec import models
from flytemp.spec.bounds import MAX_COUNT, MAX_DURATION, MAX_FACTOR, MAX_SECONDS

Seconds: TypeAlias = float | int | timedelta


def shown(value: object) -> str:
    """Return a value for a message. Python refuses to print integers of more than 4,300 digits."""
    is_huge = isinstance(value, int) and abs(value) > 10**18
    return "a number beyond 10^18" if is_huge else repr(value)


def seconds(value: object, what: str) -> float:
    """Return a duration in seconds.

    Args:
        value: a number of seconds of at least 0 and at most `flytemp.spec.bounds.MAX_SECONDS`, or a timedelta.
        what: the name of the setting in messages.

    Raises:
        SettingsError: ``value`` is something else.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise SettingsError(f"{what} must be a number of seconds or a datetime.timedelta, zero or more, not {shown(value)}")
    if value > MAX_SECONDS:
        raise SettingsError(f"{what} must be at most {MAX_DURATION}, not {shown(value)} s", hint="leave it out for no limit")
    return float(value)


@dataclass(frozen=True)
class Backoff:
    """Back-off between attempts: ``min(base * factor**(n-1), cap)`` seconds after attempt n.

    Attributes:
        base: the time after the first attempt, in seconds or as a timedelta.
        factor: the growth from attempt to attempt, at least 1.
        cap: the maximum time; it can be None only if ``factor`` is 1.
        jitter: multiply the time by a random factor from 0.5 to 1.

    Raises:
        SettingsError: a value is invalid.
    """

    base: Seconds = 1.0
    factor: float = 2.0
    cap: Seconds | None = 60.0
    jitter: bool = True

    def __post_init__(self) -> None:
        seconds(self.base, "base of a Backoff")
        if isinstance(self.factor, bool) or not isinstance(self.factor, int | float) or not 1 <= self.factor <= MAX_FACTOR:
            raise SettingsError(f"factor of a Backoff must be a number from 1 to {MAX_FACTOR:,}, not {shown(self.factor)}")
        if self.cap is None and self.factor > 1:
            raise SettingsError("a Backoff that grows needs a cap", hint="Backoff(base=1, factor=2, cap=60)")
        if self.cap is not None:
            seconds(self.cap, "cap of a Backoff")

    def spec(self) -> models.Backoff:
        """Return the back-off for the spec."""
        base = seconds(self.base, "base of a Backoff")
        cap = base if self.cap is None else seconds(self.cap, "cap of a Backoff")
        return models.Backoff(base_seconds=base, factor=float(self.factor), cap_seconds=cap, jitter=self.jitter)


@dataclass(frozen=True)
class RetryStrategy:
    """Retries of a task.

    Attributes:
        count: the number of attempts after the first one.
        backoff: the back-off between attempts; by default exponential with jitter.
    """

    count: int
    backoff: Backoff | None = field(default=None)

    def spec(self) -> models.Retries:
        """Return the retries for the spec.

        Raises:
            SettingsError: ``count`` is not a whole number of at least 0, or ``backoff`` is not a `Backoff`.
        """
        if self.backoff is not None and not isinstance(self.backoff, Backoff):
            hint = "backoff=Backoff(base=1, cap=60)"
            raise SettingsError(f"backoff of a RetryStrategy must be a Backoff, not {self.backoff!r}", hint=hint)
        if isinstance(self.count, bool) or not isinstance(self.count, int) or not 0 <= self.count <= MAX_COUNT:
            raise SettingsError(f"retries must be a whole number from zero to {MAX_COUNT}, not {shown(self.count)}")
        return models.Retries(count=self.count, backoff=(self.backoff or Backoff()).spec())


def retries_spec(value: object) -> models.Retries:
    """Return the retries for the spec, from a number or a `RetryStrategy`.

    Raises:
        SettingsError: ``value`` is something else.
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
    """Time limits of a task, in seconds or as timedeltas. None and 0 mean no limit.

    Attributes:
        max_runtime: the maximum run time of one attempt.
        max_queued_time: the maximum time that one attempt waits before it runs.
        deadline: the maximum time of all attempts together, including the waiting between them.

    Raises:
        SettingsError: a value is invalid.
    """

    max_runtime: Seconds | None = None
    max_queued_time: Seconds | None = None
    deadline: Seconds | None = None

    def __post_init__(self) -> None:
        for field_ in ("max_runtime", "max_queued_time", "deadline"):
            limit(getattr(self, field_), f"{field_} of a Timeout")


def limit(value: object, what: str) -> float | None:
    """Return a limit in seconds, or None for no limit, which is given as None or 0.

    Args:
        value: the limit, in seconds or as a timedelta.
        what: the name of the setting in messages.

    Raises:
        SettingsError: ``value`` is invalid.
    """
    return None if value is None else seconds(value, what) or None


def timeout_specs(value: object) -> dict[str, float | None]:
    """Return the time limits for the spec, from a `Timeout` or the time of one attempt.

    Raises:
        SettingsError: ``value`` is something else.
    """
    if isinstance(value, Timeout):
        return {
            "timeout_seconds": limit(value.max_runtime, "max_runtime"),
            "queued_timeout_seconds": limit(value.max_queued_time, "max_queued_time"),
            "deadline_seconds": limit(value.deadline, "deadline"),
        }
    return {"timeout_seconds": limit(value, "timeout")}
