"""What a user's code may raise, and what flytemp raises about a user's code, under flytekit's names.

Any exception of a task is retried within its ``retries``; only `NonRecoverableError` ends the retries at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flytemp.errors import Location
from flytemp.exceptions.base import FlyteException


class FlyteUserException(FlyteException):
    """Base of what a user's code may raise."""

    code = "user-error"


class NonRecoverableError(FlyteUserException):
    """The task must not be tried again, whatever its ``retries`` say."""

    code = "non-recoverable"


class FlyteRecoverableException(FlyteUserException):
    """The task may be tried again. flytekit needs it for a retry; flytemp retries every other exception as well."""

    code = "recoverable"


class FlyteTypeException(FlyteUserException, TypeError):
    """A value has another type than was expected."""

    code = "wrong-type"

    def __init__(
        self, received_type: Any, expected_type: Any, additional_msg: str | None = None, received_value: Any = None
    ) -> None:
        text = f"expected {_type_name(expected_type)}, received {_type_name(received_type)}"
        if received_value is not None:
            text += f" ({received_value!r})"
        super().__init__(f"{text}. {additional_msg}" if additional_msg else text)


class FlyteValueException(FlyteUserException, ValueError):
    """A value is not acceptable. ``error_message`` says why."""

    code = "invalid-value"

    def __init__(
        self, received_value: Any, error_message: str = "", *, hint: str | None = None, location: Location | None = None
    ) -> None:
        text = f"received {received_value!r}: {error_message}" if error_message else str(received_value)
        super().__init__(text, hint=hint, location=location)


class FlyteDataNotFoundException(FlyteValueException):
    """A path or URI leads to nothing."""

    code = "data-not-found"

    def __init__(self, path: str) -> None:
        super().__init__(path, "there is nothing at this path")


class FlyteAssertion(FlyteUserException, AssertionError):
    """Something that must hold does not."""

    code = "assertion"


class FlyteValidationException(FlyteAssertion):
    """A definition contradicts itself."""

    code = "validation"


class FlyteDisapprovalException(FlyteAssertion):
    """Somebody rejected what was put before them."""

    code = "disapproved"


class FlyteTimeout(FlyteAssertion):
    """Something took longer than was allowed."""

    code = "timeout"


class FlyteEntityAlreadyExistsException(FlyteAssertion):
    """The name is taken."""

    code = "already-exists"


class FlyteEntityNotExistException(FlyteAssertion):
    """There is no such entity."""

    code = "not-found"


class UserProvidedError(FlyteUserException, ValueError):
    """A conditional took a case that says ``fail``; the text is the case's."""


class FlyteFailureNodeInputMismatchException(FlyteAssertion):
    """A failure handler does not take the inputs of its workflow."""

    code = "validation"


class FlyteInvalidInputException(FlyteUserException):
    """An input is not acceptable."""

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
