"""Rules of which output may be bound to which input.

The types inside a list, dict, tuple or struct must be the same, with two exceptions: a ``T`` fits ``T | None``, and a class
with fields fits its base class. Only the value as a whole may be widened in other ways. Structs are compared by their
fields. Only a subclass, which names its bases, may have more of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flytemp.literals import types
from flytemp.literals.recursion import Scope, definition, inside
from flytemp.literals.types import Json, LiteralType
from flytemp.literals.unions import is_plain, json_kinds
from flytemp.literals.visitor import PartialVisitor, TypeVisitor

_JSON_KINDS = frozenset({"none", "boolean", "integer", "float", "string", "enum", "any"})


@dataclass(frozen=True)
class _Around:
    """The comparison around two types.

    Attributes:
        source, target: the structs around both types.
        assumed: the pairs of structs under comparison, which count as the same.
        exact: False if a T fits ``T | None`` and a class fits its base.
    """

    source: Scope = field(default_factory=dict)
    target: Scope = field(default_factory=dict)
    assumed: frozenset[tuple[str, str]] = frozenset()
    exact: bool = False


def castable(source: LiteralType, target: LiteralType) -> bool:
    """Return whether a value of ``source`` may be used where ``target`` is expected.

    Besides the same type, these are castable: an integer to a float, an enum to a string and back (checked at run time),
    a T to a union with T, ``any`` to every type (checked at run time), and every type whose values are plain JSON to ``any``.
    At any depth, a T is castable to ``T | None``, and a class with fields to its base class.

    If `variant_for` returns a variant, the binding must tag the value with it.
    """
    return _casts(source, target, _Around())


def variant_for(source: LiteralType, target: LiteralType) -> int | None:
    """Return the variant of the union ``target`` with which a binding must tag values of ``source``.

    The tagged form is ``{"$variant": index, "value": binding}``. None means that no tag is needed, or that the type does
    not determine the variant.
    """
    if not isinstance(target, types.UnionType) or is_plain(target) or isinstance(source, types.UnionType):
        return None
    if source.kind == "any":
        return None
    for compare, around in ((_same, _Around(exact=True)), (_same, _Around()), (_casts, _Around())):
        for index, variant in enumerate(target.variants):
            if compare(source, variant, around):
                return index
    return None


def present_part(source: LiteralType, target: LiteralType) -> LiteralType:
    """Return the type with which a part of a value, such as ``output.field``, is bound to ``target``.

    A part that may be None can be used where None is not expected. A None is then an error at run time.
    """
    present = _without_none(source)
    return source if present is None or castable(source, target) or not castable(present, target) else present


def _casts(source: LiteralType, target: LiteralType, around: _Around) -> bool:
    if _same(source, target, around):
        return True
    if isinstance(source, types.UnionType):
        return _union_casts(source, target, around)
    if isinstance(target, types.UnionType):
        return any(_casts(source, variant, around) for variant in target.variants)
    if isinstance(source, types.EnumType) and isinstance(target, types.EnumType):
        return set(_typed(source.values)) <= set(_typed(target.values))
    if isinstance(source, types.EnumType):
        return target.kind in _enum_kinds(source)
    if isinstance(target, types.EnumType):
        return source.kind in _enum_kinds(target)
    return source.kind == "integer" and target.kind == "float"


def _union_casts(source: types.UnionType, target: LiteralType, around: _Around) -> bool:
    if not is_plain(source):
        # The values have the indexes of the source's variants.
        return (
            isinstance(target, types.UnionType)
            and not is_plain(target)
            and len(source.variants) <= len(target.variants)
            and all(_same(one, other, around) for one, other in zip(source.variants, target.variants, strict=False))
        )
    if isinstance(target, types.UnionType) and not is_plain(target):
        return all(_is_unambiguous(variant, target, around) for variant in source.variants)
    return all(_casts(variant, target, around) for variant in source.variants)


def _is_unambiguous(source: LiteralType, target: types.UnionType, around: _Around) -> bool:
    """Return whether an untagged value fits exactly one variant."""
    takers = [variant for variant in target.variants if _same(source, variant, around)]
    takers = takers or [variant for variant in target.variants if _casts(source, variant, around)]
    return len(takers) == 1 and all(variant is takers[0] or _is_apart(source, variant) for variant in target.variants)


def _is_apart(source: LiteralType, other: LiteralType) -> bool:
    """Return whether a variant never takes an untagged value of ``source`` unchanged, which `check_literal` would prefer."""
    if other.kind == "float" and source.kind in ("integer", "string"):
        return True
    return json_kinds(source).isdisjoint(json_kinds(other))


def _same(source: LiteralType, target: LiteralType, around: _Around) -> bool:
    if target.kind == "any":
        return _IS_JSON.visit(source, None)
    if source.kind == "any":
        return True
    present = None if around.exact else _without_none(target)
    if present is not None and _without_none(source) is None and source.kind != "none":
        return _same(source, present, around)
    return _SAME.visit(source, (target, around))


def _without_none(type_: LiteralType) -> LiteralType | None:
    """Return T for ``T | None``; None for other types."""
    if not isinstance(type_, types.UnionType) or type_.variants[-1].kind != "none":
        return None
    rest = type_.variants[:-1]
    return rest[0] if len(rest) == 1 else types.UnionType(variants=rest)


class _Same(TypeVisitor[tuple[LiteralType, _Around], bool]):
    """Return whether the source's values can be used unchanged as values of the target, neither of which is ``any``."""

    def visit_simple(self, type_: types.SimpleType, argument: tuple[LiteralType, _Around]) -> bool:
        return type_.kind == argument[0].kind

    def visit_enum(self, type_: types.EnumType, argument: tuple[LiteralType, _Around]) -> bool:
        target = argument[0]
        return isinstance(target, types.EnumType) and set(_typed(type_.values)) == set(_typed(target.values))

    def visit_list(self, type_: types.ListType, argument: tuple[LiteralType, _Around]) -> bool:
        target, around = argument
        return isinstance(target, types.ListType) and _same(type_.item, target.item, around)

    def visit_tuple(self, type_: types.TupleType, argument: tuple[LiteralType, _Around]) -> bool:
        target, around = argument
        return isinstance(target, types.TupleType) and _all_same(type_.items, target.items, around)

    def visit_map(self, type_: types.MapType, argument: tuple[LiteralType, _Around]) -> bool:
        target, around = argument
        return isinstance(target, types.MapType) and _all_same((type_.key, type_.value), (target.key, target.value), around)

    def visit_union(self, type_: types.UnionType, argument: tuple[LiteralType, _Around]) -> bool:
        target, around = argument
        return isinstance(target, types.UnionType) and _all_same(type_.variants, target.variants, around)

    def visit_blob(self, type_: types.BlobType, argument: tuple[LiteralType, _Around]) -> bool:
        target = argument[0]
        if not isinstance(target, types.BlobType) or type_.kind != target.kind:
            return False
        return type_.format == target.format or not (type_.format and target.format)

    def visit_encoded(self, type_: types.EncodedType, argument: tuple[LiteralType, _Around]) -> bool:
        return type_ == argument[0]

    def visit_struct(self, type_: types.StructType, argument: tuple[LiteralType, _Around]) -> bool:
        target, around = argument
        if not isinstance(target, types.StructType):
            return False
        pair = (type_.name, target.name)
        if pair in around.assumed:
            return True
        source, target = definition(type_, around.source), definition(target, around.target)
        inner = _Around(inside(source, around.source), inside(target, around.target), around.assumed | {pair}, around.exact)
        given = {field.name: field for field in source.fields}
        wanted = {field.name: field for field in target.fields}
        if not around.exact and target.name.rpartition(".")[2] in source.bases:
            given = {name: field for name, field in given.items() if name in wanted}
        return (
            given.keys() <= wanted.keys()
            and all(name in given and given[name].required for name, field in wanted.items() if field.required)
            and all(_same(field.type, wanted[name].type, inner) for name, field in given.items())
        )


