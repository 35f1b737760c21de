"""Spec files that would use much time or memory are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flytemp.compiler.yaml.trees import read_trees
from flytemp.errors import ProgramError

LEVELS = 12


def _levels(form: Callable[[int], str]) -> str:
    return "a0: &a0 {x: 1}\n" + "".join(form(level) for level in range(1, LEVELS))


FILES = {
    "bomb of lists": ("f.yaml", lambda: _levels(lambda n: f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n")),
    "bomb of maps": ("f.yaml", lambda: _levels(lambda n: f"a{n}: &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(9))}}}\n")),
    "bomb of merges": (
        "f.yaml",
        lambda: _levels(lambda n: f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n"),
    ),
    "bomb in many documents": (
        "f.yaml",
        lambda: "\n---\n".join([_levels(lambda n: f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n")] * 2),
    ),
    "deep lists": ("f.yaml", lambda: "[" * 100_000),
    "deep maps": ("f.yaml", lambda: "{a: " * 100_000),
    "deep blocks": ("f.yaml", lambda: "- " * 3_000 + "a"),
    "deep keys": ("f.yaml", lambda: "? " * 3_000 + "a"),
    "deep JSON": ("f.json", lambda: "[" * 100_000 + "]" * 100_000),
    "rather deep JSON": ("f.json", lambda: '{"a":' * 500 + "1" + "}" * 500),
    "contains itself": ("f.yaml", lambda: "a: &a [*a]"),
    "long number": ("f.yaml", lambda: "a: " + "9" * 100_000),
    "long number in JSON": ("f.json", lambda: '{"a": ' + "9" * 100_000 + "}"),
}


@pytest.mark.parametrize("case", FILES)
def test_excessive_file_is_refused(case: str) -> None:
    name, text = FILES[case]
    with pytest.raises(ProgramError) as caught:
        read_trees(text(), name)
    (problem,) = caught.value.problems
    assert problem.location is not None
    assert problem.location.file == name


def test_aliases_of_a_large_file_are_expanded() -> None:
    common = "common: &common {" + ", ".join(f"k{number}: {number}" for number in range(15)) + "}\n"
    text = common + "".join(f"n{number}: *common\n" for number in range(1_000))
    (tree,) = read_trees(text, "f.yaml")
    assert len(tree.value) == 1_001
    assert tree.value["n999"].plain() == {f"k{number}": number for number in range(15)}
