"""Which output may be bound to which input.

Types are invariant: what is inside a list, dict, tuple or struct must be the same, only the value as a whole may be
widened. Names of structs do not matter, their fields do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flytemp.literals.recursion import Scope, definition, inside
from flytemp.literals.types import (
    BlobType,
    EnumType,
    Json,
    ListType,
    LiteralType,
    MapType,
    SimpleType,
    StructType,
    TupleType,
    UnionType,
)
from flytemp.literals.unions import is_plain, json_kinds

_JSON_KINDS = frozenset({"none", "boolean", "integer", "float", "string", "enum", "any"})


@dataclass(frozen=True)
class _Around:
    """The structs around both types, and the pairs that are being compared: those count as the same."""

    source: Scope = field(default_factory=dict)
    target: Scope = field(default_factory=dict)
    assumed: frozenset[tuple[str, str]] = frozenset()


def castable(source: LiteralType, target: LiteralType) -> bool:
    """Whether a value of ``source`` may be given where ``target`` is expected.

    Beyond the same type: an integer for a float, an enum for a text and back (checked when it runs), a T for a union
    with T, JSON of any shape for everything (checked when it runs) and everything that is plain JSON for ``any``.

    A value bound to a union that `variant_for` names a variant of must be tagged with it.
    """
    return _casts(source, target, _Around())


def variant_for(source: LiteralType, target: LiteralType) -> int | None:
    """The variant that values of ``source`` have in the union ``target`` and that the binding must say.

    ``{"$variant": index, "value": binding}`` says it. None: the value itself is enough, or its type does not tell.
    """
    if not isinstance(target, UnionType) or is_plain(target) or isinstance(source, UnionType):
        return None
    if source.kind == "any":
        return None
    for compare in (_same, _casts):
        for index, variant in enumerate(target.variants):
            if compare(source, variant, _Around()):
                return index
    return None


def _casts(source: LiteralType, target: LiteralType, around: _Around) -> bool:
    if _same(source, target, around):
        return True
    if isinstance(source, UnionType):
        return _union_casts(source, target, around)
    if isinstance(target, UnionType):
        return any(_casts(source, variant, around) for variant in target.variants)
    if isinstance(source, EnumType) and isinstance(target, EnumType):
        return set(_typed(source.values)) <= set(_typed(target.values))
    if isinstance(source, EnumType):
        return target.kind in _enum_kinds(source)
    if isinstance(target, EnumType):
        return source.kind in _enum_kinds(target)
    return source.kind == "integer" and target.kind == "float"


def _union_casts(source: UnionType, target: LiteralType, around: _Around) -> bool:
    if not is_plain(source):
        # Its values carry the numbers of its own variants.
        return (
            isinstance(target, UnionType)
            and not is_plain(target)
            and len(source.variants) <= len(target.variants)
            and all(_same(one, other, around) for one, other in zip(source.variants, target.variants, strict=False))
        )
    if isinstance(target, UnionType) and not is_plain(target):
        return all(_tells_itself(variant, target, around) for variant in source.variants)
    return all(_casts(variant, target, around) for variant in source.variants)


def _tells_itself(source: LiteralType, target: UnionType, around: _Around) -> bool:
    """Whether an untagged value can be of one variant only."""
    takers = [variant for variant in target.variants if _same(source, variant, around)]
    takers = takers or [variant for variant in target.variants if _casts(source, variant, around)]
    return len(takers) == 1 and all(variant is takers[0] or _is_apart(source, variant) for variant in target.variants)


def _is_apart(source: LiteralType, other: LiteralType) -> bool:
    """Whether a variant never takes an untagged value of ``source`` as it is: `check_literal` prefers one that does."""
    if other.kind == "float" and source.kind in ("integer", "string"):
        return True
    return json_kinds(source).isdisjoint(json_kinds(other))


def _same(source: LiteralType, target: LiteralType, around: _Around) -> bool:
    if target.kind == "any":
        return _is_json(source)
    if source.kind == "any":
        return True
    match source, target:
        case (SimpleType(), SimpleType()):
            return source.kind == target.kind
        case (EnumType(), EnumType()):
            return set(_typed(source.values)) == set(_typed(target.values))
        case (BlobType(), BlobType()):
            return source.kind == target.kind and (source.format == target.format or not (source.format and target.format))
        case (ListType(), ListType()):
            return _same(source.item, target.item, around)
        case (MapType(), MapType()):
            return _same(source.key, target.key, around) and _same(source.value, target.value, around)
        case (TupleType(), TupleType()):
            return _all_same(source.items, target.items, around)
        case (UnionType(), UnionType()):
            return _all_same(source.variants, target.variants, around)
        case (StructType(), StructType()):
            return _same_struct(source, target, around)
        case _:
            return False


def _all_same(source: tuple[LiteralType, ...], target: tuple[LiteralType, ...], around: _Around) -> bool:
    return len(source) == len(target) and all(_same(one, other, around) for one, other in zip(source, target, strict=True))


def _same_struct(source: StructType, target: StructType, around: _Around) -> bool:
    pair = (source.name, target.name)
    if pair in around.assumed:
        return True
    source, target = definition(source, around.source), definition(target, around.target)
    inner = _Around(inside(source, around.source), inside(target, around.target), around.assumed | {pair})
    given = {field.name: field for field in source.fields}
    wanted = {field.name: field for field in target.fields}
    return (
        given.keys() <= wanted.keys()
        and all(name in given and given[name].required for name, field in wanted.items() if field.required)
        and all(_same(field.type, wanted[name].type, inner) for name, field in given.items())
    )


def _is_json(type_: LiteralType) -> bool:
    """Whether the type's JSON is the Python value too. A datetime's is not: ``any`` would make it a text."""
    match type_:
        case ListType():
            return _is_json(type_.item)
        case TupleType():
            return all(_is_json(item) for item in type_.items)
        case MapType():
            return type_.key.kind in ("string", "enum") and _is_json(type_.value)
        case StructType():
            return all(_is_json(field.type) for field in type_.fields)
        case UnionType():
            return is_plain(type_) and all(_is_json(variant) for variant in type_.variants)
        case _:
            return type_.kind in _JSON_KINDS


def _enum_kinds(enum: EnumType) -> frozenset[str]:
    """The simple kinds that hold every value of the enum."""
    classes = {type(value) for value in enum.values}
    if len(classes) != 1:
        return frozenset()
    return {
        str: frozenset({"string"}),
        int: frozenset({"integer", "float"}),
        float: frozenset({"float"}),
        bool: frozenset({"boolean"}),
    }[classes.pop()]


def _typed(values: tuple[Json, ...]) -> list[tuple[type, Json]]:
    return [(type(value), value) for value in values]
