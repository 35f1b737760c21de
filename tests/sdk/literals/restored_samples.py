"""Classes whose constructors run code, or whose values have more than the constructor's arguments."""

from __future__ import annotations

import functools
import re
import threading
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from uuid import UUID, uuid4

import pydantic.dataclasses
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, RootModel, field_validator, model_validator

T = TypeVar("T")


@dataclass
class Counted:
    number: int

    def __post_init__(self) -> None:
        self.number += 1


@dataclass(frozen=True, slots=True)
class Computed:
    number: int
    double: int = field(init=False)
    later: list[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "double", self.number * 2)
        object.__setattr__(self, "later", [])


@dataclass
class Unset:
    number: int
    later: int = field(init=False, compare=False, repr=False)


@dataclass
class Described:
    """A class with attributes that are not fields."""

    text: str

    def __post_init__(self) -> None:
        self._parts = self.text.split()

    @functools.cached_property
    def length(self) -> int:
        return len(self.text)


@dataclass
class Pattern:
    """A class with an attribute without a literal, which the constructor creates again."""

    text: str

    def __post_init__(self) -> None:
        self._pattern = re.compile(self.text)
        self._lock = threading.Lock()


@dataclass
class Plain:
    number: int


@dataclass(kw_only=True)
class Derived(Plain):
    parts: list[Plain] = field(default_factory=list)


class Slotted:
    __slots__ = ("_hidden",)
    _hidden: int


@dataclass(slots=True)
class WithSlots(Slotted):
    number: int

    def __post_init__(self) -> None:
        self._hidden = self.number


@dataclass(init=False)
class OwnInit:
    number: int

    def __init__(self, text: str) -> None:
        self.number = len(text)


class Increasing:
    """Descriptor of a field."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, value: Any, owner: type) -> int:
        return 1 if value is None else getattr(value, self._name)

    def __set__(self, value: Any, number: int) -> None:
        setattr(value, self._name, number + 1)


@dataclass
class StoredElsewhere:
    number: int = Increasing()  # type: ignore[assignment]


@dataclass
class GenericCounted(Generic[T]):
    item: T
    calls: int = 0

    def __post_init__(self) -> None:
        self.calls += 1


@pydantic.dataclasses.dataclass
class Validated:
    number: int
    factor: int = Field(default=1)

    @field_validator("number")
    @classmethod
    def _increase(cls, number: int) -> int:
        return number + 1


class Split(BaseModel):
    """A model whose validator does not accept its own result."""

    words: list[str]

    @field_validator("words", mode="before")
    @classmethod
    def _split(cls, text: Any) -> Any:
        assert isinstance(text, str)
        return text.split()


class Increased(BaseModel):
    number: Annotated[int, BeforeValidator(lambda number: number + 1)] = 0
    numbers: list[Annotated[int, BeforeValidator(lambda number: number + 1)]] = []


class Checked(BaseModel):
    number: int

    @model_validator(mode="after")
    def _increase(self) -> Checked:
        self.number += 1
        return self


class Private(BaseModel):
    number: int = Field(alias="theNumber")
    _count: int = PrivateAttr(default=0)
    _names: dict[int, str] = PrivateAttr(default_factory=dict)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)


class PrivateData(BaseModel):
    number: int
    _count: float = PrivateAttr(default=0.0)
    _times: list[tuple[int, str]] = PrivateAttr(default_factory=list)

    def model_post_init(self, context: Any) -> None:
        self._count += 1


class Options(BaseModel):
    model_config = ConfigDict(frozen=True)

    size: int = 1
    names: list[str] = []


class MoreOptions(Options):
    more: Options = Options()


class Numbers(RootModel[list[int]]):
    @field_validator("root")
    @classmethod
    def _sort(cls, numbers: list[int]) -> list[int]:
        return sorted(numbers)


class Pair(NamedTuple):
    counted: Counted
    options: Options


class Limits(BaseModel):
    """A model with a default that its own annotation does not allow, and defaults that differ each time."""

    name: str = None  # type: ignore[assignment]
    owner: UUID = None  # type: ignore[assignment]
    identity: UUID = Field(default_factory=uuid4)


class Renewed(Pair):
    def __new__(cls, counted: Counted, options: Options) -> Renewed:
        return super().__new__(cls, Counted(counted.number + 1), options)
