"""Error of a conversion, with the position inside the value."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from flytemp.errors import InputError, LimitExceeded, TypeMismatch
from flytemp.literals.sizes import MAX_DEPTH

if TYPE_CHECKING:
    from flytemp.literals.types import Json

Result = TypeVar("Result")
_SHOWN = 120  # characters of a value that an error quotes


class Refused(Exception):
    """A value does not fit. Containers add their step to the position. The error is internal to this package."""

    def __init__(self, message: str, *, hint: str | None = None, error: type[InputError] = TypeMismatch) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.error = error
        self._outward: list[str | int] = []

    def within(self, step: str | int) -> Refused:
        """Add the step at which a larger value contains the refused one."""
        self._outward.append(step)
        return self

    def public(self) -> InputError:
        """Return the error for the user."""
        where = path_text(self._outward[::-1])
        return self.error(f"{self.message} (at {where})" if where else self.message, hint=self.hint)


def with_public_errors(convert: Callable[[], Result]) -> Result:
    """Run a conversion, and convert `Refused` to the public error.

    Raises:
        InputError: `TypeMismatch` or `LimitExceeded`, with the position inside the value.
    """
    try:
        return convert()
    except Refused as refused:
        raise refused.public() from refused.__cause__
    except RecursionError:
        raise LimitExceeded(
            f"the value is nested more than {MAX_DEPTH} levels deep, or contains itself",
            hint="write it to a file and pass a FlyteFile",
        ) from None


def path_text(steps: Sequence[str | int]) -> str:
    """Return the position as Python would write it: ``.items[2]["first name"]``."""
    return "".join(
        f".{step}" if isinstance(step, str) and step.isidentifier() and not keyword.iskeyword(step) else f"[{step!r}]"
        for step in steps
    )


def shortened(text: str) -> str:
    """Return ``text``, cut after 120 characters."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def json_text(literal: Json) -> str:
    """Return the description of a JSON value for an error message."""
    match literal:
        case None:
            return "null"
        case bool():
            return "true" if literal else "false"
        case int() | float():
            return f"the number {literal}"
        case str():
            return f"the text {shortened(literal)!r}"
        case list():
            return f"a list of {len(literal)}"
        case dict():
            return f"an object with {', '.join(map(repr, list(literal)[:5]))}" if literal else "an empty object"
        case _:
            return f"{shortened(repr(literal))}, which is not JSON"


def expected(what: str, literal: Json, hint: str | None = None) -> Refused:
    """Return the error for JSON of another type."""
    if literal is None and hint is None:
        hint = "the value is None: declare the input as Optional[…] if None is possible"
    return Refused(f"expected {what} but got {json_text(literal)}", hint=hint)
