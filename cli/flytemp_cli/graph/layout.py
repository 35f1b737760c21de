"""Deterministic layered layout of a drawing: nodes are in layers by depth, ordered so that few edges cross.

A frame (sub-workflow or branch) is laid out first and is one box of its parent's layers. An edge that skips layers gets a
small invisible box (a bend) in each of them, so that the edge passes between other boxes. Edges with a common source or
target share bends. A layer that is too wide is split into several rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from flytemp_cli.graph.model import Edge, Graph, Node
from flytemp_cli.graph.sizes import BOX_HEIGHT, LABEL_HEIGHT, STACK, box_size, frame_padding, heading_width, label_width

GAP_X = 28
GAP_Y = 44
LABEL_GAP_Y = 22  # above and below a row that has only labels
MARGIN = 16
ROW_WIDTH = 1_800
"""Maximum width of a row; a wider layer is split into several rows."""

MAX_BENDS = 40_000
"""Maximum number of bends in a graph. The longest edges beyond it are drawn straight behind the boxes."""

_BEND_WIDTH = 8
_SWEEPS = 4


@dataclass
class Box:
    """Placed box of a node, a bend or a label.

    Attributes:
        node: the node; None for a bend or a label.
        x, y: the upper left corner within the box's own graph.
        label: the text of the edge that passes here.
        row: the top and bottom of the layer. Edges turn only between layers.
    """

    key: str
    width: float
    height: float
    node: Node | None = None
    inner: Layout | None = None
    x: float = 0
    y: float = 0
    label: str = ""
    row: tuple[float, float] = (0, 0)

    @property
    def center(self) -> float:
        return self.x + self.width / 2


@dataclass
class Layout:
    """Placed graph.

    Attributes:
        routes: the points of each edge, from the bottom of its source to the top of its target.
        labels: the boxes with a label, drawn over the edges.
    """

    width: float
    height: float
    boxes: list[Box] = field(default_factory=list)
    routes: list[tuple[Edge, list[tuple[float, float]]]] = field(default_factory=list)
    labels: list[Box] = field(default_factory=list)


def lay_out(graph: Graph) -> Layout:
    """Return the layout of ``graph`` with its origin at 0, 0."""
    boxes = {node.path: _box(node) for node in graph.nodes}
    layer_of = _wrapped(graph, boxes, _depths(graph))
    layers: list[list[Box]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for node in graph.nodes:
        layers[layer_of[node.path]].append(boxes[node.path])
    chains = _chains(graph.edges, boxes, layer_of, layers)
    # Edges share bends, so each pair counts once; otherwise shared bends would dominate the ordering.
    links = list({(upper.key, lower.key): (upper, lower) for _, chain in chains for upper, lower in pairwise(chain)}.values())
    above, below = _neighbours(links)
    _order(layers, above, below)
    width, height = _place(layers, above, below)
    routes = [(edge, _points(chain)) for edge, chain in chains]
    flat = [box for layer in layers for box in layer]
    return Layout(width, height, [box for box in flat if box.node is not None], routes, [box for box in flat if box.label])


def _box(node: Node) -> Box:
    if node.inner is None or not node.is_cluster:
        width, height = box_size(node)
        return Box(node.path, width, height, node)
    inner = lay_out(node.inner)
    side, top = frame_padding(node)
    stack = 2 * STACK if node.shape == "map" else 0
    width = max(inner.width + 2 * side, heading_width(node))
    return Box(node.path, width + stack, inner.height + side + top + stack, node, inner)


def _depths(graph: Graph) -> dict[str, int]:
    """Return the length of the longest path to each node. The compiler guarantees that the graph has no cycle.

    An edge with a label spans two layers, because its label needs the layer in between.
    """
    needs = Counter(edge.target for edge in graph.edges)
    feeds: dict[str, list[Edge]] = {node.path: [] for node in graph.nodes}
    for edge in graph.edges:
        feeds[edge.source].append(edge)
    depths = {node.path: 0 for node in graph.nodes}
    ready = [path for path in depths if needs[path] == 0]
    for path in ready:
        for edge in feeds[path]:
            depths[edge.target] = max(depths[edge.target], depths[path] + (2 if edge.label else 1))
            needs[edge.target] -= 1
            if needs[edge.target] == 0:
                ready.append(edge.target)
    return depths


def _wrapped(graph: Graph, boxes: dict[str, Box], depths: dict[str, int]) -> dict[str, int]:
    """Return the layer of each node: its depth, shifted where wide layers are split."""
    by_depth: dict[int, list[str]] = {}
    for node in graph.nodes:
        by_depth.setdefault(depths[node.path], []).append(node.path)
    result: dict[str, int] = {}
    layer = 0
    for depth in range(max(by_depth, default=-1) + 1):
        used = 0.0
        paths = by_depth.get(depth, [])
        total = sum(boxes[path].width + GAP_X for path in paths)
        row_width = total / -(-total // ROW_WIDTH) if total > ROW_WIDTH else ROW_WIDTH  # rows of about the same width
        for path in paths:
            width = boxes[path].width + GAP_X
            if used and used + width / 2 > row_width:
                layer, used = layer + 1, 0.0
            used += width
            result[path] = layer
        layer += 1
    return result


Chain = list[Box]


def _chains(
    edges: Sequence[Edge], boxes: dict[str, Box], layer_of: dict[str, int], layers: list[list[Box]]
) -> list[tuple[Edge, Chain]]:
    """Return the boxes that each edge passes, and add a bend to every layer between its ends."""
    spans = {edge: layer_of[edge.target] - layer_of[edge.source] for edge in edges}
    long = [edge for edge in edges if spans[edge] > 1 and not edge.label]
    leaving = Counter(edge.source for edge in long)
    entering = Counter(edge.target for edge in long)
    bends: dict[tuple[str, int], Box] = {}
    room = MAX_BENDS
    chains: dict[Edge, Chain] = {}
    for edge in sorted(spans, key=lambda edge: spans[edge]):
        first, last = layer_of[edge.source], layer_of[edge.target]
        inner: Chain = []
        if edge.label:
            # The label is in the layer below the source; the edges of cases span no further layers.
            inner = [Box(f"{edge.source}>{edge.target}", label_width(edge.label), LABEL_HEIGHT, label=edge.label)]
            layers[first + 1].append(inner[0])
        room -= max(spans[edge] - 1, 0)
        if room >= 0:
            trunk = f"{edge.source}>" if leaving[edge.source] >= entering[edge.target] else f">{edge.target}"
            for layer in range(first + 1 + len(inner), last):
                if (trunk, layer) not in bends:
                    bends[trunk, layer] = Box(f"{trunk}@{layer}", _BEND_WIDTH, 0)
                    layers[layer].append(bends[trunk, layer])
                inner.append(bends[trunk, layer])
        chains[edge] = [boxes[edge.source], *inner, boxes[edge.target]]
    return [(edge, chains[edge]) for edge in edges]


Neighbours = dict[str, list[Box]]


def _neighbours(links: Sequence[tuple[Box, Box]]) -> tuple[Neighbours, Neighbours]:
    """Return the linked boxes of each box in the layers above and below."""
    above: Neighbours = {}
    below: Neighbours = {}
    for upper, lower in links:
        above.setdefault(lower.key, []).append(upper)
        below.setdefault(upper.key, []).append(lower)
    return above, below


def _order(layers: list[list[Box]], above: Neighbours, below: Neighbours) -> None:
    """Sort each layer by the mean position of its neighbours, downwards and upwards (barycenter method)."""
    for _ in range(_SWEEPS):
        for before, layer in pairwise(layers):
            layer.sort(key=_middle(above, before, layer))
        for layer, after in reversed(list(pairwise(layers))):
            layer.sort(key=_middle(below, after, layer))


def _middle(neighbours: Neighbours, reference: list[Box], layer: list[Box]) -> Callable[[Box], float]:
    places = {box.key: index for index, box in enumerate(reference)}
    own = {box.key: index * len(reference) / max(len(layer), 1) for index, box in enumerate(layer)}

    def key(box: Box) -> float:
        found = [places[other.key] for other in neighbours.get(box.key, ()) if other.key in places]
        return sum(found) / len(found) if found else own[box.key]

    return key


def _place(layers: list[list[Box]], above: Neighbours, below: Neighbours) -> tuple[float, float]:
    """Place the rows below each other, and each box as close to the middle of its neighbours as possible.

    Returns:
        The total width and height.
    """
    for layer in layers:
        _spread(layer, [0.0] * len(layer))
    for _ in range(_SWEEPS):
        for layer in layers[1:]:
            _spread(layer, [_preferred_center(box, above) for box in layer])
        for layer in reversed(layers[:-1]):
            _spread(layer, [_preferred_center(box, below) for box in layer])
    y = 0.0
    gap = 0.0
    for layer in layers:
        only_labels = all(box.node is None for box in layer)
        y += min(gap, LABEL_GAP_Y) if only_labels else gap
        height = max(box.height for box in layer)
        for box in layer:
            # A bend has the height of its row, because an edge must pass the tallest box of the row before it turns.
            box.height = box.height if box.node is not None or box.label else height
            # Small boxes next to a large frame are aligned with its top, close to their inputs.
            slack = height - box.height
            box.y = y + (slack / 2 if slack <= BOX_HEIGHT else 0)
            box.row = (y, y + height)
        y += height
        gap = LABEL_GAP_Y if only_labels else GAP_Y
    boxes = [box for layer in layers for box in layer]
    left = min((box.x for box in boxes), default=0)
    for box in boxes:
        box.x -= left
    return max((box.x + box.width for box in boxes), default=0), y


def _preferred_center(box: Box, neighbours: Neighbours) -> float:
    """Return the mean centre of a box's neighbours, or its own centre if it has none."""
    found = [other.center for other in neighbours.get(box.key, ())]
    return sum(found) / len(found) if found else box.center


