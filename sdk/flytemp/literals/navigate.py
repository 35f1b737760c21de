"""Attribute paths in values, at run time: ``output.items[2].name``. Paths in types: `flytemp.literals.typepaths`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flytemp.errors import InputError, TypeMismatch

if TYPE_CHECKING:
    from flytemp.literals.types import Json

Step = str | int


def value_at(literal: Json, path: Sequence[Step]) -> Json:
    """Return the value at the end of the path. Union tags on the path are removed; a tag at the end is kept.

    Raises:
        InputError: the path leads to a null, a missing key, or an index out of range.
        TypeMismatch: a value on the path has no parts.
    """
    value = literal
    for position, step in enumerate(path):
        value = _child(_untagged(value), step, path[:position])
    return value


def _untagged(value: Json) -> Json:
    while isinstance(value, dict) and value.keys() == {"$variant", "value"}:
        value = value["value"]
    return value


def _child(value: Json, step: Step, before: Sequence[Step]) -> Json:
    if isinstance(value, dict):
        key = step if isinstance(step, str) else _key_text(step)
        if key not in value:
            near = f"it has {', '.join(map(repr, list(value)[:10]))}" if value else "it is empty"
            raise InputError(f"the value{_place(before)} has no {step!r}", hint=near)
        return value[key]
    if isinstance(value, list) and isinstance(step, int) and not isinstance(step, bool):
        if not -len(value) <= step < len(value):
            raise InputError(
                f"the value{_place(before)} has no item {step}: it has {len(value)} items",
                hint="check the length first, inside a task",
            )
        return value[step]
    if value is None:
        raise InputError(
            f"the value{_place(before)} is None, so it has no {step!r}",
            hint="check for None inside a task, or with a conditional, and read the part there",
        )
    raise TypeMismatch(f"the value{_place(before)} has no {step!r}: it is {_noun(value)}")


def _key_text(step: Any) -> str:
    return ("true" if step else "false") if isinstance(step, bool) else str(step)


def _place(before: Sequence[Step]) -> str:
    from flytemp.literals.mismatch import path_text

    return f" at {path_text(before)}" if before else ""


def _noun(value: Json) -> str:
    if isinstance(value, list):
        return "a list, whose items have numbers"
    return f"{value!r}" if len(repr(value)) < 80 else f"a {type(value).__name__}"
