"""Programs that the end-to-end tests register, as text: each test writes them where it needs them."""

from __future__ import annotations

from pathlib import Path

SHAPES = '''
"""Small workflows, one for each kind of result."""
import os
import time
from dataclasses import dataclass
from pathlib import Path

from flytemp import LaunchPlan, NonRecoverableError, current_context, task, workflow
from flytemp.types.file import FlyteFile


@dataclass
class Point:
    x: int
    y: float
    tags: list[str]


@task
def add(a: int, b: int) -> int:
    print(f"adding {a} and {b}")
    return a + b


@task
def double(a: int) -> int:
    return 2 * a


@task
def fails(a: int) -> int:
    raise ValueError(f"cannot do {a}")


@task(retries=2)
def flaky(folder: str) -> int:
    """Fail twice, then succeed; files in the folder count the calls."""
    attempts = Path(folder)
    attempts.mkdir(parents=True, exist_ok=True)
    (attempts / str(len(list(attempts.iterdir())))).touch()
    count = len(list(attempts.iterdir()))
    if count < 3:
        raise RuntimeError(f"attempt {count}")
    return count


@task(retries=5)
def gives_up(a: int) -> int:
    raise NonRecoverableError("no use trying again")


@task(timeout=1)
def sleeps_too_long() -> int:
    time.sleep(600)
    return 1


@task
def waits(folder: str) -> int:
    """Create a file, then run until the task is stopped."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / f"pid-{os.getpid()}").touch()
    print("waiting", flush=True)
    time.sleep(600)
    return 1


@task
def waits_for(folder: str, name: str) -> int:
    """Run until a file exists."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    with (Path(folder) / "starts").open("a") as starts:
        starts.write(f"{name}\\n")
    while not (Path(folder) / "go").exists():
        time.sleep(0.05)
    return 7


@task
def make_point(x: int) -> Point:
    return Point(x, x / 2, ["a", "b"])


@task
def write_file(text: str) -> FlyteFile:
    path = Path(current_context().working_directory) / "out.txt"
    path.write_text(text)
    return FlyteFile(str(path))


@task
def read_file(file: FlyteFile) -> str:
    with open(file) as stream:
        return stream.read()


@task
def large(n: int) -> list[int]:
    return list(range(n))


@task
def total(values: list[int], first: int) -> int:
    return sum(values) + first


@task
def crash() -> int:
    os._exit(3)


@task
def show_environment(names: list[str]) -> list[str]:
    return [name for name in names if name in os.environ]


@workflow
def diamond(x: int = 1) -> int:
    left = double(a=x)
    right = add(a=x, b=10)
    return add(a=left, b=right)


@workflow
def nested(x: int) -> int:
    return double(a=diamond(x=diamond(x=x)))


@workflow
def fields(x: int) -> int:
    point = make_point(x=x)
    return add(a=point.x, b=x)


@workflow
def files(text: str) -> str:
    return read_file(file=write_file(text=text))


@workflow
def by_reference(n: int) -> int:
    values = large(n=n)
    return total(values=values, first=values[3])


@task(retries=3)
def nested_value(levels: int) -> dict:
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@task
def keys(value: dict) -> int:
    return len(value)


@workflow
def deep(levels: int) -> int:
    return keys(value=nested_value(levels=levels))


@workflow
def breaks(x: int) -> int:
    good = double(a=x)
    bad = fails(a=good)
    return add(a=bad, b=1)


@workflow
def waiting(folder: str) -> int:
    return add(a=waits(folder=folder), b=1)


@workflow
def waiting_for(folder: str, x: int = 0) -> int:
    before = double(a=double(a=double(a=x)))
    held = waits_for(folder=folder, name="held")
    return add(a=before, b=held)


@workflow
def empty() -> None:
    """A workflow without nodes."""


plan = LaunchPlan.get_or_create(diamond, name="diamond-of-5", default_inputs={"x": 5})
fixed = LaunchPlan.get_or_create(diamond, name="diamond-of-7", fixed_inputs={"x": 7})
'''


def write_program(folder: Path, text: str = SHAPES, name: str = "shapes") -> Path:
    """Write the program to a file in a new folder and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(text)
    return file
