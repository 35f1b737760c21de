"""Errors in programs.

`ProgramError` and so each class here also derives from the built-in classes that flytekit's users expect to catch.
"""

from __future__ import annotations

from flytemp.errors import InputError, Location, NotSupported, Problem, ProgramError
from flytemp.exceptions import user


class AuthoringError(ProgramError):
    """One problem of a definition. Several problems are a plain `ProgramError`."""

    def __init__(self, message: str, *, hint: str | None = None, location: Location | None = None) -> None:
        super().__init__([Problem(message, location, hint)])


class SignatureError(ProgramError):
    """The signature of a task or workflow cannot be an interface. ``problems`` has every reason."""


class MissingAnnotation(SignatureError, user.FlyteMissingTypeException):
    """A parameter of a task or workflow has no annotation."""


class SettingsError(AuthoringError):
    """A setting of a task, workflow, launch plan or node is invalid."""


class PromiseMisuse(AuthoringError):
    """A workflow uses a value that does not exist before it runs."""


class NoSuchField(AuthoringError, AttributeError):
    """A promise has no such field, or a node no such output."""


class DuplicateLaunchPlan(AuthoringError):
    """Two launch plans of one program have the same name."""


class OverrideError(AuthoringError):
    """`with_overrides` received a promise: overrides must be known when the program is compiled."""


class ConditionError(AuthoringError):
    """A conditional is incomplete, or its condition is not a comparison."""


class CallError(InputError, AssertionError):
    """A task, workflow or launch plan is called with arguments that it does not take."""

    code = "invalid-call"


class MissingInputs(InputError, TypeError):
    """A task, workflow or launch plan is called without an input that has no default."""

    code = "missing-input"


class RemoteOnly(NotSupported, NotImplementedError):
    """A reference is called in a plain Python call, which does not have its code."""
