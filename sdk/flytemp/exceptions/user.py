"""Errors of the user's code, under flytekit's names.

An exception of a task is retried within its ``retries``. `NonRecoverableError` ends the retries at once, and so do the exceptions
in the table of `flytemp.outcomes`, after which every retry would fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flytemp.error_text import object_text
from flytemp.errors import Location
from flytemp.exceptions import base
from flytemp.exceptions.base import FlyteException
from flytemp.porting.finder import other_names


class FlyteUserException(FlyteException):
    """Base of the errors of the user's code."""

    code = "user-error"


class NonRecoverableError(FlyteUserException):
    """The task is not retried, regardless of its ``retries``."""

    code = "non-recoverable"


class FlyteRecoverableException(FlyteUserException, base.FlyteRecoverableException):
    """The task may be retried. flytekit retries only this error; flytemp retries after other exceptions too."""

    code = "recoverable"


class FlyteUserRuntimeException(FlyteException):
    """An exception of the user's code; ``value`` is the exception, and its text is the text of this error."""

    code = "user-runtime-error"

    def __init__(self, exc_value: Exception, timestamp: float | None = None) -> None:
        super().__init__(object_text(exc_value), timestamp=timestamp)
        self.value = exc_value


class FlyteTypeException(FlyteUserException, TypeError):
    """A value has the wrong type."""

    code = "wrong-type"

    def __init__(
        self, received_type: Any, expected_type: Any, additional_msg: str | None = None, received_value: Any = None
    ) -> None:
        text = f"expected {_type_name(expected_type)}, received {_type_name(received_type)}"
        if received_value is not None:
            text += f" ({received_value!r})"
        super().__init__(f"{text}. {additional_msg}" if additional_msg else text)


class FlyteValueException(FlyteUserException, ValueError):
    """A value is not valid. ``error_message`` is the reason."""

    code = "invalid-value"

    def __init__(
        self, received_value: Any, error_message: str = "", *, hint: str | None = None, location: Location | None = None
    ) -> None:
        text = f"received {received_value!r}: {error_message}" if error_message else str(received_value)
        super().__init__(text, hint=hint, location=location)


class FlyteDataNotFoundException(FlyteValueException):
    """A path or URI does not exist."""

    code = "data-not-found"

    def __init__(self, path: str) -> None:
        super().__init__(path, "the path does not exist")


class FlyteEntityNotFoundException(FlyteValueException):
    """A module does not have the task or workflow."""

    code = "not-found"

    def __init__(self, module_name: str, entity_name: str) -> None:
        super().__init__(entity_name, f"the module '{module_name}' does not have it")


class FlyteAssertion(FlyteUserException, AssertionError):
    """An assertion failed."""

    code = "assertion"


class FlyteValidationException(FlyteAssertion):
    """A definition is contradictory."""

    code = "validation"


class FlyteDisapprovalException(FlyteAssertion):
    """An approval was rejected."""

    code = "disapproved"


class FlyteTimeout(FlyteAssertion):
    """A time limit was exceeded."""

    code = "timeout"


class FlyteEntityAlreadyExistsException(FlyteAssertion):
    """An entity of this name exists."""

    code = "already-exists"


class FlyteEntityNotExistException(FlyteAssertion):
    """The entity does not exist."""

    code = "not-found"


class UserProvidedError(FlyteUserException, ValueError):
    """A conditional selected a case with ``fail``, whose text is the message."""


class FlyteFailureNodeInputMismatchException(FlyteAssertion):
    """The inputs of a failure handler do not match those of its workflow."""

    code = "validation"


class FlyteAuthenticationException(FlyteAssertion):
    """A login failed."""

    code = "authentication"


class FlyteInvalidInputException(FlyteUserException):
    """An input is not valid."""

    code = "invalid-input"


class FlytePromiseAttributeResolveException(FlyteAssertion):
    """A field, index or key of a promise does not exist."""

    code = "no-such-attribute"


class FlyteCompilationException(FlyteUserException):
    """A function is not a valid task or workflow."""

    code = "compilation"


class FlyteMissingTypeException(FlyteCompilationException, TypeError):
    """A parameter has no annotation."""

    code = "missing-type"


class FlyteMissingReturnValueException(FlyteCompilationException, ValueError):
    """A workflow declares outputs and returns nothing."""

    code = "missing-return"

    def __init__(self, fn: Callable[..., Any] | str, *, hint: str | None = None, location: Location | None = None) -> None:
        name = fn if isinstance(fn, str) else getattr(fn, "__name__", repr(fn))
        super().__init__(f"{name} declares outputs and returns nothing", hint=hint, location=location)


def _type_name(type_: Any) -> str:
    return type_.__name__ if isinstance(type_, type) else str(type_)


if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
