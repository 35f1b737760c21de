"""Types of annotations, and their descriptions."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Optional, TypedDict

import pytest
from literal_samples import Box, Color, Datum, Level, Loose, Names, Options, Params, Ping, Pong, Tree

from flytemp.literals.convert import literal_type
from flytemp.literals.describe import describe_type
from flytemp.literals.recursion import closed
from flytemp.literals.types import (
    BlobType,
    EnumType,
    ListType,
    MapType,
    SimpleType,
    StructField,
    StructType,
    TupleType,
    UnionType,
)
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import CSVFile, FlyteFile

INT, STR, ANY, NONE = (SimpleType(kind=kind) for kind in ("integer", "string", "any", "none"))
CUT = StructType(name="Tree", recursive=True)


@pytest.mark.parametrize(
    ("annotation", "type_", "words"),
    [
        (int, INT, "int"),
        (timedelta, SimpleType(kind="duration"), "timedelta"),
        (list, ANY, "any"),
        (list[int], ListType(item=INT), "list[int]"),
        (tuple[int, ...], ListType(item=INT), "list[int]"),
        (tuple[int, str], TupleType(items=(INT, STR)), "tuple[int, str]"),
        (tuple[()], TupleType(items=()), "tuple[()]"),
        (dict[str, Any], MapType(key=STR, value=ANY), "dict[str, any]"),
        (Optional[str], UnionType(variants=(STR, NONE)), "str | None"),  # noqa: UP045
        (Color, EnumType(name="Color", values=("red", "dark blue"), members=("RED", "DARK_BLUE")), "Color"),
        (Level, EnumType(name="Level", values=(1, 10), members=("LOW", "HIGH")), "Level"),
        (Literal["b", 1, "a"], EnumType(name="Literal[1, 'a', 'b']", values=(1, "a", "b")), "Literal[1, 'a', 'b']"),
        (FlyteFile, BlobType(kind="file"), "file"),
        (FlyteFile[".csv"], BlobType(kind="file", format="csv"), "file[csv]"),
        (FlyteFile[Literal["csv"]], BlobType(kind="file", format="csv"), "file[csv]"),
        (CSVFile, BlobType(kind="file", format="csv"), "file[csv]"),
        (Path, BlobType(kind="file"), "file"),
        (os.PathLike, BlobType(kind="file"), "file"),
        (os.PathLike[str], BlobType(kind="file"), "file"),
        (FlyteDirectory["png"], BlobType(kind="directory", format="png"), "directory[png]"),
        (Names, ListType(item=STR), "list[str]"),
        (Loose, ANY, "any"),
        (
            Tree,
            StructType(
                name="Tree",
                fields=(
                    StructField(name="name", type=STR),
                    StructField(name="children", type=ListType(item=CUT), required=False),
                    StructField(name="parent_name", type=UnionType(variants=(STR, NONE)), required=False),
                ),
            ),
            "Tree",
        ),
    ],
    ids=str,
)
def test_types(annotation: Any, type_: Any, words: str) -> None:
    assert literal_type(annotation) == type_
    assert describe_type(type_) == words


def test_required_fields_of_structs() -> None:
    def required(annotation: Any) -> dict[str, bool]:
        type_ = literal_type(annotation)
        assert isinstance(type_, StructType)
        return {field.name: field.required for field in type_.fields}

    assert required(Datum) == {"x": True, "y": False, "z": False}
    assert required(Params) == {"rate": True, "layers": False, "color": False, "alias_test": False}
    assert required(Options) == {"name": True, "size": False}
    assert required(Box[int]) == {"content": True, "more": False}
    assert literal_type(Box[int]).name == "Box[int]"  # type: ignore[union-attr]


def test_typed_dict_without_required_keys() -> None:
    class Partial(TypedDict, total=False):
        day: date

    type_ = literal_type(Partial)
    assert type_ == StructType(name="Partial", fields=(StructField(name="day", type=SimpleType(kind="date"), required=False),))


def test_types_of_mutually_recursive_classes() -> None:
    ping, pong = literal_type(Ping), literal_type(Pong)
    assert isinstance(ping, StructType)
    assert isinstance(pong, StructType)
    inner = ping.fields[0].type
    assert isinstance(inner, UnionType)
    assert closed(inner.variants[0], {"Ping": ping}) == pong


def test_nested_classes_of_one_name_have_different_names() -> None:
    from dataclasses import make_dataclass

    inner = make_dataclass("Same", [("when", datetime)])
    inner.__module__ = "elsewhere"  # the value depends on the version of Python
    outer = make_dataclass("Same", [("inner", inner)])
    type_ = literal_type(outer)
    assert isinstance(type_, StructType)
    assert type_.fields[0].type.name == "elsewhere.Same"  # type: ignore[union-attr]


def test_one_annotation_has_one_type_object() -> None:
    assert literal_type(dict[str, list[Datum]]) is literal_type(dict[str, list[Datum]])
