"""A self-contained SVG: no script, no external font or style, every text escaped; readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from flytemp_cli.graph.layout import (
    BOX_PADDING,
    CLUSTER_PADDING,
    CLUSTER_TITLE,
    LINE_HEIGHT,
    MARGIN,
    Box,
    Layout,
    lay_out,
)
from flytemp_cli.graph.model import Edge, Graph

_STYLE = """\
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2937 }
.id { fill: #6b7280 }
.task { fill: #f8fafc; stroke: #64748b }
.cluster { fill: #e2e8f0; fill-opacity: 0.5; stroke: #94a3b8 }
.edge { fill: none; stroke: #475569 }
.order { stroke-dasharray: 4 3 }
.page { fill: #ffffff }"""


def svg(graph: Graph) -> str:
    """The whole drawing as one XML document."""
    layout = lay_out(graph)
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
            f"<title>{_text(graph.name)}</title>",
            f"<style>{_STYLE}</style>",
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
            'orient="auto"><path d="M0 0L8 4L0 8z" fill="#475569"/></marker></defs>',
            '<rect class="page" width="100%" height="100%"/>',
            *_drawn(layout, MARGIN, MARGIN),
            "</svg>",
        ]
    )


def _drawn(layout: Layout, left: float, top: float) -> Iterator[str]:
    for box in layout.boxes:
        yield from _cluster(box, left, top) if box.inner is not None else _task(box, left, top)
    for edge, points in layout.routes:
        yield _edge(edge, [(left + x, top + y) for x, y in points])


def _task(box: Box, left: float, top: float) -> Iterator[str]:
    assert box.node is not None
    x, y = left + box.x, top + box.y
    yield f"<g><title>{_text(f'{box.node.path}: {box.node.target}')}</title>"
    yield f'<rect class="task" x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="6"/>'
    lines = [("", box.node.title)] if box.node.title == box.node.path else [("", box.node.title), ("id", box.node.path)]
    first = y + box.height / 2 + 4 - LINE_HEIGHT * (len(lines) - 1) / 2
    for index, (kind, text) in enumerate(lines):
        yield (
            f'<text class={quoteattr(kind)} x="{x + box.width / 2:.1f}" y="{first + index * LINE_HEIGHT:.1f}" '
            f'text-anchor="middle">{_text(text)}</text>'
        )
    yield "</g>"


def _cluster(box: Box, left: float, top: float) -> Iterator[str]:
    assert box.node is not None
    assert box.inner is not None
    x, y = left + box.x, top + box.y
    yield f"<g><title>{_text(f'{box.node.path}: {box.node.target}')}</title>"
    yield f'<rect class="cluster" x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="8"/>'
    yield (
        f'<text x="{x + BOX_PADDING:.1f}" y="{y + CLUSTER_TITLE - 6:.1f}">{_text(box.node.title)} '
        f'<tspan class="id">{_text(box.node.path)}</tspan></text></g>'
    )
    inside = x + (box.width - box.inner.width) / 2
    yield from _drawn(box.inner, inside, y + CLUSTER_TITLE + CLUSTER_PADDING)


def _edge(edge: Edge, points: list[tuple[float, float]]) -> str:
    """A curve that leaves and enters every point vertically."""
    (x, y), *rest = points
    path = [f"M{x:.1f} {y:.1f}"]
    for next_x, next_y in rest:
        middle = (y + next_y) / 2
        path.append(f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}")
        x, y = next_x, next_y
    kind = "edge" if edge.values else "edge order"
    told = ", ".join(edge.values) or "order only"
    title = _text(f"{edge.source} → {edge.target}: {told}")
    return f'<path class="{kind}" d="{"".join(path)}" marker-end="url(#arrow)"><title>{title}</title></path>'


def _text(text: str) -> str:
    """Escaped, and without the control characters that XML does not allow."""
    return escape("".join(char if char >= " " else " " for char in text))
