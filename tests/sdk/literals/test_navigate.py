"""Attribute paths in types and values."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

import pytest
from literal_samples import Child, Color, Datum, Level, Params, Ping, Point, Pong, Tree

from flytemp.errors import InputError, TypeMismatch
from flytemp.literals.check import check_literal
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.literals.navigate import value_at
from flytemp.literals.typepaths import type_at
from tests.messages.golden import Case, check_golden

TREE = Tree("root", [Tree("a", [Tree("deep")]), Tree("b")])


@pytest.mark.parametrize(
    ("annotation", "value", "path", "reached", "found"),
    [
        (int, 3, [], int, 3),
        (Datum, Datum(1, "y"), ["y"], str, "y"),
        (Datum, Datum(1, "y", {7: "seven"}), ["z", 7], str, "seven"),
        (Datum, Datum(1, "y", {7: "seven"}), ["z", "7"], str, "seven"),
        (list[Datum], [Datum(1), Datum(2)], [1, "x"], int, 2),
        (list[int], [1, 2, 3], [-1], int, 3),
        (tuple[int, str], (1, "a"), [1], str, "a"),
        (tuple[int, str], (1, "a"), [-1], str, "a"),
        (dict[str, list[str]], {"fruit": ["banana"]}, ["fruit", 0], str, "banana"),
        (dict[Color, int], {Color.RED: 3}, ["red"], int, 3),
        (dict[Level, int], {Level.HIGH: 3}, [10], int, 3),
        (dict[bool, int], {True: 3}, [True], int, 3),
        (Datum | None, Datum(1), ["x"], int, 1),
        (list[Datum | Point], [Datum(1), Point(2.0)], [0], Datum | Point, Datum(1)),
        (Child, Child(params=Params(rate=1.0), point=Point(1.0)), ["point", "y"], float, 0.0),
        (Tree, TREE, ["children", 0, "children", 0, "name"], str, "deep"),
        (Tree, TREE, ["children", 0], Tree, TREE.children[0]),
        (Tree, TREE, ["children"], list[Tree], TREE.children),
        (Ping, Ping(Pong(Ping(), 3)), ["pong", "count"], int, 3),
        (Ping, Ping(Pong(Ping(), 3)), ["pong"], Pong | None, Pong(Ping(), 3)),
        (Ping, Ping(Pong(Ping(Pong(count=5)), 3)), ["pong", "ping", "pong"], Pong | None, Pong(count=5)),
        (dict, {"a": [1]}, ["a", 0], Any, 1),
        (dict[str, int] | list[int] | None, [5], [0], None, 5),
    ],
    ids=str,
)
def test_paths_in_types_and_values_agree(annotation: Any, value: Any, path: list[str | int], reached: Any, found: Any) -> None:
    literal = value_at(to_literal(value, annotation), path)
    if reached is None:  # a step that some variants do not have is refused at compile time
        with pytest.raises(TypeMismatch):
            type_at(literal_type(annotation), path)
        assert literal == found
        return
    type_ = type_at(literal_type(annotation), path)
    assert type_ == literal_type(reached)
    assert from_literal(check_literal(literal, type_), reached) == found


WRONG_TYPE_PATHS: list[tuple[Any, list[str | int]]] = [
    (Datum, ["w"]),
    (Datum | None, ["xx"]),
    (list[Datum], [0, "xy"]),
    (list[int], ["a"]),
    (list[int], [True]),
    (tuple[int, str], [2]),
    (int, ["real"]),
    (dict[int, str], ["x"]),
    (dict[Color, int], ["green"]),
    (Datum | Point, ["x"]),
]


@pytest.mark.parametrize(("annotation", "path"), WRONG_TYPE_PATHS, ids=str)
def test_path_without_a_type_is_refused(annotation: Any, path: list[str | int]) -> None:
    with pytest.raises(TypeMismatch):
        type_at(literal_type(annotation), path)


WRONG_VALUE_PATHS: list[tuple[Any, list[str | int], type[InputError]]] = [
    ({"a": {"b": 1}}, ["a", "c"], InputError),
    ({}, ["a"], InputError),
    ([1], [1], InputError),
    ({"a": None}, ["a", "b"], InputError),
    ({"$variant": 1, "value": None}, ["b"], InputError),
    ([1], ["a"], TypeMismatch),
    ({"a": "text"}, ["a", 0], TypeMismatch),
]


@pytest.mark.parametrize(("literal", "path", "error"), WRONG_VALUE_PATHS, ids=str)
def test_path_without_a_value_is_refused(literal: Any, path: list[str | int], error: type[InputError]) -> None:
    with pytest.raises(InputError) as caught:
        value_at(literal, path)
    assert caught.value.code == error.code


def test_messages() -> None:
    cases: dict[str, Case] = {
        f"{path} in {annotation}": partial(type_at, literal_type(annotation), path) for annotation, path in WRONG_TYPE_PATHS
    }
    cases |= {f"{path} in {literal}": partial(value_at, literal, path) for literal, path, _ in WRONG_VALUE_PATHS}
    check_golden("paths", cases)


def test_union_tags_are_removed_on_the_path_and_kept_at_its_end() -> None:
    literal = to_literal([Point(1.0, 2.0)], list[Datum | Point])
    assert value_at(literal, [0]) == {"$variant": 1, "value": {"x": 1.0, "y": 2.0}}
    assert value_at(literal, [0, "y"]) == 2.0


def test_module_of_values_does_not_import_pydantic() -> None:
    program = (
        "import sys; from flytemp.literals.navigate import value_at; import flytemp.types.file, flytemp.types.directory\n"
        "assert value_at({'a': [1]}, ['a', 0]) == 1\n"
        "print([name for name in ('pydantic', 'fsspec', 'temporalio') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
