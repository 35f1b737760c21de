"""Keys of maps. The keys of a JSON object are texts, so a key of another type is written as its JSON text."""

from __future__ import annotations

import json
import math

from flytemp.literals.marks import MARK, reserved_key
from flytemp.literals.mismatch import Refused, expected
from flytemp.literals.types import EnumType, Json, LiteralType, SimpleType

_KEY_KINDS = frozenset({"string", "boolean", "integer", "float", "date", "datetime", "duration"})


def may_be_key(type_: LiteralType) -> bool:
    """Return whether values of the type can be keys: different values have different texts."""
    if isinstance(type_, EnumType):
        return len({key_to_text(value) for value in type_.values}) == len(type_.values)
    return type_.kind in _KEY_KINDS


def key_to_text(literal: Json) -> str:
    """Return the text of a key's JSON form."""
    return literal if isinstance(literal, str) else json.dumps(literal)


def map_key(literal: Json) -> str:
    """Return the text of a key of a map.

    Raises:
        Refused: the text is reserved.
    """
    text = key_to_text(literal)
    if text == MARK:
        raise reserved_key()
    return text


def key_from_text(text: str, type_: LiteralType) -> Json:
    """Return the JSON form of a key from its text. The form is not checked against the type.

    Raises:
        Refused: the text is reserved, or it is not the text of a key of the type.
    """
    if text == MARK:
        raise reserved_key()
    if isinstance(type_, EnumType):
        for value in type_.values:
            if key_to_text(value) == text:
                return value
        raise expected(f"a key of {type_.name}", text)
    if isinstance(type_, SimpleType) and type_.kind in ("boolean", "integer", "float"):
        if type_.kind == "float" and text in ("NaN", "Infinity", "-Infinity"):
            return text
        return _number_or_boolean(text, type_.kind)
    return text


def _number_or_boolean(text: str, kind: str) -> Json:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        raise _not_a_key(text, kind) from None
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return value
    raise _not_a_key(text, kind)


def _refuse_constant(text: str) -> Json:
    raise ValueError(text)


def _not_a_key(text: str, kind: str) -> Refused:
    article = "an" if kind == "integer" else "a"
    return expected(f"a key that is the text of {article} {kind}", text)
