"""Small tasks and workflows, and the registry that holds them, for tests that need a program but no server."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from flytemp import FlyteFile, LaunchPlan, NonRecoverableError, task, workflow
from flytemp.compiler import compile_entity
from flytemp.registry import Registry
from flytemp.spec.models import Document
from flytemp.store.object_store import ObjectStore

VERSION = "v1"


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


@task
def add(a: int, b: int) -> int:
    return a + b


@task(retries=2)
def flaky(folder: str) -> int:
    """Succeed in the third attempt."""
    attempts = Path(folder)
    (attempts / str(len(list(attempts.iterdir())))).touch()
    count = len(list(attempts.iterdir()))
    if count < 3:
        raise RuntimeError(f"attempt {count}")
    return count


@task(retries=5)
def gives_up(a: int) -> int:
    raise NonRecoverableError(f"no use: {a}")


@task
def interrupts(a: int) -> int:
    raise KeyboardInterrupt


@task
def large(n: int) -> list[int]:
    return list(range(n))


@task
def total(values: list[int], first: int) -> int:
    return sum(values) + first


@task
def shift(point: Point) -> Point:
    return Point(point.x + 1, point.y)


@task
def read(file: FlyteFile) -> str:
    return Path(file).read_text()


@workflow
def diamond(x: int = 1) -> int:
    return add(a=add(a=x, b=1), b=add(a=x, b=2))


@workflow
def nested(x: int) -> int:
    return add(a=diamond(x=x), b=diamond(x=x))


@workflow
def fails(x: int) -> int:
    return add(a=gives_up(a=add(a=x, b=x)), b=1)


@workflow
def interrupted(x: int) -> int:
    return add(a=interrupts(a=add(a=x, b=x)), b=1)


@workflow
def by_reference(n: int) -> int:
    values = large(n=n)
    return total(values=values, first=values[3])


@workflow
def list_of(n: int) -> list[int]:
    return large(n=n)


@workflow
def retried(folder: str) -> int:
    return flaky(folder=folder)


@workflow
def moved(point: Point) -> Point:
    return shift(point=point)


@workflow
def loudly_named(x: int) -> int:
    return add(a=x, b=1).with_overrides(name="🙂" * 300)  # type: ignore[attr-defined, no-any-return]  # a node, not its int


plan = LaunchPlan.get_or_create(diamond, name="small-of-5", default_inputs={"x": 5}, labels={"team": "a"}, max_parallelism=2)
fixed = LaunchPlan.get_or_create(diamond, name="small-of-7", fixed_inputs={"x": 7})

ENTITIES = (
    add, flaky, gives_up, large, total, shift, read,
    diamond, nested, fails, by_reference, list_of, retried, moved, loudly_named,
    plan, fixed,
)  # fmt: skip


def documents() -> list[Document]:
    return [compile_entity(entity) for entity in ENTITIES]


def register(store: ObjectStore, version: str = VERSION) -> Registry:
    """Return a registry that holds all of these entities."""
    registry = Registry(store)
    registry.register(documents(), project="default", domain="development", version=version)
    return registry
