"""Errors of the user's code, under flytekit's names.

Every exception of a task is retried within its ``retries``. Only `NonRecoverableError` ends the retries at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flytemp.errors import Location
from flytemp.exceptions.base import FlyteException


class FlyteUserException(FlyteException):
    """Base of the errors of the user's code."""

    code = "user-error"


class NonRecoverableError(FlyteUserException):
    """The task is not retried, regardless of its ``retries``."""

    code = "non-recoverable"


class FlyteRecoverableException(FlyteUserException):
    """The task may be retried. flytekit retries only this error; flytemp retries every exception."""

    code = "recoverable"


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


class FlyteInvalidInputException(FlyteUserException):
    """An input is not valid."""

    code = "invalid-input"


class FlytePromiseAttributeResolveException(FlyteAssertion):
    """A field, index or key of a promise does not exist."""

    code = "no-such-attribute"


class FlyteMissingTypeException(FlyteUserException, TypeError):
    """A parameter has no annotation."""

    code = "missing-type"


class FlyteMissingReturnValueException(FlyteUserException, ValueError):
    """A workflow declares outputs and returns nothing."""

    code = "missing-return"

    def __init__(self, fn: Callable[..., Any] | str, *, hint: str | None = None, location: Location | None = None) -> None:
        name = fn if isinstance(fn, str) else getattr(fn, "__name__", repr(fn))
        super().__init__(f"{name} declares outputs and returns nothing", hint=hint, location=location)


def _type_name(type_: Any) -> str:
    return type_.__name__ if isinstance(type_, type) else str(type_)
