"""Flags of the command line."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Literal

import pytest
from literal_samples import Color, Datum, Level, Point

from flytemp.errors import InputError
from flytemp.literals.convert import from_literal, literal_type
from flytemp.literals.mismatch import shortened
from flytemp.literals.text import parse_text
from flytemp.literals.types import EncodedType
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile
from tests.messages.golden import Case, check_golden


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


REFUSED: list[tuple[Any, str]] = [
    (int, "3.0"),
    (int, str(2**63)),
    (int, "9" * 5000),
    (float, "three"),
    (bool, "maybe"),
    (datetime, "31.1.2026"),
    (datetime, "now + soon"),
    (datetime, "now + 99999999d"),
    (timedelta, "soon"),
    (timedelta, "P1M"),
    (timedelta, "9999999999999d"),
    (Color, "green"),
    (list[int], "1,2"),
    (list[int], '[1, "x"]'),
    (Datum, '{"y": "a"}'),
    (dict, "hello"),
    (int | None, "x"),
    (int | bool, "x"),
    (None, "x"),
]


@pytest.mark.parametrize(("annotation", "text"), REFUSED, ids=str)
def test_text_of_another_type_is_refused(annotation: Any, text: str) -> None:
    with pytest.raises(InputError):
        parse_text(text, literal_type(annotation))


@pytest.mark.parametrize("text", ["photo.npy", "{", '{"uri": "photo.npy"}'])
def test_hint_of_an_encoded_value_names_its_format(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_text(text, EncodedType(format="npy"))
    assert '{"format": "npy", "uri": PATH}' in (caught.value.hint or "")


def test_encoded_value_is_given_by_its_path() -> None:
    literal = {"format": "npy", "uri": "photo.npy"}
    assert parse_text(json.dumps(literal), EncodedType(format="npy")) == literal


def test_messages() -> None:
    cases: dict[str, Case] = {
        f"{shortened(text)!r} for {annotation}": partial(parse_text, text, literal_type(annotation))
        for annotation, text in REFUSED
    }
    check_golden("flags", cases)
