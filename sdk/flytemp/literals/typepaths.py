"""Attribute paths in types, at compile time: ``output.items[2].name``. Paths in values: `flytemp.literals.navigate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from flytemp.errors import TypeMismatch
from flytemp.literals.check import check_within
from flytemp.literals.describe import describe_type
from flytemp.literals.keys import key_from_text, key_to_text
from flytemp.literals.mismatch import Refused, path_text
from flytemp.literals.recursion import Scope, closed, definition, inside
from flytemp.literals.types import ListType, LiteralType, MapType, StructType, TupleType, UnionType
from flytemp.literals.visitor import PartialVisitor
from flytemp.suggest import suggest

Step = str | int


def type_at(type: LiteralType, path: Sequence[Step]) -> LiteralType:  # noqa: A002
    """Return the type at the end of a path of field names, list and tuple indexes, and map keys, through ``Optional``.

    Raises:
        TypeMismatch: the type has no such part; the message has the step.
    """
    type_, scope = type, cast(Scope, {})
    for position, step in enumerate(path):
        type_, scope = _STEP.visit(type_, (step, scope, path[:position]))
    return closed(type_, scope)


class _Step(PartialVisitor[tuple[Step, Scope, Sequence[Step]], tuple[LiteralType, Scope]]):
    """Return the type at one step of a path. The argument has the step, the scope, and the steps before."""

    def visit_other(self, type_: LiteralType, argument: tuple[Step, Scope, Sequence[Step]]) -> tuple[LiteralType, Scope]:
        step, scope, before = argument
        if type_.kind == "any":
            return type_, scope
        raise _nowhere(type_, step, before, "list items have numbers; dicts, dataclasses and models have named parts")

    def visit_struct(self, type_: StructType, argument: tuple[Step, Scope, Sequence[Step]]) -> tuple[LiteralType, Scope]:
        step, scope, before = argument
        struct = definition(type_, scope)
        for field in struct.fields:
            if field.name == step:
                return field.type, inside(struct, scope)
        names = [field.name for field in struct.fields]
        raise _nowhere(type_, step, before, suggest(str(step), names, f"it has {', '.join(names) or 'no fields'}"))

    def visit_list(self, type_: ListType, argument: tuple[Step, Scope, Sequence[Step]]) -> tuple[LiteralType, Scope]:
        step, scope, _ = argument
        return (type_.item, scope) if _is_index(step) else self.visit_other(type_, argument)

    def visit_tuple(self, type_: TupleType, argument: tuple[Step, Scope, Sequence[Step]]) -> tuple[LiteralType, Scope]:
        step, scope, before = argument
        if not _is_index(step):
            return self.visit_other(type_, argument)
        index = int(step)
        if not -len(type_.items) <= index < len(type_.items):
            raise _nowhere(type_, step, before, f"it has {len(type_.items)} items")
        return type_.items[index], scope

    def visit_map(self, type_: MapType, argument: tuple[Step, Scope, Sequence[Step]]) -> tuple[LiteralType, Scope]:
        step, scope, before = argument
        if not isinstance(step, str) and type_.key.kind not in ("integer", "float", "boolean", "enum"):
            raise _nowhere(type_, step, before, f"its keys are {describe_type(type_.key)}")
        text = step if isinstance(step, str) else key_to_text(step)
        try:
            check_within(key_from_text(text, type_.key), type_.key)
        except Refused as refused:
            raise _nowhere(type_, step, before, refused.hint or f"its keys are {describe_type(type_.key)}") from None
        return type_.value, scope

    def visit_union(self, type_: UnionType, argument: tuple[Step, Scope, Sequence[Step]]) -> tuple[LiteralType, Scope]:
        """Follow ``Optional``, and a union whose variants have the same type at the step."""
        step, _, before = argument
        types = [closed(*self.visit(variant, argument)) for variant in type_.variants if variant.kind != "none"]
        if any(other != types[0] for other in types[1:]):
            described = " or ".join(dict.fromkeys(map(describe_type, types)))
            raise _nowhere(type_, step, before, f"it is {described}, depending on the variant; read it inside a task")
        return types[0], {}


_STEP = _Step()


def _is_index(step: Step) -> bool:
    return isinstance(step, int) and not isinstance(step, bool)


def _nowhere(type_: LiteralType, step: Step, before: Sequence[Step], hint: str | None) -> TypeMismatch:
    where = f" (at {path_text(before)})" if before else ""
    what = f"no item {step}" if _is_index(step) else f"no {step!r}"
    return TypeMismatch(f"{describe_type(type_)} has {what}{where}", hint=hint)
