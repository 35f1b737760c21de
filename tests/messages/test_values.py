"""Texts of the errors about values and types."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from flytemp.literals.check import check_literal
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.literals.sizes import check_size
from flytemp.literals.text import parse_text
from flytemp.literals.transfer import RawDataTransfer
from flytemp.literals.typepaths import type_at
from flytemp.literals.types import EncodedType
from flytemp.literals.uploads import upload_local_files
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile
from tests.messages.golden import Case, check_golden


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Order:
    amount: int
    note: str = ""


class Unknown:
    """A class without a conversion."""


def writes(value: Any, annotation: Any) -> Case:
    return lambda: to_literal(value, annotation)


def reads(literal: Any, annotation: Any) -> Case:
    return lambda: from_literal(literal, annotation)


def uploads(literal: Any, annotation: Any) -> Case:
    return lambda: upload_local_files(literal, literal_type(annotation), RawDataTransfer("memory://values", Path("unused")))


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def parses(text: str, annotation: Any) -> Case:
    return lambda: parse_text(text, literal_type(annotation))


CASES: dict[str, Case] = {
    "an int without an exact float": writes(2**53 + 1, float),
    "None where None is not declared": writes(None, int),
    "a text inside a list of integers": writes([1, "2"], list[int]),
    "a wrong field of a dataclass": writes(Order("1"), Order),  # type: ignore[arg-type]
    "a dict for a dataclass": writes({"amount": 1}, Order),
    "a value that an enum does not have": writes("green", Color),
    "a datetime without a time zone": writes(datetime(2026, 1, 1), datetime),
    "an integer of more than 64 bits": writes(2**63, int),
    "a set": writes({1}, list[int]),
    "a Python object as untyped JSON": writes({"when": datetime(2026, 1, 1)}, dict),
    "an empty path of a file": writes("", FlyteFile),
    "an ambiguous choice of a union": writes("data", FlyteFile["csv"] | FlyteFile["json"]),
    "a text for an integer": reads("x", int),
    "an unknown field": reads({"amount": 1, "nots": ""}, Order),
    "a missing field": reads({}, Order),
    "a file without a URI": reads({"url": "x"}, FlyteFile),
    "a file of another format": reads({"uri": "x", "format": "json"}, FlyteFile["csv"]),
    "an unknown union variant": reads({"$variant": 7, "value": 1}, int | float),
    "an ambiguous untagged literal": lambda: check_literal("2026-01-31T00:00:00Z", literal_type(str | datetime)),
    "JSON that is nested too deeply": lambda: check_literal(nested(100_000), literal_type(list)),
    "a local file that does not exist": uploads([{"uri": "gone.csv", "format": ""}], list[FlyteFile]),
    "a local directory that does not exist": uploads({"uri": "gone", "format": ""}, FlyteDirectory),
    "a directory for a local file": uploads({"uri": ".", "format": ""}, FlyteFile),
    "a path as the name of a new file": lambda: FlyteFile.new_remote_file("../x"),
    "a value that is too large": lambda: check_size("rows", "x" * 3 * 2**20),
    "a flag with a text for a number": parses("abc", int),
    "a flag with a text for a bool": parses("maybe", bool),
    "a flag with broken JSON": parses("[1,", list[int]),
    "a flag with a text for an encoded value": lambda: parse_text("photo.npy", EncodedType(format="npy")),
    "a flag with an unknown unit": parses("3 fortnights", timedelta),
    "a class without a conversion": lambda: literal_type(Unknown),
    "a set as annotation": lambda: literal_type(set[int]),
    "an iterator as annotation": lambda: literal_type(Iterator[int]),
    "a dict with dataclass keys": lambda: literal_type(dict[Order, int]),
    "an attribute path that leads nowhere": lambda: type_at(literal_type(Order), ("amont",)),
}


def test_texts() -> None:
    check_golden("values", CASES, {os.getcwd(): "/tmp"})
