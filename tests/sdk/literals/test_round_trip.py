"""Round trips of values through JSON text."""

from __future__ import annotations

import json
import math
import os
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Dict, List, Literal, NewType, Optional, Tuple, Union  # noqa: UP035
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from literal_samples import (
    Box,
    Child,
    Color,
    Datum,
    Early,
    Everything,
    Late,
    Level,
    ModelTree,
    Names,
    Options,
    Params,
    Ping,
    Point,
    Pong,
    Ratio,
    Tree,
)
from pydantic import BaseModel

from flytemp.literals.cast import castable
from flytemp.literals.check import check_literal
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile

# No deadline, because the duration of an example depends on the load of the machine.
SETTINGS = settings(deadline=None, max_examples=50)
UserId = NewType("UserId", int)

int64 = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
texts = st.text(max_size=20)
moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])).filter(
    lambda moment: 2 < moment.year < 9998
)
lengths = st.timedeltas()
colors = st.sampled_from(Color)
levels = st.sampled_from(Level)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | int64 | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
data: st.SearchStrategy[Datum] = st.builds(Datum, int64, texts, st.dictionaries(int64, texts, max_size=3))
points = st.builds(Point, floats, floats)
params = st.builds(
    Params,
    rate=st.floats(min_value=0.001, allow_nan=False),
    layers=st.lists(int64, max_size=4),
    color=colors,
    aliasTest=texts,
)
trees: st.SearchStrategy[Tree] = st.recursive(
    st.builds(Tree, texts), lambda inner: st.builds(Tree, texts, st.lists(inner, max_size=3), st.none() | texts)
)
model_trees: st.SearchStrategy[ModelTree] = st.recursive(
    st.builds(ModelTree, value=int64),
    lambda inner: st.builds(ModelTree, value=int64, left=st.none() | inner, right=st.none() | inner),
)
pings: st.SearchStrategy[Ping] = st.recursive(
    st.builds(Ping), lambda inner: st.builds(Ping, st.builds(Pong, inner, int64)), max_leaves=5
)
everything = st.builds(
    Everything,
    moments,
    st.dates(),
    lengths,
    colors,
    levels,
    st.binary(max_size=30),
    st.tuples(int64, texts),
    st.lists(floats, max_size=3).map(tuple),
    int64 | texts,
    int64 | floats,
    st.none() | data,
    st.dictionaries(texts, st.lists(data, max_size=2), max_size=2),
)

CASES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, int64),
    (float, floats),
    (str, texts),
    (bool, st.booleans()),
    (None, st.none()),
    (bytes, st.binary(max_size=50)),
    (datetime, moments),
    (date, st.dates()),
    (timedelta, lengths),
    (Color, colors),
    (Level, levels),
    (Ratio, st.sampled_from(Ratio)),
    (Literal["a", 1, True], st.sampled_from(["a", 1, True])),
    (Literal["a", None], st.sampled_from(["a", None])),
    (Literal[Color.RED], st.just(Color.RED)),
    (UserId, int64),
    (Annotated[int, ["unhashable"]], int64),
    (Any, json_values),
    (object, json_values),
    (dict, st.dictionaries(texts, json_values, max_size=3)),
    (list, st.lists(json_values, max_size=3)),
    (Dict, st.dictionaries(texts, json_values, max_size=3)),  # noqa: UP006
    (List, st.lists(json_values, max_size=3)),  # noqa: UP006
    (list[int], st.lists(int64)),
    (List[Optional[str]], st.lists(st.none() | texts)),  # noqa: UP006, UP045
    (Dict[str, List[float]], st.dictionaries(texts, st.lists(floats, max_size=3), max_size=3)),  # noqa: UP006
    (dict[int, str], st.dictionaries(int64, texts, max_size=4)),
    (dict[float, int], st.dictionaries(floats, int64, max_size=4)),
    (dict[bool, int], st.dictionaries(st.booleans(), int64)),
    (dict[date, int], st.dictionaries(st.dates(), int64, max_size=4)),
    (dict[Color, int], st.dictionaries(colors, int64)),
    (dict[Level, int], st.dictionaries(levels, int64)),
    (dict[str, Any], st.dictionaries(texts, json_values, max_size=3)),
    (tuple[int, str], st.tuples(int64, texts)),
    (Tuple[int, ...], st.lists(int64).map(tuple)),  # noqa: UP006
    (tuple[()], st.just(())),
    (Optional[int], st.none() | int64),  # noqa: UP045
    (Optional[dict], st.none() | st.dictionaries(texts, json_values, max_size=3)),  # noqa: UP045
    (Union[int, str], int64 | texts),  # noqa: UP007
    (int | float, int64 | floats),
    (str | float | None, texts | floats | st.none()),
    (str | datetime, texts | moments),
    (bool | int, st.booleans() | int64),
    (list[int] | list[str], st.lists(int64) | st.lists(texts)),
    (dict[str, int] | Datum, st.dictionaries(texts, int64) | data),
    (Datum | Point | Color, data | points | colors),
    (Datum, data),
    (Everything, everything),
    (Tree, trees),
    (Ping, pings),
    (Box[int], st.builds(Box, int64, st.lists(int64, max_size=3))),
    (Box[list[Datum]], st.builds(Box, st.lists(data, max_size=2))),
    (Point, points),
    (Options, st.fixed_dictionaries({"name": texts}, optional={"size": int64})),
    (Params, params),
    (Child, st.builds(Child, params=params, point=points, tree=st.none() | trees)),
    (ModelTree, model_trees),
    (Names, st.lists(texts).map(Names)),
    (list[Names | None], st.lists(st.none() | st.lists(texts).map(Names), max_size=3)),
    (FlyteFile, st.sampled_from([FlyteFile("a.csv"), FlyteFile("s3://b/k"), FlyteFile["csv"]("x")])),
    (FlyteFile["csv"], st.just(FlyteFile["csv"]("/tmp/a.csv"))),
    (FlyteDirectory["png"] | None, st.just(FlyteDirectory["png"]("gs://b/d")) | st.none()),
    (Path, st.just(Path("some/file.txt"))),
    (os.PathLike, st.just(FlyteFile("some/file.txt"))),
]


