"""The errors that flytemp raises.

    FlytempError
    ├── ProgramError              user: the workflow code does not compile; has every problem
    │                             (TypeError, ValueError, AssertionError)
    ├── InputError (ValueError)   user: a value is not valid
    │   ├── InvalidName           user: a name is not valid in a path or an id
    │   ├── TypeMismatch          user: a value cannot be converted (TypeError, AssertionError)
    │   └── LimitExceeded         user: a value is too large
    ├── NotSupported              user: this version does not support the request
    │   └── UnsupportedType       user: an annotation has no type (TypeError, ValueError, AssertionError)
    ├── ConfigError               user: settings contradict each other or cannot be read
    ├── NotFound                  user: a workflow, launch plan, execution, … does not exist
    ├── AlreadyExists             user: the name or version has other content
    ├── StoreError                platform: the object store refused a request or cannot be reached
    │   └── CorruptData           platform: an object is damaged
    ├── TemporalUnavailable       platform: the Temporal server does not answer
    ├── KubernetesUnavailable     platform: the API server does not answer, or refuses a request
    ├── ExecutionError            user: an execution did not succeed
    │   ├── ExecutionFailed
    │   └── ExecutionAborted
    ├── WaitTimeout               user: the time to wait for an execution has passed
    └── FlytempBug                flytemp: an invariant does not hold

Each error has a message (what failed, and why), a ``hint`` (what to do), and an ``actor`` (who must act). ``code`` is a
stable slug that programs may compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from flytemp.redaction import without_credentials


class Actor(StrEnum):
    """The party that can remove the cause of an error."""

    USER = "user"
    PLATFORM = "platform"
    FLYTEMP = "flytemp"


@dataclass(frozen=True, slots=True)
class Location:
    """A position in the user's code: the path of a file, and a line counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class FlytempError(Exception):
    """Base of the errors that flytemp raises.

    Args:
        message: what failed, with the user's name for it, and why. Passwords in URIs are replaced.
        hint: what to do, or None.
        location: the position in the user's code, or None.
    """

    code: ClassVar[str] = "error"
    actor: ClassVar[Actor] = Actor.USER

    # Values for subclasses whose own __init__ does not call this one.
    message: str = ""
    hint: str | None = None
    location: Location | None = None

    def __init__(self, message: str, *, hint: str | None = None, location: Location | None = None) -> None:
        message = without_credentials(message)
        super().__init__(message)
        self.message = message
        self.hint = None if hint is None else without_credentials(hint)
        self.location = location

    def __str__(self) -> str:
        message = self.message or super().__str__()
        return message if self.location is None else f"{self.location}: {message}"

    def __reduce__(self) -> tuple[Callable[..., FlytempError], tuple[type[FlytempError], tuple[object, ...], dict[str, object]]]:
        """Return the parts of a copy in another process, for every signature of ``__init__``."""
        return _rebuilt, (type(self), self.args, dict(vars(self)))


def _rebuilt(cls: type[FlytempError], args: tuple[object, ...], attributes: dict[str, object]) -> FlytempError:
    error = cls.__new__(cls)
    error.args = args
    vars(error).update(attributes)
    return error


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a program."""

    message: str
    location: Location | None = None
    hint: str | None = None
    traceback: str | None = None

    def __str__(self) -> str:
        return self.message if self.location is None else f"{self.location}: {self.message}"

    def within(self, owner: str, location: Location | None = None) -> Problem:
        """Return the problem with ``owner`` before its message, at ``location`` unless it has one."""
        return replace(self, message=f"{owner}{self.message}", location=self.location or location)


class ProgramError(FlytempError, TypeError, ValueError, AssertionError):
    """The user's program does not compile. ``problems`` has all mistakes, not only the first.

    flytekit raises one of the built-in exceptions, depending on the mistake.
    """

    code = "invalid-program"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        text = "\n".join(str(problem) for problem in self.problems)
        super().__init__(text, hint=first.hint if len(self.problems) == 1 else None)


class InputError(FlytempError, ValueError):
    """A value is not valid."""

    code = "invalid-input"


class InvalidName(InputError):
    """A name is not valid in a path, an id or a search attribute."""

    code = "invalid-name"


class TypeMismatch(InputError, TypeError, AssertionError):
    """A value cannot be converted to the declared type. flytekit's name is ``TypeTransformerFailedError``."""

    code = "wrong-type"


class LimitExceeded(InputError):
    """A value is too large for metadata and must be stored in a file."""

    code = "limit-exceeded"


class NotSupported(FlytempError):
    """This version of flytemp does not support the request."""

    code = "not-supported"


class UnsupportedType(NotSupported, TypeError, ValueError, AssertionError):
    """An annotation has no type in flytemp. flytekit's name is ``RestrictedTypeError``."""

    code = "unsupported-type"


class ConfigError(FlytempError):
    """Settings contradict each other or cannot be read."""

    code = "invalid-config"


class NotFound(FlytempError):
    """A workflow, task, launch plan, version, execution or profile does not exist."""

    code = "not-found"


class AlreadyExists(FlytempError):
    """The name or version has other content."""

    code = "already-exists"


class StoreError(FlytempError):
    """The object store refused a request or cannot be reached."""

    code = "store-unavailable"
    actor = Actor.PLATFORM


class CorruptData(StoreError):
    """An object of the store is damaged."""

    code = "corrupt-data"


class TemporalUnavailable(FlytempError):
    """The Temporal server at the configured address does not answer."""

    code = "temporal-unavailable"
    actor = Actor.PLATFORM


class KubernetesUnavailable(FlytempError):
    """The API server of a cluster does not answer, or refuses a request."""

    code = "kubernetes-unavailable"
    actor = Actor.PLATFORM


class ExecutionError(FlytempError):
    """An execution did not succeed. ``execution`` is its name."""

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
    """The time to wait for an execution has passed. The execution continues."""

    code = "wait-timed-out"


class FlytempBug(FlytempError):
    """An invariant of flytemp does not hold. Please report the error with its message."""

    code = "bug"
    actor = Actor.FLYTEMP
