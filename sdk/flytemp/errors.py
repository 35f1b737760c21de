"""Every error flytemp raises on purpose, in one small tree.

    FlytempError
    ├── ProgramError              user: the workflow code does not compile; collects every problem found
    ├── InputError (ValueError)   user: a value given to flytemp is wrong
    │   ├── InvalidName           user: a name that may not become part of a path or an id
    │   ├── TypeMismatch          user: a value does not convert to the declared type
    │   └── LimitExceeded         user: a value is larger than what travels inline
    ├── NotSupported              user: understood, and this version cannot do it
    ├── ConfigError               user: settings that contradict or cannot be read
    ├── NotFound                  user: no such workflow, launch plan, execution, …
    ├── AlreadyExists             user: the name or version is taken by other content
    ├── StoreError                platform: the object store refused or is unreachable
    │   └── CorruptData           platform: an object is there and is not what it must be
    ├── TemporalUnavailable       platform: no Temporal answers
    ├── KubernetesUnavailable     platform: no API server answers, or it refuses what flytemp needs
    ├── ExecutionError            an execution ended, and not well
    │   ├── ExecutionFailed
    │   └── ExecutionAborted
    ├── WaitTimeout               waiting ended before the execution did
    └── FlytempBug                flytemp: an invariant of ours does not hold; please report

Each error says what failed, why, what to do (``hint``) and who must act (``actor``). ``code`` is a
stable slug that programs may compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar


class Actor(StrEnum):
    """Who must act for the error to go away."""

    USER = "user"
    PLATFORM = "platform"
    FLYTEMP = "flytemp"


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the user's code: a file as the user would open it, and a line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class FlytempError(Exception):
    """Base of everything flytemp raises on purpose.

    Args:
        message: what failed, with the user's name for it, and why.
        hint: what to do about it.
        location: where in the user's code, when there is such a place.
    """

    code: ClassVar[str] = "error"
    actor: ClassVar[Actor] = Actor.USER

    def __init__(self, message: str, *, hint: str | None = None, location: Location | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location

    def __str__(self) -> str:
        return self.message if self.location is None else f"{self.location}: {self.message}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a program."""

    message: str
    location: Location | None = None
    hint: str | None = None
    traceback: str | None = None

    def __str__(self) -> str:
        return self.message if self.location is None else f"{self.location}: {self.message}"

    def within(self, owner: str, location: Location | None = None) -> Problem:
        """Return the problem with ``owner`` before its message, at ``location`` unless it has one."""
        return replace(self, message=f"{owner}{self.message}", location=self.location or location)


class ProgramError(FlytempError):
    """The user's program does not compile. ``problems`` holds everything that was found, not only the first."""

    code = "invalid-program"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        text = "\n".join(str(problem) for problem in self.problems)
        super().__init__(text, hint=first.hint if len(self.problems) == 1 else None)


class InputError(FlytempError, ValueError):
    """A value given to flytemp is wrong."""

    code = "invalid-input"


class InvalidName(InputError):
    """A name that may not become part of a path, an id or a search attribute."""

    code = "invalid-name"


class TypeMismatch(InputError, TypeError):
    """A value does not convert to the declared type. flytekit calls it ``TypeTransformerFailedError``."""

    code = "wrong-type"


class LimitExceeded(InputError):
    """A value is larger than what flytemp moves as metadata; it belongs in a file."""

    code = "limit-exceeded"


class NotSupported(FlytempError):
    """flytemp understands what is asked, and this version cannot do it."""

    code = "not-supported"


class ConfigError(FlytempError):
    """Settings that contradict each other or cannot be read."""

    code = "invalid-config"


class NotFound(FlytempError):
    """No such workflow, task, launch plan, version, execution or profile."""

    code = "not-found"


class AlreadyExists(FlytempError):
    """The name or version is taken by other content."""

    code = "already-exists"


class StoreError(FlytempError):
    """The object store refused an operation or cannot be reached."""

    code = "store-unavailable"
    actor = Actor.PLATFORM


class CorruptData(StoreError):
    """An object is there and is not what it must be."""

    code = "corrupt-data"


class TemporalUnavailable(FlytempError):
    """No Temporal server answers at the configured address."""

    code = "temporal-unavailable"
    actor = Actor.PLATFORM


class KubernetesUnavailable(FlytempError):
    """The API server of a cluster does not answer, or refuses what flytemp needs of it."""

    code = "kubernetes-unavailable"
    actor = Actor.PLATFORM


class ExecutionError(FlytempError):
    """An execution ended, and not well. ``execution`` is its name."""

    code = "execution-error"

    def __init__(self, message: str, *, execution: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.execution = execution


class ExecutionFailed(ExecutionError):
    """The execution's phase is FAILED or TIMED_OUT."""

    code = "execution-failed"


class ExecutionAborted(ExecutionError):
    """The execution was cancelled or terminated."""

    code = "execution-aborted"


class WaitTimeout(FlytempError, TimeoutError):
    """Waiting ended before the execution did; the execution goes on."""

    code = "wait-timed-out"


class FlytempBug(FlytempError):
    """An invariant of flytemp does not hold. Please report it with the text."""

    code = "bug"
    actor = Actor.FLYTEMP
