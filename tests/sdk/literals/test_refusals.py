"""Errors for values, literals and annotations that cannot be converted. Their texts are in tests/messages/refusals.txt."""

from __future__ import annotations

import collections
import dataclasses
import decimal
import math
import threading
import typing
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from literal_samples import (
    BigDatum,
    Box,
    Child,
    Color,
    Datum,
    Even,
    Level,
    Lower,
    Nest,
    Options,
    Params,
    Point,
    Tree,
    Vault,
)

from flytemp.errors import LimitExceeded, TypeMismatch, UnsupportedType
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.literals.mismatch import shortened
from flytemp.literals.transfer import RawDataTransfer
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile
from tests.messages.golden import Case, check_golden

T = typing.TypeVar("T")


@dataclasses.dataclass
class _Attached:
    """Class whose values have an attribute without a literal, which the constructor would change."""

    x: int

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.x += 1


VALUES: list[tuple[Any, Any]] = [
    (2**53 + 1, float),
    (True, int),
    (True, float),
    (1, bool),
    (3.0, int),
    ("3", int),
    (3, str),
    (None, int),
    (b"x", str),
    (0, None),
    (datetime(2026, 1, 1, tzinfo=UTC), date),
    (date(2026, 1, 1), datetime),
    (2**63, int),
    ("\ud800", str),
    ([1, "2"], list[int]),
    ((1,), list[int]),
    ({1}, list[int]),
    ([1], tuple[int]),
    ((1, 2), tuple[int]),
    ({"a": [1, None]}, dict[str, list[int]]),
    ({"first name": 1}, dict[str, str]),
    ({"1": 1}, dict[int, int]),
    ([1], dict),
    ({1: 2}, dict),
    ({"a": [date(2026, 1, 1)]}, dict),
    (math.nan, Any),
    (2**70, Any),
    ("green", Color),
    (1, Color),
    ([], Color),
    (1, Level),
    ("c", Literal["a", "b"]),
    (True, Literal[1]),
    (1.5, int | str),
    ("x", int | None),
    (["x"], list[int] | str),
    (Datum(1), BigDatum),
    ({"a": {"$flytemp": 1}}, dict),
    ({"$flytemp": 1}, dict[str, int]),
    (_Attached(3), _Attached),
    ({"x": 1}, Datum),
    (Datum("1"), Datum),  # type: ignore[arg-type]
    (Tree("a", [Tree(1)]), Tree),  # type: ignore[arg-type]
    ((1.0, 2.0), Point),
    ({"nam": "x"}, Options),
    ({}, Options),
    (Box(1, [2]), Box[str]),
    (Vault(secret="x"), Vault),  # type: ignore[arg-type]
    (None, FlyteFile),
    (3, FlyteFile),
    ("", FlyteFile),
    (FlyteDirectory("d"), FlyteFile),
    (FlyteFile["json"]("x"), FlyteFile["csv"]),
    (3, Path),
]


@dataclasses.dataclass
class _Square:
    side: int
    area: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.area = self.side**2


LITERALS: list[tuple[Any, Any]] = [
    ("x", int),
    (1.5, int),
    (True, int),
    (2**63, int),
    (10**400, float),
    ("1", float),
    (0, bool),
    (None, str),
    (1, None),
    ("yesterday", datetime),
    ("2026-02-30T00:00:00Z", datetime),
    ("0001-01-01T00:00:00+10:00", datetime),
    ("2026-01-31T00:00:00Z", date),
    ("P1Y", timedelta),
    ("P", timedelta),
    (1e300, timedelta),
    ("%%", bytes),
    ("green", Color),
    (True, Level),
    ({"a": 1}, list[int]),
    ([1, "x"], list[int]),
    ([1], tuple[int, int]),
    ([], dict[str, int]),
    ({"x": 1}, dict[int, int]),
    ({"x": 1, "w": 2}, Datum),
    ({"x": 1, "yy": "2"}, Datum),
    ({"y": "1"}, Datum),
    ([], Datum),
    ({"number": 3}, Even),
    ({"rate": -1.0}, Params),
    ({"params": {"rate": "x"}, "point": {"x": 1}}, Child),
    ({"text": "A"}, Lower),
    ({"x": 1, "$flytemp": {}}, Datum),
    ({"$flytemp": 1}, dict[str, int]),
    ({"x": 1, "w": 2, "$flytemp": {"of": ["Other"]}}, Datum),
    ({"side": 2, "area": 5}, _Square),
    ({"text": "a", "$flytemp": {"of": ["Lower"], "unset": ["text"], "launched": True}}, Lower),
    ({"$variant": 7, "value": 1}, int | float),
    ({"$variant": 0, "value": "x"}, int | float),
    ("x", int | float),
    ("2026-01-31T00:00:00Z", str | datetime),
    ({"url": "x"}, FlyteFile),
    ({"uri": ""}, FlyteFile),
    ({"uri": "x", "format": "json"}, FlyteFile["csv"]),
    (complex(1), int),
]


