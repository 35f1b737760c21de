"""SVG outlines of the node shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flytemp_cli.graph.model import Shape
from flytemp_cli.graph.sizes import SLANT, STACK


def outline(shape: Shape, x: float, y: float, width: float, height: float) -> Iterator[str]:
    """Yield the SVG elements of a shape within the given rectangle."""
    right, bottom, middle = x + width, y + height, y + height / 2
    match shape:
        case "decision":
            yield _polygon(shape, [(x + width / 2, y), (right, middle), (x + width / 2, bottom), (x, middle)])
        case "dynamic":
            yield _polygon(
                shape,
                [(x + SLANT, y), (right - SLANT, y), (right, middle), (right - SLANT, bottom), (x + SLANT, bottom), (x, middle)],
            )
        case "gate":
            yield _polygon(shape, [(x + SLANT, y), (right, y), (right - SLANT, bottom), (x, bottom)])
        case "sleep" | "failure" | "fail":
            yield _rect(shape, x, y, width, height, height / 2 if shape != "fail" else 3)
        case "launch_plan":
            yield _rect(shape, x, y, width, height, 2)
            for line in (x + 6, right - 6):
                yield f'<path class="{shape}" d="M{line:.1f} {y:.1f}V{bottom:.1f}"/>'
        case "map":
            for shift in (2 * STACK, STACK, 0):
                yield _rect(shape, x + shift, y + 2 * STACK - shift, width - 2 * STACK, height - 2 * STACK, 6)
        case _:
            # A sub-workflow without drawn nodes has the same box as a task.
            yield _rect("task" if shape in ("task", "workflow", "branch") else shape, x, y, width, height, 6)


def _rect(shape: str, x: float, y: float, width: float, height: float, radius: float) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{shape}" {place} rx="{radius:g}"/>'


def _polygon(shape: str, points: Sequence[tuple[float, float]]) -> str:
    return f'<polygon class="{shape}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
