"""Parts of outputs: items of lists, keys of dicts, fields of dataclasses and models, and chains of these."""
from dataclasses import dataclass, field
from typing import Dict, List, NamedTuple, Optional

from pydantic import BaseModel, Field

from flytemp import task, workflow


@dataclass
class Fruit:
    name: str
    weight: float = 0.1


@dataclass
class Basket:
    fruits: List[Fruit] = field(default_factory=list)
    prices: Dict[str, float] = field(default_factory=dict)
    best: Optional[Fruit] = None
    tags: Dict[str, List[str]] = field(default_factory=dict)


class Layer(BaseModel):
    units: int
    activation: str = "relu"


class Net(BaseModel):
    layers: List[Layer]
    meta: Dict[str, Layer] = Field(default_factory=dict)
    rate: float = 0.5


class Report(NamedTuple):
    basket: Basket
    count: int


@task
def print_message(message: str) -> str:
    print(message)
    return message


@task
def list_task() -> List[str]:
    return ["apple", "banana"]


@task
def dict_task() -> Dict[str, str]:
    return {"fruit": "banana"}


@task
def dict_of_fruits() -> Dict[str, Fruit]:
    return {"best": Fruit("cherry", 0.5)}


@task
def fill() -> Basket:
    return Basket([Fruit("kiwi"), Fruit("fig", 2.5)], {"kiwi": 1.5}, Fruit("best"), {"kind": ["a", "b"]})


@task
def report() -> Report:
    return Report(Basket([Fruit("lime")]), 1)


@task
def build(units: int) -> Net:
    return Net(layers=[Layer(units=units), Layer(units=units * 2, activation="tanh")], meta={"out": Layer(units=1)})


@task
def weigh(fruit: Fruit, factor: float = 2.0) -> float:
    return fruit.weight * factor


@task
def size(layer: Layer) -> int:
    return layer.units


@task
def names(fruits: List[Fruit]) -> List[str]:
    return [fruit.name for fruit in fruits]


@task
def bigger(net: Net, layers: List[Layer]) -> Net:
    return net.model_copy(update={"layers": [*net.layers, *layers]})


@workflow
def basic_wf() -> List[str]:
    return [print_message(message=list_task()[0]), print_message(message=dict_task()["fruit"])]


@workflow
def dict_of_fruits_wf() -> float:
    fruits = dict_of_fruits()
    print_message(message=fruits["best"].name)
    return weigh(fruit=fruits["best"])


@workflow
def basket_wf() -> List[str]:
    basket = fill()
    print_message(message=basket.tags["kind"][1])
    return names(fruits=[basket.fruits[1], basket.fruits[0]])


@workflow
def part_as_output_wf() -> Fruit:
    return fill().fruits[1]


@workflow
def parts_as_outputs_wf() -> Dict[str, float]:
    basket = fill()
    return {"price": basket.prices["kiwi"], "weight": basket.fruits[1].weight}


@workflow
def report_wf() -> Report:
    made = report()
    print_message(message=made.basket.fruits[0].name)
    return Report(basket=made.basket, count=made.count)


@workflow
def net_wf(units: int = 4) -> int:
    net = build(units=units)
    larger = bigger(net=net, layers=[net.layers[0], net.meta["out"]])
    return size(layer=larger.layers[3])


@workflow
def input_part_wf(fruit: Fruit = Fruit("pear", 3.0), basket: Basket = Basket([Fruit("a", 1.0)])) -> float:
    print_message(message=fruit.name)
    return weigh(fruit=basket.fruits[0], factor=fruit.weight)


if __name__ == "__main__":
    print(basic_wf(), basket_wf(), part_as_output_wf(), net_wf(), input_part_wf())
