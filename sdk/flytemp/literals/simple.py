"""JSON forms of simple values: functions that write, read and check them."""

from __future__ import annotations

import base64
import binascii
import logging
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from flytemp.errors import LimitExceeded
from flytemp.literals.marks import MARK, is_mark, reserved_key
from flytemp.literals.mismatch import Refused, expected

if TYPE_CHECKING:
    from flytemp.literals.types import Json

logger = logging.getLogger(__name__)

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MAX_BYTES = 256 * 1024
_EXACT_FLOAT_INTEGERS = 2**53

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}.*)?")
_ISO_DURATION = re.compile(r"([+-]?)P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.ASCII)


def read_none(literal: Json) -> None:
    if literal is not None:
        raise expected("null", literal)


def read_boolean(literal: Json) -> bool:
    if not isinstance(literal, bool):
        raise expected("true or false", literal)
    return literal


def read_integer(literal: Json) -> int:
    if isinstance(literal, float) and literal.is_integer() and abs(literal) <= _EXACT_FLOAT_INTEGERS:
        return int(literal)  # some languages write every number as 3.0
    if isinstance(literal, bool) or not isinstance(literal, int):
        raise expected("an integer", literal)
    return write_integer(literal)


def write_integer(value: int) -> int:
    if not INT64_MIN <= value <= INT64_MAX:
        # The size instead of the number, because Python does not print a number of more than 4300 digits.
        raise Refused(
            f"the integer has {value.bit_length()} bits, and is outside the range of 64 bits with a sign",
            hint="pass it as str",
        )
    return value


def read_float(literal: Json) -> float:
    if isinstance(literal, str) and literal in ("NaN", "Infinity", "-Infinity"):
        return float(literal)
    if isinstance(literal, bool) or not isinstance(literal, int | float):
        raise expected("a number", literal)
    try:
        return float(literal)
    except OverflowError:
        raise Refused("the number is too large for a float", hint="pass it as str") from None


def write_float(value: float) -> Json:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def read_text(literal: Json) -> str:
    if not isinstance(literal, str):
        raise expected("text", literal)
    return write_text(literal)


def write_text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Refused(
                f"the text is not valid Unicode: a lone surrogate at position {error.start}",
                hint="pass bytes, or decode it with errors='replace'",
            ) from None
    return value


def read_datetime(literal: Json) -> datetime:
    what = "a date and time such as 2026-01-31T12:00:00Z"
    if not isinstance(literal, str) or not _DATETIME.fullmatch(literal):
        raise expected(what, literal)
    try:
        value = datetime.fromisoformat(literal.upper())
        # As in flytekit, a text without an offset is UTC: the time zone of the reader must not change a value.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise expected(what, literal) from None


def write_datetime(value: datetime) -> str:
    try:
        if value.utcoffset() is None:
            _warn_of_missing_time_zone()
            value = value.replace(tzinfo=UTC)
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:
        raise Refused(f"the datetime '{value}' is outside the years 1 to 9999 in UTC") from None


@cache
def _warn_of_missing_time_zone() -> None:
    """Log a warning, once per process."""
    logger.warning(
        "a datetime without a time zone was taken as UTC; add the time zone: datetime.now(timezone.utc), "
        "or value.replace(tzinfo=timezone.utc)"
    )


def read_date(literal: Json) -> date:
    what = "a date such as 2026-01-31"
    if not isinstance(literal, str) or not _DATE.fullmatch(literal):
        raise expected(what, literal)
    try:
        return date.fromisoformat(literal)
    except ValueError:
        raise expected(what, literal) from None


def read_duration(literal: Json) -> timedelta:
    what = "a duration such as PT1H30M, or a number of seconds"
    if isinstance(literal, bool) or not isinstance(literal, int | float | str):
        raise expected(what, literal)
    try:
        if not isinstance(literal, str):
            return timedelta(seconds=literal)
        match = _ISO_DURATION.fullmatch(literal)
        if match is None:
            hint = "years and months have no fixed length; use days" if literal.lstrip("+-").startswith("P") else None
            raise expected(what, literal, hint)
        sign, weeks, days, hours, minutes, seconds = match.groups()
        minutes_in_all = ((int(weeks or 0) * 7 + int(days or 0)) * 24 + int(hours or 0)) * 60 + int(minutes or 0)
        micros = round((minutes_in_all * 60 + Fraction(seconds or 0)) * 1_000_000)
        return timedelta(microseconds=-micros if sign == "-" else micros)
    except (OverflowError, ValueError):
        raise expected(what, literal, "a duration is at most 999,999,999 days") from None


def write_duration(value: timedelta) -> str:
    sign, rest = ("-", -value) if value.days < 0 and value != timedelta.min else ("", value)
    if value == timedelta.min:  # its negation has no timedelta
        return f"-P{-value.days}D"
    minutes, seconds = divmod(rest.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{rest.microseconds:06d}".rstrip("0") if rest.microseconds else ""
    day = f"{rest.days}D" if rest.days else ""
    parts = (f"{hours}H" if hours else "", f"{minutes}M" if minutes else "")
    second = f"{seconds}{fraction}S" if seconds or fraction else ""
    time = "".join(parts) + second
    return f"{sign}P{day}T{time}" if time else f"{sign}P{day}" if day else "PT0S"


def read_bytes(literal: Json) -> bytes:
    value = read_base64(literal)
    _check_bytes(len(value))
    return value


def read_base64(literal: Json) -> bytes:
    if not isinstance(literal, str):
        raise expected("base64 text", literal)
    try:
        return base64.b64decode(literal, validate=True)
    except (binascii.Error, ValueError):
        raise expected("base64 text", literal) from None


def write_bytes(value: bytes) -> str:
    _check_bytes(len(value))
    return write_base64(value)


def write_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _check_bytes(size: int) -> None:
    if size > MAX_BYTES:
        raise Refused(
            f"the value has {size} bytes; the limit is {MAX_BYTES}",
            hint="write them to a file and pass a FlyteFile",
            error=LimitExceeded,
        )


def check_choice(name: str, values: tuple[Json, ...], literal: Json) -> Json:
    """Return the member of ``values`` that equals the JSON. A number may have another form, such as 1.0 for 1."""
    if isinstance(literal, str | int | float):
        for value in values:
            if type(value) is type(literal) and value == literal:
                return value
        for value in values:
            if not isinstance(value, bool | str) and not isinstance(literal, bool) and value == literal:
                return value
    raise expected(f"a {name}", literal, choices_hint(values))


def choices_hint(values: tuple[Json, ...]) -> str:
    shown = ", ".join(repr(value) for value in values[:12])
    return f"one of {shown}{', …' if len(values) > 12 else ''}"


def check_any(literal: Json) -> Json:
    """Return plain JSON of any shape, without the marks of records.

    NaN and infinity are refused, because JSON has no such numbers.
    """
    match literal:
        case None | bool():
            return literal
        case str():
            return write_text(literal)
        case int():
            return write_integer(literal)
        case float():
            if not math.isfinite(literal):
                raise Refused(f"JSON has no number {literal}", hint="declare the type, for instance float or dict[str, float]")
            return literal
        case list():
            return _each(literal)
        case dict():
            return _entries(literal)
        case _:
            raise Refused(
                f"a value of type {type(literal)} is not JSON, which an untyped value requires",
                hint="declare the type, for instance list[datetime] or a dataclass, in place of list, dict or Any",
            )


def _each(items: list[Json]) -> list[Json]:
    checked: list[Json] = []
    try:
        for item in items:
            checked.append(check_any(item))
    except Refused as refused:
        raise refused.within(len(checked)) from refused.__cause__
    return checked


def _entries(entries: dict[Json, Json]) -> dict[str, Json]:
    checked: dict[str, Json] = {}
    for key, item in entries.items():
        if not isinstance(key, str):
            raise Refused(
                f"the key {key!r} of type {type(key)} is not a text, which JSON requires",
                hint=f"declare the keys: dict[{type(key).__name__}, …]",
            )
        if key == MARK:
            if is_mark(item):
                continue
            raise reserved_key()
        try:
            checked[write_text(key)] = check_any(item)
        except Refused as refused:
            raise refused.within(key) from refused.__cause__
    return checked


CHECKS: dict[str, Callable[[Json], Json]] = {
    "none": read_none,
    "boolean": read_boolean,
    "integer": read_integer,
    "float": lambda literal: write_float(read_float(literal)),
    "string": read_text,
    "datetime": lambda literal: write_datetime(read_datetime(literal)),
    "date": lambda literal: read_date(literal).isoformat(),
    "duration": lambda literal: write_duration(read_duration(literal)),
    "bytes": lambda literal: write_bytes(read_bytes(literal)),
    "any": check_any,
}
"""Functions that return the canonical JSON of each simple kind, or raise `Refused`."""
