"""Tasks whose inputs and outputs are of another distribution's classes."""

from dataclasses import dataclass

from acme_geometry import Direction, Picture, Vector

from flytemp import map_task, task, workflow


@dataclass
class Scene:
    viewpoint: Vector
    pictures: list[Picture]


@task
def vector(x: float, y: float) -> Vector:
    return Vector([x, y])


@task
def double(v: Vector) -> Vector:
    return Vector(2 * value for value in v.values)


@task
def paint(v: Vector, width: int) -> Picture:
    assert isinstance(v, Vector)
    return Picture(width, bytes(int(v.values[0]) for _ in range(width * width)))


@task
def scene(v: Vector, small: Picture, large: Picture, up: Direction | None = None) -> Scene:
    assert up is None or type(up) is Direction
    return Scene(v, [small, large])


@task
def count(scene: Scene) -> int:
    return sum(len(picture.pixels) for picture in scene.pictures)


@workflow
def shapes(v: Vector = Vector([1.0, 2.0])) -> tuple[Vector, int]:
    doubled = double(v=v)
    made = scene(v=doubled, small=paint(v=doubled, width=2), large=paint(v=doubled, width=200), up=Direction([1.0]))
    return doubled, count(scene=made)


@workflow
def all_doubled(vs: list[Vector]) -> list[Vector]:
    return map_task(double)(v=vs)
