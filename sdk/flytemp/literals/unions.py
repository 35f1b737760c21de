"""Forms of a union's values: the variant's own form if the JSON kinds of the variants differ, else a tagged form."""

from __future__ import annotations

from collections.abc import Iterable

from flytemp.literals import types
from flytemp.literals.mismatch import Refused
from flytemp.literals.types import Json, LiteralType
from flytemp.literals.visitor import TypeVisitor

VARIANT, VALUE = "$variant", "value"

_NULL = frozenset({"null"})
_TEXT = frozenset({"text"})
_NUMBER = frozenset({"number"})
_ARRAY = frozenset({"array"})
_OBJECT = frozenset({"object"})
_SIMPLE: dict[str, frozenset[str]] = {
    "none": _NULL,
    "boolean": frozenset({"boolean"}),
    "integer": _NUMBER,
    "float": _NUMBER | _TEXT,  # "NaN" is text
    "string": _TEXT,
    "datetime": _TEXT,
    "date": _TEXT,
    "duration": _TEXT,
    "bytes": _TEXT,
    "any": frozenset({"null", "boolean", "number", "text", "array", "object"}),
}


def kind_of_json(literal: Json) -> str:
    """Return the JSON kind of a value."""
    match literal:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "array"
        case _:
            return "object"


def json_kinds(type_: LiteralType) -> frozenset[str]:
    """Return the JSON kinds that canonical values of the type may have."""
    return _JSON_KINDS.visit(type_, None)


class _JsonKinds(TypeVisitor[None, frozenset[str]]):
    def visit_simple(self, type_: types.SimpleType, argument: None) -> frozenset[str]:
        return _SIMPLE[type_.kind]

    def visit_enum(self, type_: types.EnumType, argument: None) -> frozenset[str]:
        return frozenset(kind_of_json(value) for value in type_.values)

    def visit_list(self, type_: types.ListType, argument: None) -> frozenset[str]:
        return _ARRAY

    def visit_tuple(self, type_: types.TupleType, argument: None) -> frozenset[str]:
        return _ARRAY

    def visit_map(self, type_: types.MapType, argument: None) -> frozenset[str]:
        return _OBJECT

    def visit_struct(self, type_: types.StructType, argument: None) -> frozenset[str]:
        return _OBJECT

    def visit_union(self, type_: types.UnionType, argument: None) -> frozenset[str]:
        if not is_plain(type_):
            return _OBJECT
        return frozenset().union(*(json_kinds(variant) for variant in type_.variants))

    def visit_blob(self, type_: types.BlobType, argument: None) -> frozenset[str]:
        return _OBJECT

    def visit_encoded(self, type_: types.EncodedType, argument: None) -> frozenset[str]:
        return _OBJECT


_JSON_KINDS = _JsonKinds()


def is_plain(union: types.UnionType) -> bool:
    """Return whether the union's values are written without a tag.

    ``float`` does not differ from ``str``, because "NaN" is a text. ``int`` does not differ from ``float``.
    """
    return are_apart(kinds_in_union(union))


def kinds_in_union(union: types.UnionType) -> list[frozenset[str]]:
    """Return the JSON kinds of each variant. In a union with ``none`` and ``any``, null belongs to ``none``."""
    kinds = [json_kinds(variant) for variant in union.variants]
    if frozenset({"null"}) in kinds:
        return [kind if kind == {"null"} else kind - {"null"} for kind in kinds]
    return kinds


def are_apart(kinds: Iterable[frozenset[str]]) -> bool:
    """Return whether no two of the sets have a common member."""
    seen: set[str] = set()
    for kind in kinds:
        if not seen.isdisjoint(kind):
            return False
        seen |= kind
    return True


def plain_variant(union: types.UnionType, literal: Json) -> int | None:
    """Return the variant of a plain union that has the value's JSON kind, or None."""
    kind = kind_of_json(literal)
    for index, kinds in enumerate(kinds_in_union(union)):
        if kind in kinds:
            return index
    return None


def tagged(index: int, literal: Json) -> dict[str, Json]:
    return {VARIANT: index, VALUE: literal}


def is_tagged(literal: Json) -> bool:
    return isinstance(literal, dict) and len(literal) == 2 and VARIANT in literal and VALUE in literal


def variant_index(union: types.UnionType, literal: Json) -> int:
    """Return the index of the variant with which a value is tagged.

    Raises:
        Refused: the union has no such variant.
    """
    index, count = literal[VARIANT], len(union.variants)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        raise Refused(f"there is no variant {index!r}; variants are numbered 0 to {count - 1}")
    return index
