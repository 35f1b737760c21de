"""Types that contain themselves. Inside a struct its own name stands for it again: the *cut*.

A `Scope` maps the names of the structs around a place to their definitions, so that a cut can be followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from flytemp.errors import FlytempBug
from flytemp.literals.types import (
    ListType,
    LiteralType,
    MapType,
    StructField,
    StructType,
    TupleType,
    UnionType,
)

Scope: TypeAlias = Mapping[str, StructType]


def definition(struct: StructType, scope: Scope) -> StructType:
    """The struct with its fields, which a cut stands for.

    Raises:
        FlytempBug: when no struct around it has the name.
    """
    if not struct.recursive:
        return struct
    found = scope.get(struct.name)
    if found is None:
        raise FlytempBug(f"the type {struct.name!r} is cut, and nothing around it has that name")
    return found


def inside(struct: StructType, scope: Scope) -> Scope:
    """The scope of the fields of a definition."""
    return {**scope, struct.name: struct}


def closed(type_: LiteralType, scope: Scope, around: frozenset[str] = frozenset()) -> LiteralType:
    """The type as it must be written where ``scope`` is no longer around it: no cut is left without its struct."""
    match type_:
        case StructType():
            if type_.name in around:
                return StructType(name=type_.name, recursive=True)
            struct = definition(type_, scope)
            scope, around = inside(struct, scope), around | {struct.name}
            fields = tuple(
                StructField(name=field.name, type=closed(field.type, scope, around), required=field.required)
                for field in struct.fields
            )
            return StructType(name=struct.name, fields=fields)
        case ListType():
            return ListType(item=closed(type_.item, scope, around))
        case TupleType():
            return TupleType(items=tuple(closed(item, scope, around) for item in type_.items))
        case MapType():
            return MapType(key=type_.key, value=closed(type_.value, scope, around))
        case UnionType():
            return UnionType(variants=tuple(closed(variant, scope, around) for variant in type_.variants))
        case _:
            return type_
