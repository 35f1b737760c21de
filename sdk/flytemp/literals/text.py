"""Conversion of the text of a command-line flag to JSON of the input's type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flytemp.errors import InputError
from flytemp.json_text import read_json
from flytemp.literals import simple
from flytemp.literals.check import check_within
from flytemp.literals.describe import describe_type
from flytemp.literals.mismatch import Refused, expected, with_public_errors
from flytemp.literals.types import BlobType, EncodedType, EnumType, Json, LiteralType, SimpleType, UnionType
from flytemp.literals.unions import is_plain, is_tagged, tagged
from flytemp.literals.visitor import PartialVisitor

_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")
_BOOLEANS = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001, "us": 0.000001}
_UNIT_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:ms|us|[wdhms])\s*)+", re.ASCII)
_UNIT_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|us|[wdhms])", re.ASCII)
_SECONDS = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_RELATIVE = re.compile(r"(now|today)(?:\s*([+-])\s*(\S.*))?", re.ASCII)

_QUOTE = "quote it for the shell: '[1, 2]' or '{\"key\": \"value\"}'"

# A union's variants are tried in this order: "3" becomes a number, and a text only if no other variant fits.
_UNION_ORDER = ("none", "integer", "float", "boolean", "date", "datetime", "duration", "enum")
_UNION_LAST = ("any", "file", "directory", "bytes", "string")


def parse_text(text: str, type: LiteralType) -> Json:  # noqa: A002
    """Return the canonical JSON of a flag's text.

    The accepted forms are JSON for lists, dicts and structs; "true", "no", … for a bool; ISO texts, "now", "today" and
    "now - 1h30m" for a datetime, in UTC without an offset; "1h30m", ISO 8601 or seconds for a timedelta; the value or the
    member's name of an enum; a path or URI for a file.

    Raises:
        InputError: the text is not JSON.
        TypeMismatch: the text is not a value of the type; the message has the expected form.
    """
    return with_public_errors(lambda: _parse(text, type))


def _parse(text: str, type_: LiteralType) -> Json:
    return _PARSE.visit(type_, text)


class _Parse(PartialVisitor[str, Json]):
    def visit_other(self, type_: LiteralType, argument: str) -> Json:
        return check_within(_json(argument, describe_type(type_)), type_)

    def visit_simple(self, type_: SimpleType, argument: str) -> Json:
        return _SIMPLE[type_.kind](argument)

    def visit_encoded(self, type_: EncodedType, argument: str) -> Json:
        hint = f'pass {{"format": "{type_.format}", "uri": PATH}}, quoted for the shell'
        literal = _json(argument, f"a value encoded as {type_.format}", hint)
        try:
            return check_within(literal, type_)
        except Refused as refused:
            raise Refused(refused.message, hint=hint, error=refused.error) from refused

    def visit_enum(self, type_: EnumType, argument: str) -> Json:
        for value in type_.values:
            if argument == (value if isinstance(value, str) else json.dumps(value)):
                return value
        if argument in type_.members:
            return type_.values[type_.members.index(argument)]
        raise expected(f"a {type_.name}", argument, simple.choices_hint(type_.values))

    def visit_blob(self, type_: BlobType, argument: str) -> Json:
        return check_within(_json(argument) if argument.lstrip().startswith("{") else argument, type_)

    def visit_union(self, type_: UnionType, argument: str) -> Json:
        if argument.lstrip().startswith("{") and is_tagged(value := _json_or_none(argument)):
            return check_within(value, type_)
        refusals: list[Refused] = []
        for index in sorted(range(len(type_.variants)), key=lambda index: _rank(type_.variants[index])):
            variant = type_.variants[index]
            if variant.kind == "none" and _accepts_text(type_) and argument != "null":
                continue  # "" and "none" are texts
            try:
                literal = self.visit(variant, argument)
            except Refused as refused:
                refusals.append(refused)
                continue
            return literal if is_plain(type_) else tagged(index, literal)
        if len(type_.variants) == 2 and type_.variants[-1].kind == "none":
            raise refusals[-1]
        raise expected(describe_type(type_), argument, "; ".join(refused.message for refused in refusals[:4]))


_PARSE = _Parse()


def _json(text: str, what: str = "JSON", hint: str = _QUOTE) -> Json:
    try:
        return read_json(text)
    except ValueError as error:
        raise Refused(f"expected JSON for {what}: {error}", hint=hint, error=InputError) from None


def _none(text: str) -> None:
    if text.strip().lower() not in ("", "none", "null"):
        raise expected("none or null", text)


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.strip().lower())
    if value is None:
        raise expected("true or false", text)
    return value


def _integer(text: str) -> int:
    try:
        return simple.write_integer(int(text))
    except ValueError:
        raise expected("an integer", text) from None


def _float(text: str) -> Json:
    try:
        return simple.write_float(float(text))
    except ValueError:
        raise expected("a number", text) from None


def _datetime(text: str) -> str:
    value = _relative(text)
    return simple.write_datetime(value if value is not None else simple.read_datetime(text.strip()))


def _date(text: str) -> str:
    value = _relative(text)
    return (value.date() if value is not None else simple.read_date(text.strip())).isoformat()


def _relative(text: str) -> datetime | None:
    match = _RELATIVE.fullmatch(text.strip().lower())
    if match is None:
        return None
    start = datetime.now(UTC)
    if match[1] == "today":
        start = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if match[2] is None:
        return start
    distance = _timedelta(match[3].upper() if match[3].startswith("p") else match[3])
    try:
        return start + distance if match[2] == "+" else start - distance
    except OverflowError:
        raise expected("a moment within the years 1 to 9999", text) from None


def _duration(text: str) -> str:
    return simple.write_duration(_timedelta(text.strip()))


def _timedelta(text: str) -> timedelta:
    if _SECONDS.fullmatch(text):
        return simple.read_duration(float(text) if "." in text else int(text))
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not _UNIT_DURATION.fullmatch(rest):
        try:
            return simple.read_duration(text)
        except Refused as refused:
            raise expected("a duration such as 1h30m, PT1H30M or 90 (seconds)", text, refused.hint) from None
    try:
        parts = (timedelta(seconds=float(number) * _UNITS[unit]) for number, unit in _UNIT_PART.findall(rest))
        return sign * sum(parts, timedelta())
    except OverflowError:
        raise expected("a duration of at most 999,999,999 days", text) from None


def _any(text: str) -> Json:
    return simple.check_any(_json(text, "a value without a declared type"))


def _json_or_none(text: str) -> Json:
    try:
        return read_json(text)
    except ValueError:
        return None


def _accepts_text(union: UnionType) -> bool:
    return any(variant.kind == "string" for variant in union.variants)


def _rank(variant: LiteralType) -> int:
    if variant.kind in _UNION_ORDER:
        return _UNION_ORDER.index(variant.kind)
    if variant.kind in _UNION_LAST:
        return 200 + _UNION_LAST.index(variant.kind)
    return 100


_SIMPLE: dict[str, Callable[[str], Json]] = {
    "none": _none,
    "boolean": _boolean,
    "integer": _integer,
    "float": _float,
    "string": simple.write_text,
    "datetime": _datetime,
    "date": _date,
    "duration": _duration,
    "bytes": lambda text: simple.CHECKS["bytes"](text.strip()),
    "any": _any,
}
