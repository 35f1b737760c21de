"""Attribute paths: the type says where they lead, and the value is found there."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from literal_samples import Child, Color, Datum, Level, Params, Ping, Point, Pong, Tree

from flytemp.errors import InputError, TypeMismatch
from flytemp.literals.check import check_literal
from flytemp.literals.convert import from_literal, literal_type, to_literal
from flytemp.literals.navigate import value_at
from flytemp.literals.typepaths import type_at

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
def test_paths(annotation: Any, value: Any, path: list[str | int], reached: Any, found: Any) -> None:
    literal = value_at(to_literal(value, annotation), path)
    if reached is None:  # a step that not every variant has leads nowhere before the program runs
        with pytest.raises(TypeMismatch):
            type_at(literal_type(annotation), path)
        assert literal == found
        return
    type_ = type_at(literal_type(annotation), path)
    assert type_ == literal_type(reached)
    assert from_literal(check_literal(literal, type_), reached) == found


@pytest.mark.parametrize(
    ("annotation", "path", "message", "hint"),
    [
        (Datum, ["w"], "Datum has no 'w'", "it has x, y, z"),
        (Datum | None, ["xx"], "Datum has no 'xx'", "did you mean 'x'?"),
        (list[Datum], [0, "xy"], "Datum has no 'xy' (at [0])", "did you mean"),
        (list[int], ["a"], "list[int] has no 'a'", None),
        (list[int], [True], "list[int] has no True", None),
        (tuple[int, str], [2], "tuple[int, str] has no item 2", "it has 2 items"),
        (int, ["real"], "int has no 'real'", None),
        (dict[int, str], ["x"], "dict[int, str] has no 'x'", "its keys are int"),
        (dict[Color, int], ["green"], "dict[Color, int] has no 'green'", "its keys are Color"),
        (Datum | Point, ["x"], "Datum | Point has no 'x'", "it is int or float"),
    ],
    ids=str,
)
def test_paths_that_lead_nowhere(annotation: Any, path: list[str | int], message: str, hint: str | None) -> None:
    with pytest.raises(TypeMismatch) as caught:
        type_at(literal_type(annotation), path)
    assert message in str(caught.value)
    if hint is not None:
        assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("literal", "path", "error", "message"),
    [
        ({"a": {"b": 1}}, ["a", "c"], InputError, "there is no 'c' in the value at .a"),
        ({}, ["a"], InputError, "there is no 'a' in the value"),
        ([1], [1], InputError, "there is no item 1 in the value: it has 1"),
        ({"a": None}, ["a", "b"], InputError, "the value at .a is None, so it has no 'b'"),
        ({"$variant": 1, "value": None}, ["b"], InputError, "the value is None"),
        ([1], ["a"], TypeMismatch, "the value has no 'a': it is a list"),
        ({"a": "text"}, ["a", 0], TypeMismatch, "the value at .a has no 0: it is 'text'"),
    ],
)
def test_values_that_end_before_their_path(literal: Any, path: list[str | int], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        value_at(literal, path)
    assert message in str(caught.value)


def test_tags_are_taken_off_on_the_way_and_stay_at_the_end() -> None:
    literal = to_literal([Point(1.0, 2.0)], list[Datum | Point])
    assert value_at(literal, [0]) == {"$variant": 1, "value": {"x": 1.0, "y": 2.0}}
    assert value_at(literal, [0, "y"]) == 2.0


def test_reading_a_value_does_not_import_pydantic() -> None:
    program = (
        "import sys; from flytemp.literals.navigate import value_at; import flytemp.types.file, flytemp.types.directory\n"
        "assert value_at({'a': [1]}, ['a', 0]) == 1\n"
        "print([name for name in ('pydantic', 'fsspec', 'temporalio') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
