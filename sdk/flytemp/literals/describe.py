"""A type in a person's words, for errors and tables."""

from __future__ import annotations

from flytemp.literals.types import (
    BlobType,
    EnumType,
    ListType,
    LiteralType,
    MapType,
    StructType,
    TupleType,
    UnionType,
)

SIMPLE_NAMES = {
    "none": "None",
    "boolean": "bool",
    "integer": "int",
    "float": "float",
    "string": "str",
    "datetime": "datetime",
    "date": "date",
    "duration": "timedelta",
    "bytes": "bytes",
    "any": "any",
}


def describe_type(type_: LiteralType) -> str:
    """``list[int]``, ``Datum``, ``file[csv]``, ``int | None``: the type as Python would write it."""
    match type_:
        case EnumType() | StructType():
            return type_.name
        case ListType():
            return f"list[{describe_type(type_.item)}]"
        case TupleType():
            return f"tuple[{', '.join(map(describe_type, type_.items)) or '()'}]"
        case MapType():
            return f"dict[{describe_type(type_.key)}, {describe_type(type_.value)}]"
        case UnionType():
            return " | ".join(map(describe_type, type_.variants))
        case BlobType():
            return f"{type_.kind}[{type_.format}]" if type_.format else type_.kind
        case _:
            return SIMPLE_NAMES[type_.kind]
