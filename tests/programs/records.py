"""Dataclasses, pydantic models, enums, lists and dicts: whole, and by field, index and key."""
from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Dict, List, Optional

from pydantic import BaseModel

from flytemp import task, workflow


class Coffee(Enum):
    ESPRESSO = "espresso"
    LATTE = "latte"


@dataclass
class Datum:
    x: int
    y: str
    z: Dict[int, str]


@dataclass
class Fruit:
    name: str
    weights: List[float] = field(default_factory=list)
    inner: Optional[Datum] = None


class Settings(BaseModel):
    rate: float = 0.5
    layers: list[int] = [8, 4]


@task
def stringify(s: int) -> Datum:
    return Datum(x=s, y=str(s), z={s: str(s)})


@task
def add(x: Datum, y: Datum) -> Datum:
    x.z.update(y.z)
    return Datum(x=x.x + y.x, y=x.y + y.y, z=x.z)


@task
def make_fruit(name: str) -> Fruit:
    return Fruit(name, [1.5, 2.5])


@task
def make_lists() -> List[List[str]]:
    return [["apple"], ["banana", "cherry"]]


@task
def make_dict() -> Dict[str, List[int]]:
    return {"a": [1, 2], "b": [3]}


@task
def describe(name: str, weight: float, number: int) -> str:
    return f"{name} weighs {weight} and has number {number}"


@task
def train(settings: Settings, extra: Optional[int] = None) -> Settings:
    return Settings(rate=settings.rate / 2, layers=[*settings.layers, extra or 1])


@task
def add_up(values: List[int]) -> int:
    return sum(values)


@task
def favourite(coffee: Coffee) -> Coffee:
    return Coffee.LATTE if coffee is Coffee.ESPRESSO else Coffee.ESPRESSO


@task
def order(coffee: str) -> str:
    return f"one {coffee}, please"


@workflow
def dataclass_wf(x: int = 10, y: int = 20) -> Datum:
    return add(x=stringify(s=x), y=stringify(s=y))


@workflow
def fields_wf(name: str = "plum") -> str:
    fruit = make_fruit(name=name)
    numbers = make_dict()
    return describe(name=fruit.name, weight=fruit.weights[1], number=numbers["a"][0])


@workflow
def items_wf() -> str:
    return make_lists()[1][0]


@workflow
def settings_wf(settings: Settings = Settings(rate=0.25)) -> float:
    trained = train(settings=settings, extra=None)
    return train(settings=trained, extra=settings.layers[0]).rate


@workflow
def gather_wf(first: int = 1) -> int:
    numbers = make_dict()
    return add_up(values=[first, 10, numbers["a"][1], numbers["b"][0]])


@workflow
def enum_wf(coffee: Coffee = Coffee.ESPRESSO) -> str:
    return order(coffee=favourite(coffee=coffee))
