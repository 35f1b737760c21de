"""Attribute paths in types: ``output.items[2].name`` when a program is compiled."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import cast

from flytemp.errors import TypeMismatch
from flytemp.literals.check import check_within
from flytemp.literals.describe import describe_type
from flytemp.literals.keys import key_from_text, key_to_text
from flytemp.literals.mismatch import Refused, path_text
from flytemp.literals.recursion import Scope, closed, definition, inside
from flytemp.literals.types import ListType, LiteralType, MapType, StructType, TupleType, UnionType

Step = str | int


def type_at(type: LiteralType, path: Sequence[Step]) -> LiteralType:  # noqa: A002
    """The type at the end of the path: field names, list and tuple indexes, map keys, through ``Optional``.

    Raises:
        TypeMismatch: naming the step that leads nowhere.
    """
    type_, scope = type, cast(Scope, {})
    for position, step in enumerate(path):
        type_, scope = _step(type_, step, scope, path[:position])
    return closed(type_, scope)


def _step(type_: LiteralType, step: Step, scope: Scope, before: Sequence[Step]) -> tuple[LiteralType, Scope]:
    match type_:
        case StructType():
            struct = definition(type_, scope)
            for field in struct.fields:
                if field.name == step:
                    return field.type, inside(struct, scope)
            names = [field.name for field in struct.fields]
            near = difflib.get_close_matches(str(step), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names) or 'no fields'}"
            raise _nowhere(type_, step, before, hint)
        case ListType() if _is_index(step):
            return type_.item, scope
        case TupleType() if _is_index(step):
            index = int(step)
            if not -len(type_.items) <= index < len(type_.items):
                raise _nowhere(type_, step, before, f"it has {len(type_.items)} items")
            return type_.items[index], scope
        case MapType():
            _check_key(type_, step, before)
            return type_.value, scope
        case UnionType():
            return _through_union(type_, step, scope, before)
        case _ if type_.kind == "any":
            return type_, scope
        case _:
            raise _nowhere(type_, step, before, "items of a list have numbers; dicts, dataclasses and models have named parts")


def _through_union(union: UnionType, step: Step, scope: Scope, before: Sequence[Step]) -> tuple[LiteralType, Scope]:
    """Through ``Optional``, and through a union whose variants agree on what lies at the step."""
    variants = [variant for variant in union.variants if variant.kind != "none"]
    reached = [_step(variant, step, scope, before) for variant in variants]
    types = [closed(*each) for each in reached]
    if any(other != types[0] for other in types[1:]):
        described = " or ".join(dict.fromkeys(map(describe_type, types)))
        raise _nowhere(union, step, before, f"it is {described}, by the variant; take it inside a task")
    return types[0], {}


def _check_key(type_: MapType, step: Step, before: Sequence[Step]) -> None:
    if not isinstance(step, str) and type_.key.kind not in ("integer", "float", "boolean", "enum"):
        raise _nowhere(type_, step, before, f"its keys are {describe_type(type_.key)}")
    text = step if isinstance(step, str) else key_to_text(step)
    try:
        check_within(key_from_text(text, type_.key), type_.key)
    except Refused as refused:
        raise _nowhere(type_, step, before, refused.hint or f"its keys are {describe_type(type_.key)}") from None


def _is_index(step: Step) -> bool:
    return isinstance(step, int) and not isinstance(step, bool)


def _nowhere(type_: LiteralType, step: Step, before: Sequence[Step], hint: str | None) -> TypeMismatch:
    where = f" (at {path_text(before)})" if before else ""
    what = f"no item {step}" if _is_index(step) else f"no {step!r}"
    return TypeMismatch(f"{describe_type(type_)} has {what}{where}", hint=hint)
