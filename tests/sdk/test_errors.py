"""The tree of errors: codes, actors, hints and locations."""

from __future__ import annotations

import inspect

import pytest

from flytemp import errors
from flytemp.errors import Actor, FlytempError, InputError, Location, Problem, ProgramError

CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, FlytempError)]


def test_each_error_has_a_code_of_its_own() -> None:
    codes = [each.code for each in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(each) for each in CLASSES)


def test_actor_of_each_error() -> None:
    actors = {each.__name__: each.actor for each in CLASSES}
    assert {name for name, actor in actors.items() if actor is Actor.PLATFORM} == {
        "CorruptData",
        "KubernetesUnavailable",
        "StoreError",
        "TemporalUnavailable",
    }
    assert [name for name, actor in actors.items() if actor is Actor.FLYTEMP] == ["FlytempBug"]


def test_message_hint_and_location_are_fields() -> None:
    error = InputError("x is wrong", hint="correct it", location=Location("flow.py", 3))
    assert (error.message, error.hint, str(error)) == ("x is wrong", "correct it", "flow.py:3: x is wrong")
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("count", [1, 2])
def test_program_error_has_all_problems(count: int) -> None:
    problems = [Problem(f"problem {number}", Location("flow.py", number), "hint") for number in range(count)]
    error = ProgramError(problems)
    assert error.problems == tuple(problems)
    assert str(error).splitlines() == [f"flow.py:{number}: problem {number}" for number in range(count)]
    assert error.hint == ("hint" if count == 1 else None)
