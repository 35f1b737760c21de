"""Classes that the tests of this folder convert. Their annotations are postponed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum, IntEnum
from typing import Generic, NamedTuple, NotRequired, TypedDict, TypeVar

from pydantic import BaseModel, Field, RootModel, SecretStr, field_validator

from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile

T = TypeVar("T")


class Color(Enum):
    RED = "red"
    DARK_BLUE = "dark blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 10


class Ratio(Enum):
    HALF = 0.5
    ONE = 1.0


@dataclass
class Datum:
    x: int
    y: str = "none"
    z: dict[int, str] = field(default_factory=dict)


@dataclass
class BigDatum(Datum):
    extra: float = 0.0


@dataclass(frozen=True)
class Everything:
    when: datetime
    day: date
    length: timedelta
    color: Color
    level: Level
    data: bytes
    pair: tuple[int, str]
    many: tuple[float, ...]
    either: int | str
    number: int | float
    maybe: Datum | None = None
    nested: dict[str, list[Datum]] = field(default_factory=dict)


@dataclass
class Tree:
    name: str
    children: list[Tree] = field(default_factory=list)
    parent_name: str | None = None


@dataclass
class Ping:
    pong: Pong | None = None


@dataclass
class Pong:
    ping: Ping | None = None
    count: int = 0


@dataclass
class Box(Generic[T]):
    content: T
    more: list[T] = field(default_factory=list)


@dataclass
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ArithmeticError(f"{self.number} is odd")


@dataclass
class Report:
    picture: FlyteFile
    tables: list[FlyteFile]
    raw: FlyteDirectory | None = None


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Options(TypedDict):
    name: str
    size: NotRequired[int]


class Params(BaseModel):
    rate: float = Field(gt=0)
    layers: list[int] = []
    color: Color = Color.RED
    alias_test: str = Field(default="a", alias="aliasTest")


class Child(BaseModel):
    params: Params
    point: Point
    tree: Tree | None = None


class ModelTree(BaseModel):
    value: int
    left: ModelTree | None = None
    right: ModelTree | None = None


class Names(RootModel[list[str]]):
    pass


class Loose(BaseModel, extra="allow"):
    x: int


class Vault(BaseModel):
    secret: SecretStr


class Lower(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def _check(cls, value: str) -> str:
        if value != value.lower():
            raise ValueError("must be lower case")
        return value


class Early(BaseModel):
    late: Late


class Late(BaseModel):
    x: int


class Nest(RootModel["list[Nest]"]):
    pass
