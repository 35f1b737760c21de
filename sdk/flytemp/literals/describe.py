"""Text forms of types, for errors and tables."""

from __future__ import annotations

from flytemp.literals import types
from flytemp.literals.types import LiteralType
from flytemp.literals.visitor import TypeVisitor

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
    """Return the type as Python would write it: ``list[int]``, ``Datum``, ``file[csv]``, ``int | None``."""
    return _DESCRIBE.visit(type_, None)


class _Describe(TypeVisitor[None, str]):
    def visit_simple(self, type_: types.SimpleType, argument: None) -> str:
        return SIMPLE_NAMES[type_.kind]

    def visit_enum(self, type_: types.EnumType, argument: None) -> str:
        return type_.name

    def visit_list(self, type_: types.ListType, argument: None) -> str:
        return f"list[{describe_type(type_.item)}]"

    def visit_tuple(self, type_: types.TupleType, argument: None) -> str:
        return f"tuple[{', '.join(map(describe_type, type_.items)) or '()'}]"

    def visit_map(self, type_: types.MapType, argument: None) -> str:
        return f"dict[{describe_type(type_.key)}, {describe_type(type_.value)}]"

    def visit_struct(self, type_: types.StructType, argument: None) -> str:
        return type_.name

    def visit_union(self, type_: types.UnionType, argument: None) -> str:
        return " | ".join(map(describe_type, type_.variants))

    def visit_blob(self, type_: types.BlobType, argument: None) -> str:
        return f"{type_.kind}[{type_.format}]" if type_.format else type_.kind

    def visit_encoded(self, type_: types.EncodedType, argument: None) -> str:
        return f"encoded[{type_.format}]"


_DESCRIBE = _Describe()
