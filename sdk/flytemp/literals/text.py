"""The text of a command line's flag as JSON of the input's type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flytemp.errors import InputError
from flytemp.literals import simple
from flytemp.literals.check import check_within
from flytemp.literals.describe import describe_type
from flytemp.literals.mismatch import Refused, expected, explained
from flytemp.literals.types import BlobType, EnumType, Json, LiteralType, SimpleType, UnionType
from flytemp.literals.unions import is_plain, is_tagged, tagged

_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001, "us": 0.000001}
_UNIT_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:ms|us|[wdhms])\s*)+", re.ASCII)
_UNIT_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|us|[wdhms])", re.ASCII)
_SECONDS = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_RELATIVE = re.compile(r"(now|today)(?:\s*([+-])\s*(\S.*))?", re.ASCII)

# A union's variants are asked in this order, so that "3" is a number and a text is what nothing else takes.
_UNION_ORDER = ("none", "integer", "float", "boolean", "date", "datetime", "duration", "enum")
_UNION_LAST = ("any", "file", "directory", "bytes", "string")


def parse_text(text: str, type: LiteralType) -> Json:  # noqa: A002
    """The canonical JSON that a flag's text stands for.

    JSON for lists, dicts and structs; "true", "no", … for a bool; ISO texts, "now", "today" and "now - 1h30m" for a
    datetime, in UTC where no offset is given; "1h30m", ISO 8601 or seconds for a timedelta; an enum's value or its
    member's name; a path or URI for a file.

    Raises:
        InputError: saying what is expected; `TypeMismatch` for a value of another type.
    """
    return explained(lambda: _parse(text, type))


def _parse(text: str, type_: LiteralType) -> Json:
    match type_:
        case SimpleType():
            return _SIMPLE[type_.kind](text)
        case EnumType():
            return _choice(text, type_)
        case BlobType():
            return check_within(_json(text) if text.lstrip().startswith("{") else text, type_)
        case UnionType():
            return _union(text, type_)
        case _:
            return check_within(_json(text, describe_type(type_)), type_)


def _json(text: str, what: str = "JSON") -> Json:
    try:
        return json.loads(text)
    except ValueError as error:
        hint = "quote it for the shell: '[1, 2]' or '{\"key\": \"value\"}'"
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


def _choice(text: str, type_: EnumType) -> Json:
    for value in type_.values:
        if text == (value if isinstance(value, str) else json.dumps(value)):
            return value
    if text in type_.members:
        return type_.values[type_.members.index(text)]
    raise expected(f"a {type_.name}", text, simple.choices_hint(type_.values))


def _any(text: str) -> Json:
    return simple.check_any(_json(text, "a value without a declared type"))


def _union(text: str, union: UnionType) -> Json:
    if text.lstrip().startswith("{") and is_tagged(value := _json_or_none(text)):
        return check_within(value, union)
    refusals: list[Refused] = []
    for index in sorted(range(len(union.variants)), key=lambda index: _rank(union.variants[index])):
        variant = union.variants[index]
        if variant.kind == "none" and _takes_text(union) and text != "null":
            continue  # "" and "none" are texts
        try:
            literal = _parse(text, variant)
        except Refused as refused:
            refusals.append(refused)
            continue
        return literal if is_plain(union) else tagged(index, literal)
    if len(union.variants) == 2 and union.variants[-1].kind == "none":
        raise refusals[-1]
    raise expected(describe_type(union), text, "; ".join(refused.message for refused in refusals[:4]))


def _json_or_none(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _takes_text(union: UnionType) -> bool:
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
