"""Differences of documents as text."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp.registry.difference import MAX_DIFFERENCES, difference


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ({"a": 1}, {"a": 1}, ""),
        ({"a": 1, "b": [1, {"c": None}]}, {"b": [1, {"c": None}], "a": 1}, ""),
        ({"a": 1}, {"a": 2}, "/a:\n\t- 1\n\t+ 2"),
        ({"a": "x"}, {"a": "y"}, '/a:\n\t- "x"\n\t+ "y"'),
        ({"a": 1}, {}, "/a:\n\t- 1\n\t+ (absent)"),
        ({}, {"a": {"b": 1}}, '/a:\n\t- (absent)\n\t+ {"b":1}'),
        ({"a": None}, {}, "/a:\n\t- null\n\t+ (absent)"),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, "/a/1:\n\t- 2\n\t+ 3\n/a/2:\n\t- (absent)\n\t+ 4"),
        ({"a": [1]}, {"a": {"0": 1}}, '/a:\n\t- [1]\n\t+ {"0":1}'),
        ({"a": 1}, {"a": True}, "/a:\n\t- 1\n\t+ true"),
        ({"a": 1}, {"a": 1.0}, "/a:\n\t- 1\n\t+ 1.0"),
        ({"a/b": 1, "c~d": 1}, {"a/b": 2, "c~d": 2}, "/a~1b:\n\t- 1\n\t+ 2\n/c~0d:\n\t- 1\n\t+ 2"),
        (1, 2, "/:\n\t- 1\n\t+ 2"),
    ],
)
def test_difference_shows_paths_and_values(old: Any, new: Any, text: str) -> None:
    assert difference(old, new) == text


def test_long_values_are_shortened() -> None:
    text = difference({"a": "x" * 100_000}, {"a": "y"})
    assert len(text) < 400
    assert "… (100002 characters)" in text


def test_many_differences_are_counted() -> None:
    old = {f"k{number:03}": 0 for number in range(100)}
    text = difference(old, dict.fromkeys(old, 1))
    assert text.count("\n\t- ") == MAX_DIFFERENCES
    assert text.endswith("… and 80 more")
