"""What does not fit is refused with a text that names the value, the place in it and the remedy."""

from __future__ import annotations

import collections
import dataclasses
import decimal
import math
import typing
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
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

from flytemp.errors import LimitExceeded, NotSupported, TypeMismatch
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile

T = typing.TypeVar("T")
MISSING: Any = object()


@pytest.mark.parametrize(
    ("value", "annotation", "message", "hint"),
    [
        (3, float, "Expected value of type <class 'float'> but got '3' of type <class 'int'>", "float(value)"),
        (True, int, "Expected value of type <class 'int'> but got 'True' of type <class 'bool'>", "int(value)"),
        (True, float, "Expected value of type <class 'float'> but got 'True' of type <class 'bool'>", "float(value)"),
        (1, bool, "Expected value of type <class 'bool'> but got '1' of type <class 'int'>", None),
        (3.0, int, "Expected value of type <class 'int'> but got '3.0' of type <class 'float'>", "int(value)"),
        ("3", int, "Expected value of type <class 'int'> but got '3' of type <class 'str'>", "int(value)"),
        (3, str, "Expected value of type <class 'str'> but got '3' of type <class 'int'>", "str(value)"),
        (None, int, "Expected value of type <class 'int'> but got 'None'", "Optional[int]"),
        (b"x", str, "Expected value of type <class 'str'> but got 'b'x''", None),
        (0, None, "Expected value of type <class 'NoneType'> but got '0'", None),
        (datetime(2026, 1, 1, tzinfo=UTC), date, "Expected value of type <class 'datetime.date'> but got", None),
        (date(2026, 1, 1), datetime, "Expected value of type <class 'datetime.datetime'> but got '2026-01-01'", None),
        (datetime(2026, 1, 1), datetime, "the datetime '2026-01-01 00:00:00' has no time zone", "timezone.utc"),
        (2**63, int, "an integer of 64 bits is outside the 64 bits that an int may have", "pass it as str"),
        ("\ud800", str, "the text has half a character (a lone surrogate) at position 0", "errors='replace'"),
        ([1, "2"], list[int], "but got '2' of type <class 'str'> (at [1])", "int(value)"),
        ((1,), list[int], "Expected value of type list[int] but got '(1,)' of type <class 'tuple'>", "list(value)"),
        ({1}, list[int], "Expected value of type list[int] but got '{1}' of type <class 'set'>", "list(value)"),
        ([1], tuple[int], "Expected value of type tuple[int] but got '[1]'", "tuple(value)"),
        ((1, 2), tuple[int], "Expected value of type tuple[int] but got '(1, 2)'", None),
        ({"a": [1, None]}, dict[str, list[int]], "got 'None' of type <class 'NoneType'> (at .a[1])", "Optional[int]"),
        ({"first name": 1}, dict[str, str], "(at ['first name'])", "str(value)"),
        ({"1": 1}, dict[int, int], "but got '1' of type <class 'str'> (at ['1'])", "int(value)"),
        ([1], dict, "Expected value of type <class 'dict'> but got '[1]' of type <class 'list'>", None),
        ({1: 2}, dict, "the key 1 of type <class 'int'> is no text", "dict[int, …]"),
        ({"a": [date(2026, 1, 1)]}, dict, "is no JSON, which is all that an untyped value may hold (at .a[0])", "declare"),
        (math.nan, Any, "JSON has no nan", "float"),
        (2**70, Any, "outside the 64 bits", "str"),
        ("green", Color, "'green' is not a valid Color", "one of 'red', 'dark blue'"),
        (1, Color, "Expected value of type <enum 'Color'> but got '1'", "one of 'red'"),
        ([], Color, "Expected value of type <enum 'Color'> but got '[]'", "one of 'red'"),
        (1, Level, "Expected value of type <enum 'Level'> but got '1' of type <class 'int'>", "one of 1, 10"),
        ("c", Literal["a", "b"], "Expected value of type Literal['a', 'b'] but got 'c'", "one of 'a', 'b'"),
        (True, Literal[1], "Expected value of type Literal[1] but got 'True'", "one of 1"),
        (1.5, int | str, "Expected value of type int | str but got '1.5' of type <class 'float'>", None),
        ("x", int | None, "Expected value of type <class 'int'> but got 'x' of type <class 'str'>", "int(value)"),
        (["x"], list[int] | str, "but got 'x' of type <class 'str'> (at [0])", "int(value)"),
        (BigDatum(1), Datum, "of type <class 'literal_samples.BigDatum'>", "declare BigDatum"),
        ({"x": 1}, Datum, "Expected value of type <class 'literal_samples.Datum'>", "Datum(**value)"),
        (Datum("1"), Datum, "but got '1' of type <class 'str'> (at .x)", "int(value)"),  # type: ignore[arg-type]
        (Tree("a", [Tree(1)]), Tree, "but got '1' of type <class 'int'> (at .children[0].name)", "str(value)"),  # type: ignore[arg-type]
        ((1.0, 2.0), Point, "Expected value of type <class 'literal_samples.Point'>", None),
        ({"nam": "x"}, Options, "Options has no field 'nam'", "did you mean 'name'?"),
        ({}, Options, "Options lacks 'name'", "give a value"),
        (Box(1, [2]), Box[str], "Expected value of type <class 'str'> but got '1' of type <class 'int'> (at .content)", "str"),
        (Vault(secret="x"), Vault, "does not come back from its JSON form (at .secret)", "str"),  # type: ignore[arg-type]
        (None, FlyteFile, "None value cannot be converted to a file.", "Optional"),
        (3, FlyteFile, "a file's path is text or a pathlib.Path, not '3' of type <class 'int'>", None),
        ("", FlyteFile, "an empty text is no path of a file", None),
        (FlyteDirectory("d"), FlyteFile, "Expected value of type <class 'flytemp.types.file.FlyteFile'>", None),
        (FlyteFile["json"]("x"), FlyteFile["csv"], "but got 'x' of type <class 'flytemp.types.file.FlyteFile[\"json\"]'>", None),
        (3, Path, "Expected value of type Path but got '3'", None),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_of_another_type(value: Any, annotation: Any, message: str, hint: str | None) -> None:
    with pytest.raises(TypeMismatch) as caught:
        to_literal(value, annotation)
    assert message in str(caught.value)
    if hint is not None:
        assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("literal", "annotation", "message", "hint"),
    [
        ("x", int, "expected an integer but got the text 'x'", None),
        (1.5, int, "expected an integer but got the number 1.5", None),
        (True, int, "expected an integer but got true", None),
        (2**63, int, "outside the 64 bits", "str"),
        (10**400, float, "too large for a float", "str"),
        ("1", float, "expected a number but got the text '1'", None),
        (0, bool, "expected true or false but got the number 0", None),
        (None, str, "expected text but got null", None),
        (1, None, "expected null but got the number 1", None),
        ("yesterday", datetime, "expected a date and time such as 2026-01-31T12:00:00Z", None),
        ("2026-02-30T00:00:00Z", datetime, "expected a date and time", None),
        ("0001-01-01T00:00:00+10:00", datetime, "expected a date and time", None),
        ("2026-01-31T00:00:00Z", date, "expected a date such as 2026-01-31", None),
        ("P1Y", timedelta, "expected a duration", "give days"),
        ("P", timedelta, "expected a duration", None),
        (1e300, timedelta, "expected a duration", "999,999,999 days"),
        ("%%", bytes, "expected base64 text", None),
        ("green", Color, "expected a Color but got the text 'green'", "one of 'red'"),
        (True, Level, "expected a Level but got true", "one of 1, 10"),
        ({"a": 1}, list[int], "expected a list but got an object with 'a'", None),
        ([1, "x"], list[int], "expected an integer but got the text 'x' (at [1])", None),
        ([1], tuple[int, int], "expected a list of 2 but got a list of 1", None),
        ([], dict[str, int], "expected a JSON object but got a list of 0", None),
        ({"x": 1}, dict[int, int], "expected a key that is the text of an integer but got the text 'x' (at .x)", None),
        ({"x": 1, "w": 2}, Datum, "Datum has no field 'w'", "it has x, y, z"),
        ({"x": 1, "yy": "2"}, Datum, "Datum has no field 'yy'", "did you mean 'y'?"),
        ({"y": "1"}, Datum, "Datum lacks 'x'", "give a value"),
        ([], Datum, "expected a JSON object for Datum but got a list of 0", None),
        ({"number": 3}, Even, "Even refuses the value: ArithmeticError: 3 is odd", "Even itself"),
        ({"rate": -1.0}, Params, "Params refuses the value: rate: Input should be greater than 0", None),
        ({"params": {"rate": "x"}, "point": {"x": 1}}, Child, "expected a number but got the text 'x' (at .params.rate)", None),
        ({"text": "A"}, Lower, "Lower refuses the value: text: Value error, must be lower case", None),
        ({"$variant": 7, "value": 1}, int | float, "there is no variant 7; variants are numbered 0 to 1", None),
        ({"$variant": 0, "value": "x"}, int | float, "expected an integer but got the text 'x' (at .value)", None),
        ("x", int | float, "expected int | float but got the text 'x'", None),
        ("2026-01-31T00:00:00Z", str | datetime, "may be any of str and datetime", '{"$variant": 0'),
        ({"url": "x"}, FlyteFile, "expected a file: its path or URI", None),
        ({"uri": ""}, FlyteFile, "needs its path or URI as text", "s3://"),
        ({"uri": "x", "format": "json"}, FlyteFile["csv"], "a file of format 'csv' but got one of format 'json'", None),
        (complex(1), int, "which is no JSON", None),
    ],
    ids=str,
)  # fmt: skip
def test_a_literal_of_another_type(literal: Any, annotation: Any, message: str, hint: str | None) -> None:
    with pytest.raises(TypeMismatch) as caught:
        from_literal(literal, annotation)
    assert message in str(caught.value)
    if hint is not None:
        assert hint in (caught.value.hint or "")


@dataclasses.dataclass
class _Unsupported:
    price: decimal.Decimal


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


@pytest.mark.parametrize(
    ("annotation", "message", "hint"),
    [
        (set[int], "flytemp has no type for the annotation set[int]", "use list[…]"),
        (frozenset, "no type for the annotation frozenset", "use list[…]"),
        (tuple, "no type for the annotation tuple", "tuple[int, str]"),
        (typing.Tuple, "no type for the annotation typing.Tuple", "tuple[int, str]"),  # noqa: UP006
        (complex, "no type for the annotation complex", "tuple[float, float]"),
        (Sequence[int], "Sequence[int]", "use list[…]"),
        (Iterator[int], "Iterator[int]", "FlyteFile"),
        (Callable[[], int], "Callable[[], int]", "look it up inside the task"),
        (time, "datetime.time", "use str"),
        (decimal.Decimal, "decimal.Decimal", "dataclass or a pydantic model"),
        (_Plain, "_Plain", "FlyteFile"),
        (T, "~T", "instead of the type variable"),
        ("Datum", "the annotation 'Datum' is a text that was not resolved", "at the top of the module"),
        (3, "no type for the annotation 3", "dataclass"),
        (list[set[int]], "set[int]", "list[…]"),
        (dict[tuple[int, int], str], "tuple[int, int] cannot be the key of a dict", "a list of pairs"),
        (Enum, "enum.Enum", "a subclass of Enum"),
        (_Empty, "_Empty has no members", "that has some"),
        (_Objects, "the value (1, 2) of _Objects.A is no text", "plain values"),
        (Literal[b"x"], "is no text, integer, float or boolean", "plain values"),
        (Nest, "Nest'> contains itself without a class in between", "dataclass"),
        (_Unsupported, "field 'price' of _Unsupported: flytemp has no type for the annotation decimal.Decimal", "pydantic"),
        (_Unresolved, "the annotations of _Unresolved cannot be resolved: name 'NotThere' is not defined", "at the top"),
        (_WithInitVar, "_WithInitVar has an InitVar", "make it a field"),
        (_Named, "field 'a' of _Named has no annotation", "typing.NamedTuple"),
        (Box, "field 'content' of Box: flytemp has no type for the annotation ~T", "type variable"),
    ],
    ids=str,
)
def test_an_annotation_without_a_type(annotation: Any, message: str, hint: str) -> None:
    with pytest.raises(NotSupported) as caught:
        literal_type(annotation)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_a_format_is_a_text() -> None:
    with pytest.raises(NotSupported, match="the format of a file is a text"):
        FlyteFile[3]  # type: ignore[misc,valid-type]


def test_bytes_of_any_size_do_not_travel() -> None:
    with pytest.raises(LimitExceeded, match=r"262145 bytes are more than the 262144 .* \(at \[0\]\)") as caught:
        to_literal([bytes(262145)], list[bytes])
    assert "FlyteFile" in (caught.value.hint or "")


def test_a_value_that_contains_itself() -> None:
    tree = Tree("a")
    tree.children.append(tree)
    with pytest.raises(TypeMismatch, match="nested too deeply, or contains itself"):
        to_literal(tree, Tree)


def test_a_long_value_is_quoted_in_part() -> None:
    with pytest.raises(TypeMismatch) as caught:
        to_literal("x" * 100_000, int)
    assert len(str(caught.value)) < 400


def test_a_value_whose_text_fails_is_still_refused_clearly() -> None:
    class Broken:
        def __str__(self) -> str:
            raise ZeroDivisionError

    with pytest.raises(TypeMismatch, match="a value whose text fails: ZeroDivisionError"):
        to_literal(Broken(), int)


def test_the_error_of_a_class_is_the_cause() -> None:
    with pytest.raises(TypeMismatch) as caught:
        from_literal([{"number": 3}], list[Even])
    assert isinstance(caught.value.__cause__, ArithmeticError)
    assert str(caught.value).endswith("(at [0])")
