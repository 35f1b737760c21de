"""Conditions of branches, evaluated on literals.

::

    ["cmp", operator, left, right, type]     left and right are bindings
    ["and", [condition…]]    ["or", [condition…]]
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from flytemp.errors import InputError, TypeMismatch
from flytemp_worker.engine.plan import Binding, Condition

Read = Callable[[Binding], Any]
"""Gives the literal of a binding."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip

_CONVERTED = ("float", "datetime", "date", "duration")
"""Types whose JSON form does not compare as the value does."""


def operands(condition: Condition | None) -> Iterator[Binding]:
    """Every binding that the condition may need."""
    if condition is None:
        return
    if condition[0] == "cmp":
        yield condition[2]
        yield condition[3]
        return
    for term in condition[1]:
        yield from operands(term)


def holds(condition: Condition | None, read: Read) -> bool:
    """Whether the condition holds; terms after one that decides are not read.

    Raises:
        InputError: a value does not exist, or the two do not compare.
    """
    if condition is None:
        return True
    if condition[0] == "and":
        return all(holds(term, read) for term in condition[1])
    if condition[0] == "or":
        return any(holds(term, read) for term in condition[1])
    _, sign, left, right, kind = condition
    return _compare(sign, read(left), read(right), kind)


def _compare(sign: str, left: Any, right: Any, kind: str) -> bool:
    if left is None or right is None:
        if sign not in ("==", "!="):
            raise InputError(f"cannot compare None: {left!r} {sign} {right!r}", hint="check it with is_none() first")
        return ((left is None) == (right is None)) == (sign == "==")
    if kind in _CONVERTED:
        left, right = _converted(left, kind), _converted(right, kind)
    try:
        return _OPERATORS[sign](left, right)
    except TypeError as error:
        raise TypeMismatch(f"cannot compare {left!r} {sign} {right!r}: {error}") from error


def _converted(literal: Any, kind: str) -> Any:
    from flytemp.literals import simple  # it brings pydantic along, which nothing else here needs
    from flytemp.literals.mismatch import Refused

    try:
        return getattr(simple, f"read_{kind}")(literal)
    except Refused as error:
        raise TypeMismatch(f"{literal!r} is no {kind}: {error.message}") from None
