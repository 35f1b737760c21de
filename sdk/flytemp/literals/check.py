"""Checks of JSON against a type, without a Python annotation. The result is the canonical form.

People and other languages may write other forms: an integer for a float, any offset for a datetime, only the URI of a
file, a union's value without its tag.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping

from flytemp.literals import simple, types
from flytemp.literals.describe import describe_type
from flytemp.literals.keys import key_from_text, key_to_text
from flytemp.literals.marks import MARK, Mark, as_launched, read_mark
from flytemp.literals.mismatch import Refused, expected, json_text, with_public_errors
from flytemp.literals.recursion import Scope, definition, inside
from flytemp.literals.types import Json, LiteralType
from flytemp.literals.unions import VALUE, is_plain, is_tagged, plain_variant, tagged, variant_index
from flytemp.literals.visitor import TypeVisitor
from flytemp.suggest import suggest


def check_literal(literal: Json, type: LiteralType) -> Json:  # noqa: A002
    """Return the canonical JSON of ``literal``.

    Raises:
        TypeMismatch: the literal does not fit; the message has the position inside the value.
        LimitExceeded: bytes in the literal exceed the limit of a value.
    """
    return with_public_errors(lambda: check_within(literal, type))


def check_external(literal: Json, type: LiteralType) -> Json:  # noqa: A002
    """Return the canonical JSON of a value that no task of the execution made, such as the input of a launch.

    The classes of its records validate it, also if it has the marks of validated values. Raises as `check_literal`.
    """
    return as_launched(check_literal(literal, type))


def check_within(literal: Json, type_: LiteralType, scope: Scope | None = None) -> Json:
    """Check a part of a value as `check_literal` does.

    Raises:
        Refused: the literal does not fit the type.
    """
    return _CHECK.visit(type_, (literal, scope if scope is not None else {}))


Value = tuple[Json, Scope]
"""A literal, and the structs around its type."""


class _Check(TypeVisitor[Value, Json]):
    """Return the canonical form of a literal."""

    def visit_simple(self, type_: types.SimpleType, argument: Value) -> Json:
        return simple.CHECKS[type_.kind](argument[0])

    def visit_enum(self, type_: types.EnumType, argument: Value) -> Json:
        return simple.check_choice(type_.name, type_.values, argument[0])

    def visit_list(self, type_: types.ListType, argument: Value) -> Json:
        literal, scope = argument
        if not isinstance(literal, list):
            raise expected("a list", literal)
        return self._items(literal, itertools.repeat(type_.item), scope)

    def visit_tuple(self, type_: types.TupleType, argument: Value) -> Json:
        literal, scope = argument
        if not isinstance(literal, list) or len(literal) != len(type_.items):
            raise expected(f"a list of {len(type_.items)}", literal)
        return self._items(literal, type_.items, scope)

    def visit_map(self, type_: types.MapType, argument: Value) -> Json:
        literal, scope = argument
        if not isinstance(literal, dict):
            raise expected("a JSON object", literal)
        checked: dict[str, Json] = {}
        for text, item in literal.items():
            try:
                key = key_to_text(self.visit(type_.key, (key_from_text(text, type_.key), scope)))
                if key in checked:
                    raise Refused(f"the key {key!r} is given twice")
                checked[key] = self.visit(type_.value, (item, scope))
            except Refused as refused:
                raise refused.within(text) from refused.__cause__
        return checked

    def visit_struct(self, type_: types.StructType, argument: Value) -> Json:
        literal, scope = argument
        struct = definition(type_, scope)
        mark = check_fields(literal, struct.name, {field.name: field.required for field in struct.fields})
        scope = inside(struct, scope)
        checked: dict[str, Json] = {}
        for field in struct.fields:
            if field.name in literal:
                try:
                    checked[field.name] = self.visit(field.type, (literal[field.name], scope))
                except Refused as refused:
                    raise refused.within(field.name) from refused.__cause__
        if mark is not None:
            checked[MARK] = mark.to_json()
        return checked

    def visit_union(self, type_: types.UnionType, argument: Value) -> Json:
        literal, scope = argument
        plain = is_plain(type_)
        index = plain_variant(type_, literal) if plain else None
        if index is not None:
            return self.visit(type_.variants[index], argument)
        if is_tagged(literal):
            index = variant_index(type_, literal)
            try:
                checked = self.visit(type_.variants[index], (literal[VALUE], scope))
            except Refused as refused:
                raise refused.within(VALUE) from refused.__cause__
        else:
            index, checked = _choose(literal, type_, scope)
        return checked if plain else tagged(index, checked)

    def visit_blob(self, type_: types.BlobType, argument: Value) -> Json:
        return check_blob(argument[0], type_)

    def visit_encoded(self, type_: types.EncodedType, argument: Value) -> Json:
        return check_encoded(argument[0], type_)

    def _items(self, literal: list[Json], item_types: Iterable[LiteralType], scope: Scope) -> list[Json]:
        checked: list[Json] = []
        try:
            for item, type_ in zip(literal, item_types, strict=False):
                checked.append(self.visit(type_, (item, scope)))
        except Refused as refused:
            raise refused.within(len(checked)) from refused.__cause__
        return checked


_CHECK = _Check()


def check_fields(literal: Json, name: str, fields: Mapping[str, bool]) -> Mark | None:
    """Check that the JSON is an object with the fields of a struct, and return its mark.

    The value of a subclass, which the mark identifies, may have more fields.

    Args:
        literal: the JSON.
        name: the struct's name.
        fields: True for each required field.

    Raises:
        Refused: a field is unknown or missing.
    """
    if not isinstance(literal, dict):
        raise expected(f"a JSON object for {name}", literal)
    mark = read_mark(literal, name)
    for key in literal:
        if key not in fields and key != MARK and mark is None:
            hint = suggest(str(key), fields, f"it has {', '.join(fields) or 'no fields'}")
            raise Refused(f"{name} has no field {key!r}", hint=hint)
    missing = [field for field, required in fields.items() if required and field not in literal]
    if missing:
        raise Refused(f"{name} lacks {', '.join(map(repr, missing))}", hint="give a value for each field without default")
    return mark


def check_blob(literal: Json, type_: types.BlobType) -> dict[str, Json]:
    """Return the canonical form of a file or directory, also for its URI alone.

    Raises:
        Refused: the literal is not a file or directory of the type.
    """
    if isinstance(literal, str):
        literal = {"uri": literal}
    if isinstance(literal, dict) and "path" in literal and "uri" not in literal:  # flytekit's form
        literal = {"uri": literal["path"], **{key: value for key, value in literal.items() if key != "path"}}
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


def check_encoded(literal: Json, type_: types.EncodedType) -> dict[str, Json]:
    """Return the canonical form of an encoded value: its format, and its bytes or their URI.

    Raises:
        Refused: the literal is not such a value, or has another format.
    """
    if not isinstance(literal, dict) or literal.keys() not in ({"format", "bytes"}, {"format", "uri"}):
        raise expected(f"a value encoded as {type_.format}: an object with 'format', and 'bytes' or 'uri'", literal)
    if literal["format"] != type_.format:
        raise Refused(f"expected a value encoded as {type_.format!r} but got the format {literal['format']!r}")
    if "uri" in literal:
        return {"format": type_.format, "uri": simple.read_text(literal["uri"])}
    return {"format": type_.format, "bytes": simple.write_base64(simple.read_base64(literal["bytes"]))}


def _choose(literal: Json, union: types.UnionType, scope: Scope) -> tuple[int, Json]:
    """Return the variant of a value without a tag. A variant that takes the value unchanged precedes one that converts it."""
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
    if isinstance(literal, str):  # "NaN" is a string if the union has strings
        exact = [choice for choice in exact if union.variants[choice[0]].kind != "float"] or exact
    best = exact or fitting
    if len(best) > 1 and literal not in ([], {}):  # an empty list has the same form in each list type
        labels = " and ".join(describe_type(union.variants[index]) for index, _ in best)
        raise Refused(
            f"{json_text(literal)} may be any of {labels}",
            hint=f'say which: {{"$variant": {best[0][0]}, "value": …}} for {describe_type(union.variants[best[0][0]])}',
        )
    return best[0]


def _none_fits(literal: Json, union: types.UnionType, refusals: list[Refused]) -> Refused:
    if len(union.variants) == 2 and union.variants[-1].kind == "none":
        return refusals[0]
    return expected(describe_type(union), literal)


def _canonical(literal: Json) -> str:
    return json.dumps(literal, sort_keys=True)
