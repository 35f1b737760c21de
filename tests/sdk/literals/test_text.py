"""Flags of the command line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import pytest
from literal_samples import Color, Datum, Level, Point

from flytemp.errors import InputError
from flytemp.literals.convert import from_literal, literal_type
from flytemp.literals.text import parse_text
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile


@pytest.mark.parametrize(
    ("annotation", "text", "literal"),
    [
        (int, "-3", -3),
        (int, " 1_000 ", 1000),
        (float, "3", 3.0),
        (float, "1e-3", 0.001),
        (float, "nan", "NaN"),
        (float, "-inf", "-Infinity"),
        (str, "3", "3"),
        (str, "", ""),
        (bool, "TRUE", True),
        (bool, "no", False),
        (None, "null", None),
        (datetime, "2026-01-31T14:00:00+02:00", "2026-01-31T12:00:00Z"),
        (datetime, "2026-01-31 14:00", "2026-01-31T14:00:00Z"),
        (date, " 2026-01-31", "2026-01-31"),
        (timedelta, "1h30m", "PT1H30M"),
        (timedelta, "1d 12h", "P1DT12H"),
        (timedelta, "1.5s", "PT1.5S"),
        (timedelta, "250ms", "PT0.25S"),
        (timedelta, "-2m", "-PT2M"),
        (timedelta, "90", "PT1M30S"),
        (timedelta, "0.5", "PT0.5S"),
        (timedelta, "PT5M", "PT5M"),
        (bytes, "AA==", "AA=="),
        (Color, "dark blue", "dark blue"),
        (Color, "DARK_BLUE", "dark blue"),
        (Level, "10", 10),
        (Level, "HIGH", 10),
        (Literal[True, 1.5], "true", True),
        (list[int], "[1, 2]", [1, 2]),
        (list[timedelta], '[90, "PT1S"]', ["PT1M30S", "PT1S"]),
        (dict[int, float], '{"1": 2}', {"1": 2.0}),
        (Datum, '{"x": 1}', {"x": 1}),
        (tuple[int, str], '[1, "a"]', [1, "a"]),
        (Any, '{"a": null}', {"a": None}),
        (FlyteFile["csv"], "data/x.csv", {"uri": "data/x.csv", "format": "csv"}),
        (FlyteDirectory, '{"uri": "s3://b/d"}', {"uri": "s3://b/d", "format": ""}),
        (int | None, "3", 3),
        (int | None, "none", None),
        (str | None, "none", "none"),
        (str | None, "", ""),
        (str | None, "null", None),
        (int | str, "3", 3),
        (int | str, "three", "three"),
        (bool | int, "1", 1),
        (bool | int, "true", True),
        (int | float, "3", {"$variant": 0, "value": 3}),
        (int | float, "3.0", {"$variant": 1, "value": 3.0}),
        (str | datetime, "2026-01-31", {"$variant": 1, "value": "2026-01-31T00:00:00Z"}),
        (str | datetime, '{"$variant": 0, "value": "2026-01-31"}', {"$variant": 0, "value": "2026-01-31"}),
        (list[int] | str, "[1]", [1]),
        (list[int] | str, "[x]", "[x]"),
        (Datum | Point, '{"x": 1, "z": {}}', {"$variant": 0, "value": {"x": 1, "z": {}}}),
    ],
    ids=str,
)
def test_texts(annotation: Any, text: str, literal: Any) -> None:
    parsed = parse_text(text, literal_type(annotation))
    assert repr(parsed) == repr(literal)
    from_literal(parsed, annotation)


def test_now_and_today() -> None:
    before = datetime.now(UTC)
    now = from_literal(parse_text("now", literal_type(datetime)), datetime)
    hour_ago = from_literal(parse_text("now - 1h", literal_type(datetime)), datetime)
    tomorrow = from_literal(parse_text("today + P1D", literal_type(date)), date)
    midnight = from_literal(parse_text("today", literal_type(datetime)), datetime)
    after = datetime.now(UTC)
    assert before <= now <= after
    assert before <= hour_ago + timedelta(hours=1) <= after
    assert before.date() <= tomorrow - timedelta(days=1) <= after.date()
    assert midnight.time().isoformat() == "00:00:00"


@pytest.mark.parametrize(
    ("annotation", "text", "message", "hint"),
    [
        (int, "3.0", "expected an integer but got the text '3.0'", None),
        (int, str(2**63), "outside the 64 bits", "str"),
        (int, "9" * 5000, "expected an integer", None),
        (float, "three", "expected a number but got the text 'three'", None),
        (bool, "maybe", "expected true or false but got the text 'maybe'", None),
        (datetime, "31.1.2026", "expected a date and time such as", None),
        (datetime, "now + soon", "expected a duration such as 1h30m", None),
        (datetime, "now + 99999999d", "within the years 1 to 9999", None),
        (timedelta, "soon", "expected a duration such as 1h30m, PT1H30M or 90 (seconds)", None),
        (timedelta, "P1M", "expected a duration", "give days"),
        (timedelta, "9999999999999d", "at most 999,999,999 days", None),
        (Color, "green", "expected a Color but got the text 'green'", "one of 'red', 'dark blue'"),
        (list[int], "1,2", "expected JSON for list[int]", "quote it for the shell"),
        (list[int], '[1, "x"]', "expected an integer but got the text 'x' (at [1])", None),
        (Datum, '{"y": "a"}', "Datum lacks 'x'", None),
        (dict, "hello", "expected JSON for a value without a declared type", "quote it"),
        (int | None, "x", "expected an integer but got the text 'x'", None),
        (int | bool, "x", "expected bool | int but got the text 'x'", "expected an integer but got"),
        (None, "x", "expected none or null but got the text 'x'", None),
    ],
)
def test_texts_that_are_refused(annotation: Any, text: str, message: str, hint: str | None) -> None:
    with pytest.raises(InputError) as caught:
        parse_text(text, literal_type(annotation))
    assert message in str(caught.value)
    if hint is not None:
        assert hint in (caught.value.hint or "")
