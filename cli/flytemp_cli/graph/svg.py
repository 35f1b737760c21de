"""Self-contained SVG without scripts, external fonts or styles; all texts are escaped."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from flytemp_cli.graph.layout import MARGIN, Box, Layout, lay_out
from flytemp_cli.graph.model import Edge, Graph
from flytemp_cli.graph.outlines import outline
from flytemp_cli.graph.sizes import (
    BOX_PADDING,
    CHAR_WIDTH,
    CLUSTER_TITLE,
    LABEL_HEIGHT,
    LINE_HEIGHT,
    NOTE_HEIGHT,
    STACK,
    frame_padding,
    note_lines,
)

_STYLE = """\
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2937; white-space: pre }
.id { fill: #6b7280 }
.note { font-size: 10px; fill: #475569 }
.label { font-size: 10px; fill: #334155 }
.paper { fill: #ffffff }
.task { fill: #f8fafc; stroke: #64748b }
.map { fill: #eef2ff; stroke: #6366f1 }
.dynamic { fill: #f5f3ff; stroke: #8b5cf6 }
.launch_plan { fill: #ecfeff; stroke: #0891b2 }
.decision { fill: #fefce8; stroke: #a16207 }
.gate { fill: #fff7ed; stroke: #ea580c }
.sleep { fill: #f1f5f9; stroke: #64748b }
.fail, .failure { fill: #fef2f2; stroke: #dc2626 }
.cluster { fill: #e2e8f0; fill-opacity: 0.5; stroke: #94a3b8 }
.frame { fill: none; stroke: #ca8a04; stroke-opacity: 0.6; stroke-dasharray: 2 3 }
.edge { fill: none; stroke: #475569 }
.order { stroke-dasharray: 4 3 }
.when-failed { stroke: #dc2626; stroke-dasharray: 6 4 }
.page { fill: #ffffff }"""

_HEADING = 26


def svg(graph: Graph) -> str:
    """Return the drawing as one XML document."""
    layout = lay_out(graph)
    heading = ", ".join((graph.name, *graph.notes)) if graph.notes else ""
    top = MARGIN + (_HEADING if heading else 0)
    width = max(layout.width, len(heading) * CHAR_WIDTH) + 2 * MARGIN
    height = layout.height + top + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
            f"<title>{_text(graph.name)}</title>",
            f"<style>{_STYLE}</style>",
            f"<defs>{_arrow('arrow', '#475569')}{_arrow('failed', '#dc2626')}</defs>",
            '<rect class="page" width="100%" height="100%"/>',
            *([f'<text x="{MARGIN}" y="{MARGIN + 12}">{_text(heading)}</text>'] if heading else []),
            *_drawn(layout, (width - layout.width) / 2, top),
            "</svg>",
        ]
    )


def _arrow(name: str, color: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{color}"/></marker>'
    )


def _drawn(layout: Layout, left: float, top: float) -> Iterator[str]:
    """Yield the elements, edges first, so that edges are behind boxes."""
    for edge, points in layout.routes:
        yield _edge(edge, [(left + x, top + y) for x, y in points])
    for box in layout.boxes:
        yield from _frame(box, left, top) if box.inner is not None else _node(box, left, top)
    for box in layout.labels:
        yield _label(box, left, top)


def _node(box: Box, left: float, top: float) -> Iterator[str]:
    node = box.node
    assert node is not None
    x, y = left + box.x, top + box.y
    yield f"<g><title>{_text(_told(box))}</title>"
    yield from outline(node.shape, x, y, box.width, box.height)
    lines = [("", node.title, LINE_HEIGHT)]
    if node.shown_path:
        lines.append(("id", node.shown_path, LINE_HEIGHT))
    lines += [("note", note, NOTE_HEIGHT) for note in note_lines(node)]
    shift = STACK if node.shape == "map" else 0  # a map's front box is the lower left one
    middle = x + box.width / 2 - shift
    baseline = y + box.height / 2 + shift + 4 - sum(height for _, _, height in lines[1:]) / 2
    for kind, text, _ in lines:
        yield _centered(kind, middle, baseline, text)
        baseline += LINE_HEIGHT if kind == "" else NOTE_HEIGHT + 1
    yield "</g>"


def _frame(box: Box, left: float, top: float) -> Iterator[str]:
    node, inner = box.node, box.inner
    assert node is not None
    assert inner is not None
    stack = 2 * STACK if node.shape == "map" else 0
    x, y, width, height = left + box.x, top + box.y + stack, box.width - stack, box.height - stack
    yield f"<g><title>{_text(_told(box))}</title>"
    if node.shape == "branch":
        yield _rect("frame", x, y, width, height)
    else:
        if stack:
            for shift in (stack, stack / 2):
                yield _rect("map", x + shift, y - shift, width, height)
            yield _rect("paper", x, y, width, height)
        yield _rect("cluster", x, y, width, height)
        yield (
            f'<text x="{x + BOX_PADDING:.1f}" y="{y + CLUSTER_TITLE - 6:.1f}">{_text(node.title)}'
            f'<tspan class="id"> {_text(node.shown_path)}</tspan></text>'
        )
        for index, note in enumerate(note_lines(node)):
            line = y + CLUSTER_TITLE - 6 + (index + 1) * NOTE_HEIGHT
            yield f'<text class="note" x="{x + BOX_PADDING:.1f}" y="{line:.1f}">{_text(note)}</text>'
    yield "</g>"
    yield from _drawn(inner, x + (width - inner.width) / 2, y + frame_padding(node)[1])


def _label(box: Box, left: float, top: float) -> str:
    x, y = left + box.x, top + box.y
    paper = f'<rect class="paper" x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{LABEL_HEIGHT}" rx="3"/>'
    return paper + _centered("label", x + box.width / 2, y + LABEL_HEIGHT - 5, box.label)


def _edge(edge: Edge, points: list[tuple[float, float]]) -> str:
    """Return a curve that is vertical at every point."""
    (x, y), *rest = points
    path = [f"M{x:.1f} {y:.1f}"]
    for next_x, next_y in rest:
        middle = (y + next_y) / 2
        path.append(f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}")
        x, y = next_x, next_y
    failed = edge.kind == "failure"
    kind = "edge order" if edge.is_order else "edge when-failed" if failed else "edge"
    told = "when the workflow fails" if failed else ", ".join(edge.values) or "order only"
    title = _text(f"{edge.source} → {edge.target}: {told}")
    marker = "failed" if failed else "arrow"
    return f'<path class="{kind}" d="{"".join(path)}" marker-end="url(#{marker})"><title>{title}</title></path>'


def _told(box: Box) -> str:
    """Return the tooltip of a box with complete texts."""
    assert box.node is not None
    node = box.node
    head = ": ".join(part for part in (node.shown_path or node.title, node.target) if part)
    return "\n".join((head, *node.notes))


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8"/>'


def _centered(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{_text(text)}</text>'


def _text(text: str) -> str:
    """Return escaped text without the control characters that XML forbids."""
    return escape("".join(char if char >= " " or char == "\n" else " " for char in text))
