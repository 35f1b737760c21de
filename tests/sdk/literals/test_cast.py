"""Rules of which output may be bound to which input."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Literal, TypedDict

import pytest
from literal_samples import BigDatum, Box, Color, Datum, Level, Options, Ping, Point, Ratio, Tree
from pydantic import BaseModel

from flytemp.literals.cast import castable, present_part, variant_for
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.literals.difference import difference
from flytemp.literals.unions import tagged
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import CSVFile, FlyteFile


class Shade(Enum):
    RED = "red"
    DARK_BLUE = "dark blue"
    BLACK = "black"


DatumTwin = make_dataclass("DatumTwin", [("x", int), ("y", str, "?"), ("z", dict[int, str], None)])
DatumMore = make_dataclass("DatumMore", [("x", int), ("y", str, "?"), ("z", dict[int, str], None), ("w", int, 0)])
DatumNeedsMore = make_dataclass("DatumNeedsMore", [("x", int), ("y", str), ("z", dict[int, str])])


class NarrowDict(TypedDict):
    x: int


@dataclass
class Grown(Tree):
    age: int = 0


class NarrowModel(BaseModel):
    x: int


class WideModel(NarrowModel):
    y: int


Node = make_dataclass("Node", [("name", str), ("children", "list[Node]", ()), ("parent_name", str | None, None)])


@pytest.mark.parametrize(
    ("source", "target", "value"),
    [
        (int, float, 3),
        (None, int | None, None),
        (int, int | None, 3),
        (int, float | None, 3),
        (int, float | str, 3),
        (int, int | float, 3),
        (float, int | float, 3.0),
        (str, str | datetime, "2026-01-31"),
        (Datum, Datum | Point, Datum(1)),
        (int | None, float | None, 3),
        (int | str, int | str | None, "x"),
        (int | float, int | float | None, 3),
        (int | float, int | float | str | datetime, 3),
        (Literal["a"] | None, str | None, "a"),
        (str, Color, "red"),
        (Color, str, Color.RED),
        (Level, int, Level.HIGH),
        (Level, float, Level.HIGH),
        (int, Level, 10),
        (Ratio, float, Ratio.HALF),
        (Color, Shade, Color.RED),
        (Literal["a"], Literal["b", "a"], "a"),
        (list[int], list, [1]),
        (list, list[int], [1]),
        (dict, Datum, {"x": 1}),
        (Point, Any, Point(1.0)),
        (Options, dict, {"name": "n"}),
        (Any, int, 3),
        (list[dict], list[Datum], [{"x": 1}]),
        (dict[str, int], dict, {"a": 1}),
        (Datum, DatumTwin, Datum(1)),
        (Datum, DatumMore, Datum(1)),
        (Tree, Node, Tree("a", [Tree("b")])),
        (Tree, Tree | None, Tree("a")),
        (Ping, Ping, Ping()),
        (list[int], tuple[int, ...], [1]),
        (FlyteFile["csv"], FlyteFile, "x"),
        (FlyteFile, FlyteFile["csv"], "x"),
        (list[CSVFile], list[FlyteFile], ["x"]),
        (FlyteFile, FlyteFile | str, "x"),
        (Box[int], Box[int], Box(1)),
        (list[int], list[int | None], [1]),
        (dict[str, list[int]], dict[str, list[int | None] | None], {"a": [1]}),
        (tuple[int, str], tuple[int | None, str | None], (1, "a")),
        (list[int | float], list[int | float | None], [1, 1.5]),
        (Box[int], Box[int | None], Box(1)),
        (BigDatum, Datum, BigDatum(1, extra=0.5)),
        (list[BigDatum], list[Datum | None], [BigDatum(1, extra=0.5)]),
        (BigDatum, Datum | Point, BigDatum(1, extra=0.5)),
        (Grown, Tree, Grown("a", [Grown("b", age=2)], age=1)),
        (WideModel, NarrowModel, WideModel(x=1, y=2)),
        (NarrowDict, NarrowDict | None, {"x": 1}),
    ],
    ids=str,
)
def test_castable_value_is_accepted_by_the_target(source: Any, target: Any, value: Any) -> None:
    source_type, target_type = literal_type(source), literal_type(target)
    assert castable(source_type, target_type)
    literal = to_literal(value, source)
    variant = variant_for(source_type, target_type)
    from_literal(literal if variant is None else tagged(variant, literal), target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (float, int),
        (bool, int),
        (int, bool),
        (int, str),
        (str, int),
        (date, datetime),
        (str, datetime),
        (list[int], list[float]),
        (list[int | None], list[int]),
        (list[int], list[int | str]),
        (NarrowModel, WideModel),
        (dict[str, int], dict[str, float]),
        (dict[int, int], dict[str, int]),
        (tuple[int, int], tuple[int, float]),
        (tuple[int, int], tuple[int]),
        (tuple[int, int], list[int]),
        (int | None, int),
        (int | str, int | None),
        (int | float, float),
        (str | datetime, int | str | datetime),
        (Datum, Any),
        (datetime | None, str | datetime | None),
        (datetime, Any),
        (list[datetime], list),
        (int | float, Any),
        (dict[int, str], dict),
        (Color, Literal["red"]),
        (Level, str),
        (Ratio, int),
        (Datum, Point),
        (Datum, DatumNeedsMore),
        (DatumMore, Datum),
        (Box[int], Box[float]),
        (Tree, Ping),
        (FlyteFile["csv"], FlyteFile["json"]),
        (FlyteFile, FlyteDirectory),
        (FlyteFile, str),
    ],
    ids=str,
)
def test_uncastable_types_are_refused(source: Any, target: Any) -> None:
    assert not castable(literal_type(source), literal_type(target))


@pytest.mark.parametrize(
    ("source", "target", "variant"),
    [
        (int, int | float, 0),
        (float, int | float, 1),
        (datetime, str | datetime, 1),
        (Point, Datum | Point, 1),
        (None, Datum | Point | None, 2),
        (int, int | str, None),
        (int, int | None, None),
        (int | float, int | float | None, None),
        (Any, int | float, None),
        (int, float, None),
        (list, int | float, None),
        (str, int | float, None),
    ],
    ids=str,
)
def test_variant_tag_that_a_binding_needs(source: Any, target: Any, variant: int | None) -> None:
    assert variant_for(literal_type(source), literal_type(target)) == variant


@pytest.mark.parametrize(
    ("source", "target", "fits"),
    [
        (int | None, int, True),
        (int | None, float, True),
        (int | None, int | None, True),
        (int | float | None, int | float, True),
        (Datum | None, Datum | Point, True),
        (list[int | None], list[int], False),
        (int | str | None, int, False),
    ],
    ids=str,
)
def test_part_that_may_be_none_fits_a_type_without_none(source: Any, target: Any, fits: bool) -> None:
    target_type = literal_type(target)
    assert castable(present_part(literal_type(source), target_type), target_type) == fits


def test_receiver_gets_the_fields_of_the_declared_base() -> None:
    literal = to_literal([BigDatum(1, "a", extra=0.5)], list[BigDatum])
    assert from_literal(literal, list[Datum]) == [Datum(1, "a")]
    assert to_literal(BigDatum(1, extra=0.5), Datum) == to_literal(Datum(1), Datum)


def test_difference_of_structs_of_one_name_is_a_field() -> None:
    def line(kind: Any) -> Any:
        point = make_dataclass("Point", [("x", int), ("y", kind)])
        return literal_type(make_dataclass("Line", [("ends", list[point])]))  # type: ignore[valid-type]

    assert difference(line(int), line(str)) == "the field 'ends[…].y' is int, not str"
    assert difference(line(int), literal_type(Datum)) is None
    one, other = literal_type(make_dataclass("A", [("x", int)])), literal_type(make_dataclass("A", [("y", int)]))
    assert "'y'" in str(difference(one, other))
