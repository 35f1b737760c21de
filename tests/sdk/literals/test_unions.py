"""Unions: selection of the variant, and the tag of ambiguous forms."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Optional, Union

import pytest
from literal_samples import BigDatum, Box, Color, Datum, Level, Point

from flytemp.errors import TypeMismatch
from flytemp.literals.check import check_literal
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.types.file import FlyteFile


@pytest.mark.parametrize(
    ("annotation", "value", "literal"),
    [
        (int | str, 3, 3),
        (int | str, "3", "3"),
        (Optional[float], None, None),  # noqa: UP045
        (Optional[float], 1.5, 1.5),  # noqa: UP045
        (bool | int, True, True),
        (bool | int, 1, 1),
        (dict | None, {"a": 1}, {"a": 1}),
        (Any | None, None, None),
        (list[int] | dict[str, int], [1], [1]),
        (Color | None, Color.RED, "red"),
        (Level | str, Level.HIGH, 10),
        (int | float, 3, {"$variant": 0, "value": 3}),
        (int | float, 3.0, {"$variant": 1, "value": 3.0}),
        (float | str, "NaN", {"$variant": 1, "value": "NaN"}),
        (Datum | Point, Point(1.0), {"$variant": 1, "value": {"x": 1.0, "y": 0.0}}),
        (Datum | Point | None, None, {"$variant": 2, "value": None}),
        (list[int] | list[str], [], {"$variant": 0, "value": []}),
    ],
)
def test_json_form_of_union_values(annotation: Any, value: Any, literal: Any) -> None:
    assert to_literal(value, annotation) == literal
    assert from_literal(literal, annotation) == value


def test_order_in_the_annotation_does_not_number_the_variants() -> None:
    assert literal_type(Union[str, int]) == literal_type(Union[int, str])  # noqa: UP007
    assert literal_type(list[float | int | None]) == literal_type(list[None | int | float])  # noqa: RUF036


def test_variant_numbers_are_equal_in_all_processes() -> None:
    program = (
        "from typing import Union, List\n"
        "{first}\n"
        "from flytemp.literals.convert import to_literal\n"
        "print(to_literal([1, 1.5], List[Union[int, float]]))\n"
    )
    outputs = {
        subprocess.run([sys.executable, "-c", program.format(first=first)], capture_output=True, text=True, check=True).stdout
        for first in ("List[Union[int, float]]", "List[Union[float, int]]")
    }
    assert outputs == {"[{'$variant': 0, 'value': 1}, {'$variant': 1, 'value': 1.5}]\n"}


def test_ambiguous_value_is_refused() -> None:
    with pytest.raises(TypeMismatch) as caught:
        to_literal("data", FlyteFile["csv"] | FlyteFile["json"])
    assert caught.value.hint


def test_ambiguity_depends_on_the_json_form() -> None:
    assert to_literal({"a": 1}, dict[str, int] | dict[str, int | None])["$variant"] == 0
    with pytest.raises(TypeMismatch):
        to_literal(Box(1), Box[int] | Box[int | float])


@pytest.mark.parametrize(
    ("literal", "canonical"),
    [
        (3, {"$variant": 0, "value": 3}),
        (3.5, {"$variant": 1, "value": 3.5}),
        (3.0, {"$variant": 1, "value": 3.0}),
        ({"$variant": 1, "value": 3}, {"$variant": 1, "value": 3.0}),
    ],
)
def test_untagged_value_of_a_single_fitting_variant_is_accepted(literal: Any, canonical: Any) -> None:
    assert check_literal(literal, literal_type(int | float)) == canonical
    assert from_literal(literal, int | float) == canonical["value"]


def test_untagged_struct_is_recognised_by_its_fields() -> None:
    assert from_literal({"x": 1, "z": {}}, Datum | Point) == Datum(1)
    assert from_literal({"x": 1.0}, Datum | Point) == Point(1.0)
    with pytest.raises(TypeMismatch, match="BigDatum and Datum") as caught:
        from_literal({"x": 1}, Datum | BigDatum | None)
    assert '{"$variant": 0, "value": …} for BigDatum' in (caught.value.hint or "")
