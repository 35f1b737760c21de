"""Differences of types whose structs have the same names."""

from __future__ import annotations

from flytemp.literals import types
from flytemp.literals.cast import castable
from flytemp.literals.describe import describe_type
from flytemp.literals.recursion import closed, inside
from flytemp.literals.types import LiteralType


def difference(source: LiteralType, target: LiteralType) -> str | None:
    """Return the field in which two structs of one name differ, at any depth, or None if no structs have the same name.

    Args:
        source: a type that cannot be used as ``target``.
        target: the expected type.
    """
    return _difference(source, target, "")


def _difference(source: LiteralType, target: LiteralType, path: str) -> str | None:
    match source, target:
        case types.StructType(), types.StructType() if source.name == target.name:
            return _struct_difference(source, target, path)
        case types.ListType(), types.ListType():
            return _difference(source.item, target.item, f"{path}[…]")
        case types.MapType(), types.MapType() if castable(source.key, target.key):
            return _difference(source.value, target.value, f"{path}[…]")
        case types.TupleType(), types.TupleType() if len(source.items) == len(target.items):
            pairs = enumerate(zip(source.items, target.items, strict=True))
            return next((_difference(one, other, f"{path}[{index}]") for index, (one, other) in pairs if one != other), None)
        case _, types.UnionType() if len(target.variants) == 2 and target.variants[1].kind == "none":
            inner = source.variants[0] if isinstance(source, types.UnionType) and len(source.variants) == 2 else source
            return _difference(inner, target.variants[0], path)
    return f"the field '{path.lstrip('.')}' is {describe_type(source)}, not {describe_type(target)}" if "." in path else None


def _struct_difference(source: types.StructType, target: types.StructType, path: str) -> str | None:
    given = {field.name: field for field in source.fields}
    wanted = {field.name: field for field in target.fields}
    for name, field in wanted.items():
        if field.required and (name not in given or not given[name].required):
            return f"the field '{_joined(path, name)}' is required, and the value may lack it"
    for name, field in given.items():
        if name not in wanted:
            return f"the field '{_joined(path, name)}' is unknown"
        one, other = closed(field.type, inside(source, {})), closed(wanted[name].type, inside(target, {}))
        if not castable(one, other) or field.type.kind != wanted[name].type.kind:
            return _difference(one, other, f"{path}.{name}")
    return None


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}".lstrip(".")