def _all_same(source: tuple[LiteralType, ...], target: tuple[LiteralType, ...], around: _Around) -> bool:
    return len(source) == len(target) and all(_same(one, other, around) for one, other in zip(source, target, strict=True))


class _IsJson(PartialVisitor[None, bool]):
    """Return whether the type's JSON equals the Python value. A datetime's does not: as ``any`` it would be a string."""

    def visit_other(self, type_: LiteralType, argument: None) -> bool:
        return type_.kind in _JSON_KINDS

    def visit_list(self, type_: types.ListType, argument: None) -> bool:
        return self.visit(type_.item, None)

    def visit_tuple(self, type_: types.TupleType, argument: None) -> bool:
        return all(self.visit(item, None) for item in type_.items)

    def visit_map(self, type_: types.MapType, argument: None) -> bool:
        return type_.key.kind in ("string", "enum") and self.visit(type_.value, None)

    def visit_struct(self, type_: types.StructType, argument: None) -> bool:
        return all(self.visit(field.type, None) for field in type_.fields)

    def visit_union(self, type_: types.UnionType, argument: None) -> bool:
        return is_plain(type_) and all(self.visit(variant, None) for variant in type_.variants)


_SAME = _Same()
_IS_JSON = _IsJson()


def _enum_kinds(enum: types.EnumType) -> frozenset[str]:
    """Return the simple kinds that contain every value of the enum."""
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
