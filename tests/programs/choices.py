"""Optional, Union, Enum and Literal inputs, with and without defaults."""
from enum import Enum, IntEnum
from typing import Dict, List, Literal, Optional, Union

from flytemp import task, workflow


class Color(Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"


class Size(str, Enum):
    S = "small"
    L = "large"


@task
def describe(value: Union[int, str, float, List[int]]) -> str:
    return f"{type(value).__name__} {value}"


@task
def add_one(a: Optional[int] = None) -> Optional[int]:
    return None if a is None else a + 1


@task
def either(flag: bool) -> Union[int, str]:
    return 7 if flag else "seven"


@task
def paint(color: Color, size: Size = Size.S) -> Color:
    print(color.name, size.value)
    return Color.BLUE if color == Color.GREEN else color


@task
def mode(name: Literal["fast", "slow"]) -> str:
    return name


@task
def count(values: Optional[List[Optional[int]]] = None) -> int:
    return -1 if values is None else sum(value is not None for value in values)


@task
def nested(value: Dict[str, Union[int, List[str]]]) -> Dict[str, Union[int, List[str]]]:
    return value


@workflow
def union_wf(a: Union[int, str, float, List[int]] = "text") -> str:
    return describe(value=a)


@workflow
def literals_wf() -> List[str]:
    return [describe(value=3), describe(value=2.5), describe(value="x"), describe(value=[1, 2])]


@workflow
def either_wf(flag: bool = True) -> str:
    return describe(value=either(flag=flag))


@workflow
def optional_wf(a: Optional[int] = None) -> Optional[int]:
    return add_one(a=add_one(a=a))


@workflow
def optional_default_wf(a: int = 5) -> Optional[int]:
    add_one()
    return add_one(a=a)


@workflow
def color_wf(color: Color = Color.RED, size: Size = Size.L) -> Color:
    return paint(color=color, size=size)


@workflow
def constant_color_wf() -> Color:
    return paint(color=Color.GREEN)


@workflow
def mode_wf(name: Literal["fast", "slow"] = "fast") -> str:
    return mode(name=name)


@workflow
def count_wf(values: Optional[List[Optional[int]]] = None) -> int:
    return count(values=values)


@workflow
def pep604_wf(a: int | None = None, b: str | int = 3) -> str:
    add_one(a=a)
    return describe(value=b)


@workflow
def nested_wf() -> Dict[str, Union[int, List[str]]]:
    return nested(value={"a": 1, "b": ["x", "y"]})


if __name__ == "__main__":
    print(union_wf(), either_wf(flag=False), optional_wf(a=1), color_wf(color=Color.GREEN))
