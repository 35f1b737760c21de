"""Values between the tasks of a workflow: types that fit, and the forms in which values arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Optional, TypeVar

import pytest
from pydantic import BaseModel, PrivateAttr
from typing_extensions import TypeAliasType

from flytemp import map_task, task, workflow
from flytemp.errors import LimitExceeded, ProgramError, TypeMismatch
from flytemp.literals.sizes import MAX_DEPTH
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile

Ids = TypeAliasType("Ids", list[int])
Two = TypeAliasType("Two", tuple[int, str])


class Pair(NamedTuple):
    number: int
    text: str


@dataclass
class Counted:
    number: int
    name: str = None  # type: ignore[assignment]
    weight: float = 0
    double: int = field(init=False)

    def __post_init__(self) -> None:
        self.number += 1
        self.double = self.number * 2


@dataclass
class Labelled(Counted):
    label: str | None = None


class Settings(BaseModel):
    rate: float = 0
    file: FlyteFile | None = None
    _uses: int = PrivateAttr(default=0)


@task
def count(number: int) -> Counted:
    return Counted(number)


@task
def label(number: int, text: str | None) -> Labelled:
    return Labelled(number, label=text)


@task
def labels() -> list[Labelled]:
    return [Labelled(1, label="a")]


@task
def double_of(counted: Counted) -> int:
    assert type(counted) is Counted
    return counted.double


@task
def doubles(counted: list[Counted | None]) -> list[int]:
    return [each.double for each in counted if each]


@task
def shout(text: str) -> str:
    return text.upper()


@task
def pair() -> Pair:
    return Pair(1, "a")


@task
def text_of(pair: tuple[int, str]) -> str:
    return f"{pair[0]}{pair[1]}"


@task
def text_of_named(pair: Pair | None) -> str:
    assert isinstance(pair, Pair)
    return f"{pair.number}{pair.text}"


@task
def half(x: float = 1) -> float:
    return x / 2


@task
def add(xs: dict[str, list[float]]) -> float:
    return sum(map(sum, xs.values()))


@task
def use(settings: Settings) -> Settings:
    settings._uses += 1
    return settings


@task
def uses(settings: Settings) -> int:
    return settings._uses


@task
def numbers(n: int) -> Ids:
    return list(range(n))


@task
def split(ids: Ids) -> Two:
    return len(ids), "b"


@task
def now() -> datetime:
    return datetime(2026, 1, 31)


@task
def nested(levels: int) -> dict:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@task
def inner(value: dict) -> int:
    return 1 + (inner(value=value["a"]) if value else 0)


def test_value_is_not_changed_again() -> None:
    @workflow
    def program(number: int) -> int:
        return double_of(counted=count(number=number))

    assert program(number=1) == 4
    assert double_of(Counted(1)) == 4


def test_private_attribute_arrives() -> None:
    @workflow
    def program() -> int:
        return uses(settings=use(settings=use(settings=Settings())))

    assert program() == 2


def test_subclass_fits_its_base_and_list_fits_list_of_optional() -> None:
    @workflow
    def program() -> tuple[int, list[int], list[int], int]:
        mapped = map_task(count)(number=[1, 2])
        return (
            double_of(counted=label(number=1, text="x")),
            doubles(counted=labels()),
            doubles(counted=mapped),
            count(number=1).number,
        )

    assert tuple(program()) == (4, [4], [4, 6], 2)
    assert double_of(Labelled(1, label="x")) == 4


def test_optional_field_fits_a_type_without_none() -> None:
    @workflow
    def program(text: Optional[str] = None) -> str:  # noqa: UP045
        return shout(text=label(number=1, text=text).label)

    assert program(text="a") == "A"
    with pytest.raises(TypeMismatch) as caught:
        program()
    assert "None" in (caught.value.hint or "")


def test_whole_optional_output_needs_an_optional_input() -> None:
    @task
    def maybe() -> str | None:
        return "a"

    @workflow
    def program() -> str:
        return shout(text=maybe())

    with pytest.raises(ProgramError):
        program()


def test_named_tuple_is_passed_whole() -> None:
    @workflow
    def program() -> tuple[str, str, str]:
        made = pair()
        return text_of(pair=made), text_of_named(pair=made), text_of_named(pair=Pair(2, made.text))

    assert tuple(program()) == ("1a", "1a", "2a")
    assert text_of(Pair(3, "b")) == "3b"


def test_integer_is_accepted_for_a_float() -> None:
    @workflow
    def program(x: float = 3) -> tuple[float, float]:
        return half(x=x), add(xs={"a": [1, 2.5]})

    assert tuple(program()) == (1.5, 3.5)
    assert half() == 0.5
    assert count(1).weight == 0


def test_alias_is_its_type() -> None:
    @workflow
    def program() -> tuple[str, int]:
        made = split(ids=numbers(n=2))
        return text_of(pair=made), split(ids=[made.o0, 3]).o0

    assert tuple(program()) == ("2b", 2)


def test_datetime_without_time_zone_is_utc() -> None:
    assert now() == datetime(2026, 1, 31, tzinfo=UTC)


def test_format_of_a_directory_may_be_a_list_of_a_type_variable() -> None:
    assert FlyteDirectory[[TypeVar("csv")]] is FlyteDirectory["csv"]  # type: ignore[misc,valid-type]


def test_file_in_a_model_may_be_a_path() -> None:
    assert Settings.model_validate_json('{"file": {"path": "s3://bucket/key"}}').file == FlyteFile("s3://bucket/key")


def test_value_nested_too_deep_is_an_error_of_its_task() -> None:
    @workflow
    def program(levels: int) -> int:
        return inner(value=nested(levels=levels))

    assert program(levels=MAX_DEPTH) == MAX_DEPTH
    for levels in (MAX_DEPTH + 1, 254, 5000):
        with pytest.raises(LimitExceeded, match=r"outputs of task .*nested"):
            program(levels=levels)
