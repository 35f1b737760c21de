"""Checks and normalises JSON against a type, where no Python annotation is at hand.

What other languages and people write differs from the canonical form: an integer for a float, any offset for
a datetime, a URI alone for a file, a union's value without its tag. The result is canonical.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping

from flytemp.literals import simple
from flytemp.literals.describe import describe_type
from flytemp.literals.keys import key_from_text, key_to_text
from flytemp.literals.mismatch import Refused, expected, explained, json_text
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
from flytemp.literals.unions import VALUE, is_plain, is_tagged, plain_variant, tagged, variant_index


def check_literal(literal: Json, type: LiteralType) -> Json:  # noqa: A002
    """The canonical JSON of ``literal``.

    Raises:
        TypeMismatch: when it does not fit; the text names the place inside the value.
        LimitExceeded: when bytes in it are too many to travel.
    """
    return explained(lambda: check_within(literal, type))


def check_within(literal: Json, type_: LiteralType, scope: Scope | None = None) -> Json:
    """As `check_literal`, for a part of a value: raises `Refused`."""
    scope = scope if scope is not None else {}
    match type_:
        case SimpleType():
            return simple.CHECKS[type_.kind](literal)
        case EnumType():
            return simple.check_choice(type_.name, type_.values, literal)
        case ListType():
            return _items(literal, (type_.item,), scope)
        case TupleType():
            if not isinstance(literal, list) or len(literal) != len(type_.items):
                raise expected(f"a list of {len(type_.items)}", literal)
            return _items(literal, type_.items, scope)
        case MapType():
            return _entries(literal, type_, scope)
        case StructType():
            return _struct(literal, type_, scope)
        case UnionType():
            return _union(literal, type_, scope)
        case BlobType():
            return check_blob(literal, type_)


def _items(literal: Json, types: tuple[LiteralType, ...], scope: Scope) -> list[Json]:
    if not isinstance(literal, list):
        raise expected("a list", literal)
    checked: list[Json] = []
    try:
        for index, item in enumerate(literal):
            checked.append(check_within(item, types[index if len(types) > 1 else 0], scope))
    except Refused as refused:
        raise refused.within(len(checked)) from refused.__cause__
    return checked


def _entries(literal: Json, type_: MapType, scope: Scope) -> dict[str, Json]:
    if not isinstance(literal, dict):
        raise expected("a JSON object", literal)
    checked: dict[str, Json] = {}
    for text, item in literal.items():
        try:
            key = key_to_text(check_within(key_from_text(text, type_.key), type_.key, scope))
            if key in checked:
                raise Refused(f"the key {key!r} is given twice")
            checked[key] = check_within(item, type_.value, scope)
        except Refused as refused:
            raise refused.within(text) from refused.__cause__
    return checked


def _struct(literal: Json, type_: StructType, scope: Scope) -> dict[str, Json]:
    struct = definition(type_, scope)
    fields = {field.name: field.required for field in struct.fields}
    check_fields(literal, struct.name, fields)
    scope = inside(struct, scope)
    checked: dict[str, Json] = {}
    for field in struct.fields:
        if field.name in literal:
            try:
                checked[field.name] = check_within(literal[field.name], field.type, scope)
            except Refused as refused:
                raise refused.within(field.name) from refused.__cause__
    return checked


def check_fields(literal: Json, name: str, fields: Mapping[str, bool]) -> None:
    """That the JSON is an object with the fields of a struct: ``fields`` says which are required."""
    if not isinstance(literal, dict):
        raise expected(f"a JSON object for {name}", literal)
    for key in literal:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(fields) or 'no fields'}"
            raise Refused(f"{name} has no field {key!r}", hint=hint)
    missing = [field for field, required in fields.items() if required and field not in literal]
    if missing:
        raise Refused(f"{name} lacks {', '.join(map(repr, missing))}", hint="give a value for each field without default")


def check_blob(literal: Json, type_: BlobType) -> dict[str, Json]:
    """The canonical form of a file or directory; its URI alone is enough."""
    if isinstance(literal, str):
        literal = {"uri": literal}
    if not isinstance(literal, dict) or not literal.keys() <= {"uri", "format"}:
        raise expected(f"a {type_.kind}: its path or URI, or an object with 'uri' and 'format'", literal)
    uri, format_ = literal.get("uri"), literal.get("format") or type_.format
    if not isinstance(uri, str) or not uri or not isinstance(format_, str):
        raise Refused(f"a {type_.kind} needs its path or URI as text", hint='write {"uri": "s3://bucket/key"}')
    if type_.format and format_ != type_.format:
        raise Refused(
            f"expected a {type_.kind} of format {type_.format!r} but got one of format {format_!r}",
            hint="declare the format that it has",
        )
    return {"uri": simple.write_text(uri), "format": format_}


def _union(literal: Json, union: UnionType, scope: Scope) -> Json:
    plain = is_plain(union)
    index = plain_variant(union, literal) if plain else None
    if index is not None:
        return check_within(literal, union.variants[index], scope)
    if is_tagged(literal):
        index = variant_index(union, literal)
        try:
            checked = check_within(literal[VALUE], union.variants[index], scope)
        except Refused as refused:
            raise refused.within(VALUE) from refused.__cause__
    else:
        index, checked = _choose(literal, union, scope)
    return checked if plain else tagged(index, checked)


def _choose(literal: Json, union: UnionType, scope: Scope) -> tuple[int, Json]:
    """The variant that a value without a tag is of: one that takes it unchanged goes before one that converts."""
    fitting: list[tuple[int, Json]] = []
    refusals: list[Refused] = []
    for index, variant in enumerate(union.variants):
        try:
            fitting.append((index, check_within(literal, variant, scope)))
        except Refused as refused:
            refusals.append(refused)
    if not fitting:
        raise _none_fits(literal, union, refusals)
    written = _canonical(literal)
    exact = [choice for choice in fitting if _canonical(choice[1]) == written]
    if isinstance(literal, str):  # "NaN" is a text, where texts are welcome
        exact = [choice for choice in exact if union.variants[choice[0]].kind != "float"] or exact
    best = exact or fitting
    if len(best) > 1 and literal not in ([], {}):  # the empty list is the same in each list type
        labels = " and ".join(describe_type(union.variants[index]) for index, _ in best)
        raise Refused(
            f"{json_text(literal)} may be any of {labels}",
            hint=f'say which: {{"$variant": {best[0][0]}, "value": …}} for {describe_type(union.variants[best[0][0]])}',
        )
    return best[0]


def _none_fits(literal: Json, union: UnionType, refusals: list[Refused]) -> Refused:
    if len(union.variants) == 2 and union.variants[-1].kind == "none":
        return refusals[0]
    return expected(describe_type(union), literal)


def _canonical(literal: Json) -> str:
    return json.dumps(literal, sort_keys=True)
