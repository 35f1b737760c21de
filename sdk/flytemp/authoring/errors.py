"""Errors in programs.

Each class also derives from the built-in class that Python or flytekit users expect to catch.
"""

from __future__ import annotations

from flytemp.errors import InputError, Location, Problem, ProgramError


class AuthoringError(ProgramError):
    """One problem of a definition. Several problems are a plain `ProgramError`."""

    def __init__(self, message: str, *, hint: str | None = None, location: Location | None = None) -> None:
        super().__init__([Problem(message, location, hint)])


class SettingsError(AuthoringError, ValueError):
    """A setting of a task, workflow, launch plan or node is invalid."""


class PromiseMisuse(AuthoringError, TypeError, ValueError):
    """A workflow uses a value that does not exist before it runs."""


class NoSuchField(AuthoringError, AttributeError):
    """A promise has no such field, or a node no such output."""


class DuplicateLaunchPlan(AuthoringError, AssertionError):
    """Two launch plans of one program have the same name."""


class OverrideError(AuthoringError, AssertionError):
    """`with_overrides` received a promise: overrides must be known when the program is compiled."""


class ConditionError(AuthoringError, AssertionError):
    """A conditional is incomplete, or its condition is not a comparison."""


class CallError(InputError, AssertionError):
    """A task, workflow or launch plan is called with arguments that it does not take."""

    code = "invalid-call"


class MissingInputs(InputError, TypeError):
    """A task, workflow or launch plan is called without an input that has no default."""

    code = "missing-input"