def _spread(layer: list[Box], centers: list[float]) -> None:
    """Move boxes as close as possible to ``centers`` without overlap: the mean of pushing right and pushing left."""
    preferred = [center - box.width / 2 for box, center in zip(layer, centers, strict=True)]
    pushed_right = list(preferred)
    for index in range(1, len(layer)):
        least = pushed_right[index - 1] + layer[index - 1].width + GAP_X
        pushed_right[index] = max(preferred[index], least)
    pushed_left = list(preferred)
    for index in range(len(layer) - 2, -1, -1):
        most = pushed_left[index + 1] - GAP_X - layer[index].width
        pushed_left[index] = min(preferred[index], most)
    for box, right, left in zip(layer, pushed_right, pushed_left, strict=True):
        box.x = (right + left) / 2
    first, last = layer[0], layer[-1]
    if last.x + last.width - first.x > ROW_WIDTH / 2:
        # Wide rows are centred; otherwise each row would be placed further to the side than the row above.
        shift = (first.x + last.x + last.width) / 2
        for box in layer:
            box.x -= shift


def _points(chain: Chain) -> list[tuple[float, float]]:
    first, *middle, last = chain
    points = [(first.center, first.y + first.height), (first.center, first.row[1])]
    points += [(box.center, y) for box in middle for y in (*box.row[:1], box.y, box.y + box.height, *box.row[1:])]
    points += [(last.center, last.row[0]), (last.center, last.y)]
    return [point for index, point in enumerate(points) if index == 0 or point != points[index - 1]]