@dataclasses.dataclass
class _Unsupported:
    price: decimal.Decimal


@dataclasses.dataclass
class _UnsupportedComputed:
    price: decimal.Decimal = dataclasses.field(init=False)


@dataclasses.dataclass
class _WithContent(dict[str, int]):
    x: int


@dataclasses.dataclass
class _Unresolved:
    x: NotThere  # noqa: F821  # type: ignore[name-defined]


@dataclasses.dataclass
class _WithInitVar:
    x: dataclasses.InitVar[int]


class _Empty(Enum):
    pass


class _Objects(Enum):
    A = (1, 2)


class _Plain:
    pass


_Named = collections.namedtuple("_Named", ["a"])


ANNOTATIONS: list[Any] = [
    set[int],
    frozenset,
    tuple,
    typing.Tuple,  # noqa: UP006
    complex,
    Sequence[int],
    Iterator[int],
    Callable[[], int],
    time,
    decimal.Decimal,
    _Plain,
    T,
    "Datum",
    3,
    list[set[int]],
    dict[tuple[int, int], str],
    Enum,
    _Empty,
    _Objects,
    Literal[b"x"],
    Nest,
    _Unsupported,
    _UnsupportedComputed,
    _WithContent,
    _Unresolved,
    _WithInitVar,
    _Named,
    Box,
]


class Broken:
    def __str__(self) -> str:
        raise ZeroDivisionError


def containing_itself() -> Tree:
    tree = Tree("a")
    tree.children.append(tree)
    return tree


@pytest.mark.parametrize(("value", "annotation"), VALUES, ids=str)
def test_value_of_another_type_is_refused(value: Any, annotation: Any) -> None:
    with pytest.raises(TypeMismatch):
        to_literal(value, annotation)


@pytest.mark.parametrize(("literal", "annotation"), LITERALS, ids=str)
def test_literal_of_another_type_is_refused(literal: Any, annotation: Any) -> None:
    with pytest.raises(TypeMismatch):
        from_literal(literal, annotation)


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
def test_annotation_without_a_type_is_refused_with_an_alternative(annotation: Any) -> None:
    with pytest.raises(UnsupportedType) as caught:
        literal_type(annotation)
    assert caught.value.hint


def test_texts() -> None:
    cases: dict[str, Case] = {}
    for value, annotation in VALUES:
        cases[f"value {value!r} for {annotation}"] = partial(to_literal, value, annotation)
    for literal, annotation in LITERALS:
        cases[f"literal {shortened(repr(literal))} for {annotation}"] = partial(from_literal, literal, annotation)
    for annotation in ANNOTATIONS:
        cases[f"annotation {annotation}"] = partial(literal_type, annotation)
    cases["format that is not a text"] = partial(FlyteFile.__class_getitem__, 3)  # type: ignore[arg-type]
    cases["value that contains itself"] = partial(to_literal, containing_itself(), Tree)
    cases["value whose str fails"] = partial(to_literal, Broken(), int)
    check_golden("refusals", cases)


def test_bytes_over_the_limit_are_refused() -> None:
    with pytest.raises(LimitExceeded, match=r"\(at \[0\]\)") as caught:
        to_literal([bytes(262145)], list[bytes])
    assert "FlyteFile" in (caught.value.hint or "")


def test_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(TypeMismatch) as caught:
        to_literal("x" * 100_000, int)
    assert len(str(caught.value)) < 400


class _Unreadable(type):
    def __repr__(cls) -> str:
        raise SystemExit(0)


class _WithoutText(metaclass=_Unreadable):
    def __repr__(self) -> str:
        raise SystemExit(0)


@pytest.mark.parametrize("annotation", [int, list[int], int | str, FlyteFile, FlyteDirectory], ids=str)
def test_value_whose_class_exits_while_it_is_described_is_refused(annotation: Any) -> None:
    with pytest.raises(TypeMismatch):
        to_literal(_WithoutText(), annotation)


@pytest.mark.parametrize("name", ["missing", "."])
def test_path_that_is_not_a_file_is_refused_with_an_alternative(name: str, tmp_path: Path) -> None:
    with pytest.raises(TypeMismatch) as caught:
        to_literal(tmp_path / name, Path, RawDataTransfer(str(tmp_path / "raw"), tmp_path))
    assert "declare it as str" in str(caught.value.hint)


def test_error_of_a_class_is_the_cause() -> None:
    with pytest.raises(TypeMismatch) as caught:
        from_literal([{"number": 3}], list[Even])
    assert isinstance(caught.value.__cause__, ArithmeticError)
    assert str(caught.value).endswith("(at [0])")
