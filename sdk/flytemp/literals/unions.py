"""Which form a value of a union has: its variant's own where JSON tells the variants apart, else tagged."""

from __future__ import annotations

from collections.abc import Iterable

from flytemp.literals.mismatch import Refused
from flytemp.literals.types import EnumType, Json, LiteralType, UnionType

VARIANT, VALUE = "$variant", "value"

_EVERY = frozenset({"null", "boolean", "number", "text", "array", "object"})
_KINDS: dict[str, frozenset[str]] = {
    "none": frozenset({"null"}),
    "boolean": frozenset({"boolean"}),
    "integer": frozenset({"number"}),
    "float": frozenset({"number", "text"}),  # "NaN" is text
    "string": frozenset({"text"}),
    "datetime": frozenset({"text"}),
    "date": frozenset({"text"}),
    "duration": frozenset({"text"}),
    "bytes": frozenset({"text"}),
    "list": frozenset({"array"}),
    "tuple": frozenset({"array"}),
    "map": frozenset({"object"}),
    "struct": frozenset({"object"}),
    "file": frozenset({"object"}),
    "directory": frozenset({"object"}),
    "any": _EVERY,
}


def kind_of_json(literal: Json) -> str:
    """The JSON kind of a value."""
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
    """The JSON kinds that canonical values of the type may have."""
    if isinstance(type_, EnumType):
        return frozenset(kind_of_json(value) for value in type_.values)
    if isinstance(type_, UnionType):
        if not is_plain(type_):
            return frozenset({"object"})
        return frozenset().union(*(json_kinds(variant) for variant in type_.variants))
    return _KINDS[type_.kind]


def is_plain(union: UnionType) -> bool:
    """Whether the union's values are written without a tag.

    ``float`` may be the text "NaN", so it does not differ from ``str``; ``int`` does not differ from ``float``.
    """
    return are_apart(kinds_in_union(union))


def kinds_in_union(union: UnionType) -> list[frozenset[str]]:
    """The JSON kinds of each variant. Null is left to the variant ``none``, where ``any`` would hold it too."""
    kinds = [json_kinds(variant) for variant in union.variants]
    if frozenset({"null"}) in kinds:
        return [kind if kind == {"null"} else kind - {"null"} for kind in kinds]
    return kinds


def are_apart(kinds: Iterable[frozenset[str]]) -> bool:
    """Whether no two of the sets share a member."""
    seen: set[str] = set()
    for kind in kinds:
        if not seen.isdisjoint(kind):
            return False
        seen |= kind
    return True


def plain_variant(union: UnionType, literal: Json) -> int | None:
    """The only variant of a plain union whose JSON kind the value has."""
    kind = kind_of_json(literal)
    for index, kinds in enumerate(kinds_in_union(union)):
        if kind in kinds:
            return index
    return None


def tagged(index: int, literal: Json) -> dict[str, Json]:
    return {VARIANT: index, VALUE: literal}


def is_tagged(literal: Json) -> bool:
    return isinstance(literal, dict) and len(literal) == 2 and VARIANT in literal and VALUE in literal


def variant_index(union: UnionType, literal: Json) -> int:
    """The variant that a tagged value names.

    Raises:
        Refused: when there is none such.
    """
    index, count = literal[VARIANT], len(union.variants)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        raise Refused(f"there is no variant {index!r}; variants are numbered 0 to {count - 1}")
    return index
