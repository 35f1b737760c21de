"""Normalisation of JSON from people and other languages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from literal_samples import Color, Datum, Level, Ratio, Tree
from pydantic import TypeAdapter

from flytemp.errors import FlytempBug, InputError, LimitExceeded, TypeMismatch
from flytemp.literals.check import check_external, check_literal
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.literals.sizes import MAX_DEPTH, MAX_LITERAL_BYTES, check_size, depth_of
from flytemp.literals.text import parse_text
from flytemp.literals.types import StructType
from flytemp.types.file import FlyteFile


@pytest.mark.parametrize(
    ("annotation", "given", "canonical"),
    [
        (float, 3, 3.0),
        (int, 3.0, 3),
        (datetime, "2026-01-31T14:00:00+02:00", "2026-01-31T12:00:00Z"),
        (datetime, "2026-01-31 12:00:00", "2026-01-31T12:00:00Z"),
        (datetime, "2026-01-31", "2026-01-31T00:00:00Z"),
        (datetime, "2026-01-31t12:00:00.5z", "2026-01-31T12:00:00.500000Z"),
        (date, "2026-01-31", "2026-01-31"),
        (timedelta, 90, "PT1M30S"),
        (timedelta, 0.5, "PT0.5S"),
        (timedelta, "P1W", "P7D"),
        (timedelta, "+PT90M", "PT1H30M"),
        (bytes, "AA==", "AA=="),
        (Level, 10.0, 10),
        (Ratio, 1, 1.0),
        (FlyteFile["csv"], "s3://b/k", {"uri": "s3://b/k", "format": "csv"}),
        (FlyteFile, {"uri": "x", "format": "json"}, {"uri": "x", "format": "json"}),
        (FlyteFile | None, "s3://b/k", {"uri": "s3://b/k", "format": ""}),
        (FlyteFile, {"path": "s3://b/k"}, {"uri": "s3://b/k", "format": ""}),
        (FlyteFile["csv"], {"path": "s3://b/k", "format": "csv"}, {"uri": "s3://b/k", "format": "csv"}),
        (timedelta | None, 90, "PT1M30S"),
        (list[float], [], []),
        (list[float | None], [1, None], [1.0, None]),
        (dict[float, float], {"1": 1}, {"1.0": 1.0}),
        (dict[datetime, int], {"2026-01-31": 1}, {"2026-01-31T00:00:00Z": 1}),
        (tuple[int, float], [1, 1], [1, 1.0]),
        (Datum, {"z": {"1": "a"}, "x": 1}, {"x": 1, "z": {"1": "a"}}),
        (Tree, {"name": "a", "children": [{"name": "b"}]}, {"name": "a", "children": [{"name": "b"}]}),
        (dict, {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
    ],
    ids=str,
)
def test_json_is_normalised(annotation: Any, given: Any, canonical: Any) -> None:
    type_ = literal_type(annotation)
    assert repr(check_literal(given, type_)) == repr(canonical)
    assert check_literal(canonical, type_) == canonical


@pytest.mark.parametrize(
    ("annotation", "given", "message"),
    [
        (Tree, {"name": "a", "children": [{"name": "b", "children": [{"name": 1}]}]}, "(at .children[0].children[0].name)"),
        (Tree, {"name": "a", "children": [{"nam": "b"}]}, "Tree has no field 'nam' (at .children[0])"),
        (dict[int, list[Color]], {"7": ["red", "green"]}, "expected a Color but got the text 'green' (at ['7'][1])"),
        (dict[int, int], {"1": 1, "1.0": 2}, "the key '1' is given twice (at ['1.0'])"),
        (dict[int, int], {"[]": 1}, "expected a key that is the text of an integer"),
        (dict[Level, int], {"7": 1}, "expected a key of Level but got the text '7'"),
        (tuple[int, int], [1], "expected a list of 2 but got a list of 1"),
        (int | None, "x", "expected an integer but got the text 'x'"),
        (int | str, 1.5, "expected an integer but got the number 1.5"),
        (list[int] | str, 1, "expected str | list[int] but got the number 1"),
    ],
)  # fmt: skip
def test_json_of_another_type_is_refused(annotation: Any, given: Any, message: str) -> None:
    with pytest.raises(TypeMismatch) as caught:
        check_literal(given, literal_type(annotation))
    assert message in str(caught.value)


def test_cut_without_its_struct_is_a_bug() -> None:
    with pytest.raises(FlytempBug, match="'Lost'"):
        check_literal({}, StructType(name="Lost", recursive=True))


def test_value_over_two_mebibytes_is_refused() -> None:
    fitting = "x" * (MAX_LITERAL_BYTES - 2)
    assert check_size("text", fitting) is fitting
    with pytest.raises(LimitExceeded, match="'text'") as caught:
        check_size("text", "x" * (3 * 2**20))
    assert "'text'" in (caught.value.hint or "")
    with pytest.raises(LimitExceeded):
        check_size("umlauts", "ä" * (MAX_LITERAL_BYTES // 2))


@dataclass
class Link:
    number: int = 0
    next: Link | None = None
    more: list[Link] = field(default_factory=list)


def nested(levels: int, kind: str) -> tuple[Any, Any]:
    """Return a value with the given number of lists, dicts or dataclasses around a number, and its annotation."""
    value: Any = Link() if kind == "next" else 1
    for _ in range(levels - 2 * (kind == "next")):  # the innermost Link has an empty list
        value = [value] if kind == "list" else {"a": value} if kind == "dict" else Link(next=value)
    return value, {"list": list, "dict": dict, "next": Link}[kind]


@pytest.mark.parametrize("kind", ["list", "dict", "next"])
def test_value_nested_up_to_the_limit_is_transported(kind: str) -> None:
    value, annotation = nested(MAX_DEPTH, kind)
    literal = check_size("value", to_literal(value, annotation))
    document = TypeAdapter(dict[str, Any]).validate_json(json.dumps({"a": [{"b": {"c": [literal]}}]}))
    assert from_literal(check_external(document["a"][0]["b"]["c"][0], literal_type(annotation)), annotation) == value


@pytest.mark.parametrize("kind", ["list", "dict", "next"])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 200, 254, 5000])
def test_value_nested_too_deep_is_refused_with_the_depth(kind: str, levels: int) -> None:
    value, annotation = nested(levels, kind)
    with pytest.raises(LimitExceeded, match=rf"nested ({levels}|more than {MAX_DEPTH}) levels deep"):
        check_size("value", to_literal(value, annotation))


def test_number_of_siblings_is_not_their_depth() -> None:
    assert depth_of([[1], {"a": [2]}] * 1000) == 3
    assert check_size("value", [[]] * 1000)


def test_json_nested_too_deep_is_refused() -> None:
    for levels in (200, 100_000):
        with pytest.raises(InputError):
            check_size("value", parse_text("[" * levels + "]" * levels, literal_type(list)))
