"""Types that contain themselves.

Inside a struct, an inner occurrence of the struct is a *cut*: its name without fields. A `Scope` maps the names of the
surrounding structs to their definitions, so that a cut can be resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from flytemp.errors import FlytempBug
from flytemp.literals import types
from flytemp.literals.types import LiteralType
from flytemp.literals.visitor import PartialVisitor

Scope: TypeAlias = Mapping[str, types.StructType]


def definition(struct: types.StructType, scope: Scope) -> types.StructType:
    """Return the struct with its fields, also for a cut.

    Raises:
        FlytempBug: no surrounding struct has the name.
    """
    if not struct.recursive:
        return struct
    found = scope.get(struct.name)
    if found is None:
        raise FlytempBug(f"the type {struct.name!r} is cut, and no surrounding struct has that name")
    return found


def inside(struct: types.StructType, scope: Scope) -> Scope:
    """Return the scope of the fields of a definition."""
    return {**scope, struct.name: struct}


def closed(type_: LiteralType, scope: Scope) -> LiteralType:
    """Return the type in a form that is valid without ``scope``: every cut is inside its own struct."""
    return _CLOSE.visit(type_, (scope, frozenset()))


class _Close(PartialVisitor[tuple[Scope, frozenset[str]], LiteralType]):
    """The second part of the argument has the names of the structs that are already written around the type."""

    def visit_other(self, type_: LiteralType, argument: tuple[Scope, frozenset[str]]) -> LiteralType:
        return type_

    def visit_struct(self, type_: types.StructType, argument: tuple[Scope, frozenset[str]]) -> LiteralType:
        scope, around = argument
        if type_.name in around:
            return types.StructType(name=type_.name, recursive=True)
        struct = definition(type_, scope)
        inner = inside(struct, scope), around | {struct.name}
        fields = tuple(
            types.StructField(name=field.name, type=self.visit(field.type, inner), required=field.required)
            for field in struct.fields
        )
        return types.StructType(name=struct.name, fields=fields, bases=struct.bases)

    def visit_list(self, type_: types.ListType, argument: tuple[Scope, frozenset[str]]) -> LiteralType:
        return types.ListType(item=self.visit(type_.item, argument))

    def visit_tuple(self, type_: types.TupleType, argument: tuple[Scope, frozenset[str]]) -> LiteralType:
        return types.TupleType(items=tuple(self.visit(item, argument) for item in type_.items))

    def visit_map(self, type_: types.MapType, argument: tuple[Scope, frozenset[str]]) -> LiteralType:
        return types.MapType(key=type_.key, value=self.visit(type_.value, argument))

    def visit_union(self, type_: types.UnionType, argument: tuple[Scope, frozenset[str]]) -> LiteralType:
        return types.UnionType(variants=tuple(self.visit(variant, argument) for variant in type_.variants))


_CLOSE = _Close()