@pytest.mark.parametrize(("annotation", "values"), CASES, ids=[str(annotation) for annotation, _ in CASES])
def test_value_is_equal_after_a_round_trip(annotation: Any, values: st.SearchStrategy[Any]) -> None:
    type_ = literal_type(annotation)

    @SETTINGS
    @given(values)
    def check(value: Any) -> None:
        literal = to_literal(value, annotation)
        stored = json.loads(json.dumps(literal, allow_nan=False))
        assert stored == literal
        back = from_literal(stored, annotation)
        assert back == value
        assert type(back) is type(value)
        assert json.dumps(check_literal(stored, type_)) == json.dumps(literal)

    check()
    assert castable(type_, type_)
    assert type(type_).model_validate_json(type_.model_dump_json()) == type_


@SETTINGS
@given(int64)
def test_integers_stay_integers_and_floats_stay_floats(number: int) -> None:
    assert type(from_literal(json.loads(json.dumps(to_literal(number, int))), int)) is int
    assert type(from_literal(to_literal(float(number), int | float), int | float)) is float
    assert type(from_literal(number, float)) is float  # another language writes 3 for 3.0


def test_nan_and_infinity_round_trip() -> None:
    assert to_literal(math.nan, float) == "NaN"
    assert math.isnan(from_literal("NaN", float))
    assert to_literal([math.inf, -math.inf], list[float]) == ["Infinity", "-Infinity"]


def test_datetimes_are_written_in_utc() -> None:
    moment = datetime(2026, 1, 31, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert to_literal(moment, datetime) == "2026-01-31T12:00:00.000005Z"
    assert from_literal("2026-01-31T12:00:00Z", datetime).tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=1, minutes=30), "PT1H30M"),
        (timedelta(), "PT0S"),
        (timedelta(days=2), "P2D"),
        (timedelta(days=2, milliseconds=1500), "P2DT1.5S"),
        (timedelta(seconds=-90), "-PT1M30S"),
        (timedelta.min, "-P999999999D"),
        (timedelta.max, "P999999999DT23H59M59.999999S"),
    ],
)
def test_durations_are_iso_8601(value: timedelta, text: str) -> None:
    assert to_literal(value, timedelta) == text
    assert from_literal(text, timedelta) == value


def test_keys_that_are_not_text_are_written_as_their_json_text() -> None:
    assert to_literal({1: "a"}, dict[int, str]) == {"1": "a"}
    assert to_literal({True: 1}, dict[bool, int]) == {"true": 1}
    assert to_literal({1.0: 1, math.inf: 2}, dict[float, int]) == {"1.0": 1, "Infinity": 2}
    assert to_literal({date(2026, 1, 31): 1}, dict[date, int]) == {"2026-01-31": 1}
    assert to_literal({Level.HIGH: 1}, dict[Level, int]) == {"10": 1}


def test_defaults_fill_missing_fields() -> None:
    assert from_literal({"x": 1}, Datum) == Datum(1)
    assert from_literal({"rate": 0.5}, Params) == Params(rate=0.5)
    assert from_literal({"x": 1}, Point) == Point(1.0, 0.0)
    assert from_literal({"name": "n"}, Options) == {"name": "n"}


def test_subclass_of_a_simple_class_is_converted_to_it() -> None:
    class Celsius(float):
        pass

    class Name(str):
        pass

    assert type(to_literal(Celsius(1.5), float)) is float
    assert type(to_literal(Name("é"), str)) is str
    assert type(to_literal(Level.HIGH, int)) is int
    assert to_literal(Celsius("nan"), float) == "NaN"


def test_enum_accepts_the_text_of_a_value() -> None:
    assert to_literal("dark blue", Color) == "dark blue"
    assert from_literal("dark blue", Color) is Color.DARK_BLUE


def test_fields_that_only_pydantic_converts_round_trip() -> None:
    class Order(BaseModel):
        id: UUID
        tags: set[int] = set()

    order = Order(id=UUID(int=7), tags={3})
    literal = json.loads(json.dumps(to_literal(order, Order)))
    assert from_literal(literal, Order) == order


def test_local_class_may_contain_itself() -> None:
    from dataclasses import dataclass

    @dataclass
    class Chain:
        next: Chain | None = None

    assert from_literal(to_literal(Chain(Chain()), Chain), Chain) == Chain(Chain())


def test_enum_members_with_equal_texts_are_distinguished() -> None:
    class Odd(Enum):
        ONE = 1
        TEXT = "1"

    assert [from_literal(to_literal(member, Odd), Odd) for member in Odd] == list(Odd)


def test_model_may_refer_to_a_later_class() -> None:
    assert from_literal(to_literal(Early(late=Late(x=1)), Early), Early) == Early(late=Late(x=1))
