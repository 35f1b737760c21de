"""Comparison of two values in a conditional, for plain Python calls and for the engine."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from flytemp.errors import InputError, TypeMismatch

if TYPE_CHECKING:
    from flytemp.literals.types import Json

ORDERED = frozenset({"integer", "float", "string", "datetime", "date", "duration"})
"""The kinds whose values have an order. Values of other kinds can only be tested for equality."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

_NONE = "test for None first: .if_(x.is_none()) …"
_EQUALITY = "compare them by == or !=, or inside a task"


def compare(operator: str, left: Json, right: Json, kind: str) -> bool:
    """Return the result of ``left operator right`` for two literals that are compared as ``kind``.

    None equals only None, True does not equal a number, and NaN equals nothing.

    Raises:
        InputError: an operand of ``< <= > >=`` is None, or of a kind without an order.
        TypeMismatch: a literal is not of the kind.
    """
    ordered = operator not in ("==", "!=")
    if left is None or right is None:
        if ordered:
            raise InputError(f"cannot order None: {left!r} {operator} {right!r}", hint=_NONE)
        return (left is right) == (operator == "==")
    if ordered and kind not in ORDERED and kind != "any":
        raise InputError(f"values of the type {kind} have no order: {left!r} {operator} {right!r}", hint=_EQUALITY)
    if kind in ("any", "none"):
        return _any(operator, left, right)
    return bool(_OPERATORS[operator](_read(left, kind), _read(right, kind)))


def _any(operator: str, left: Json, right: Json) -> bool:
    """Compare values without a declared type. Two texts, and two numbers, have an order."""
    same = _class(left) == _class(right)
    if operator in ("==", "!="):
        return (same and left == right) == (operator == "==")
    if not same or _class(left) not in ("number", "string"):
        raise InputError(f"these values have no order: {left!r} {operator} {right!r}", hint=_EQUALITY)
    return bool(_OPERATORS[operator](left, right))


def _class(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else "string" if isinstance(value, str) else "other"


def _read(literal: Json, kind: str) -> Any:
    match kind, literal:
        case (("integer" | "float"), (int() | float())) if not isinstance(literal, bool):
            return literal
        case "float", "NaN" | "Infinity" | "-Infinity":
            return float(literal)
        case "datetime", str():
            return datetime.fromisoformat(literal)
        case "duration", str() | int() | float():
            return _duration(literal)
        case (("string" | "date" | "bytes"), str()):
            return literal  # the texts of ISO dates have the order of the dates
        case "boolean", bool():
            return literal
    raise TypeMismatch(f"cannot compare {literal!r} as {kind}", hint="declare the type that the value has")


def _duration(literal: Json) -> timedelta:
    from flytemp.literals import simple

    return simple.read_duration(literal)
