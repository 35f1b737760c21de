"""A library that does not know flytemp."""

from __future__ import annotations

from collections.abc import Iterable


class Vector:
    """A point in space."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values = tuple(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vector) and self.values == other.values

    def __hash__(self) -> int:
        return hash(self.values)

    def __str__(self) -> str:
        return f"Vector{self.values}"


class Direction(Vector):
    """A vector of length one."""


class Picture:
    """Grey pixels, one byte each."""

    def __init__(self, width: int, pixels: bytes) -> None:
        self.width = width
        self.pixels = pixels

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and (self.width, self.pixels) == (other.width, other.pixels)

    def __hash__(self) -> int:
        return hash((self.width, self.pixels))


class Broken:
    """A class whose plug-in cannot be loaded."""


class Angle:
    """A class without a plug-in."""
