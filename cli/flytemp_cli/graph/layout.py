"""Where the boxes of a drawing go: layers by depth, each layer ordered so that few edges cross. Deterministic.

A sub-workflow is laid out by itself first and is one box of its parent's layers. Edges that skip layers get a small
invisible box in each, so that they are led around what lies between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from flytemp_cli.graph.model import Edge, Graph, Node

LINE_HEIGHT = 16
CHAR_WIDTH = 7.4  # of the font that `svg` names, at its size, rounded up
BOX_PADDING = 12
BOX_HEIGHT = 46
GAP_X = 28
GAP_Y = 44
CLUSTER_PADDING = 16
CLUSTER_TITLE = 24
MARGIN = 16
_BEND_WIDTH = 8
_SWEEPS = 4


@dataclass
class Box:
    """A node's place; ``x``, ``y`` is its left upper corner within its own graph. ``node`` is None for a bend."""

    key: str
    width: float
    height: float
    node: Node | None = None
    inner: Layout | None = None
    x: float = 0
    y: float = 0

    @property
    def center(self) -> float:
        return self.x + self.width / 2


@dataclass
class Layout:
    """A graph with places. ``routes`` are the points of each edge, from its source's bottom to its target's top."""

    width: float
    height: float
    boxes: list[Box] = field(default_factory=list)
    routes: list[tuple[Edge, list[tuple[float, float]]]] = field(default_factory=list)


def lay_out(graph: Graph) -> Layout:
    """Place everything of ``graph``; the drawing begins at 0, 0."""
    boxes = {node.path: _box(node) for node in graph.nodes}
    layers_of = _depths(graph)
    layers: list[list[Box]] = [[] for _ in range(max(layers_of.values(), default=-1) + 1)]
    for node in graph.nodes:
        layers[layers_of[node.path]].append(boxes[node.path])
    chains = [(edge, _chain(edge, boxes, layers_of, layers)) for edge in graph.edges]
    links = [pair for _, chain in chains for pair in pairwise(chain)]
    above, below = _neighbours(links)
    _order(layers, above, below)
    width, height = _place(layers, above, below)
    routes = [(edge, _points(chain)) for edge, chain in chains]
    return Layout(width, height, [box for layer in layers for box in layer if box.node is not None], routes)


def _box(node: Node) -> Box:
    title_width = max(len(node.title), len(node.path)) * CHAR_WIDTH + 2 * BOX_PADDING
    if node.inner is None or not node.is_cluster:
        return Box(node.path, title_width, BOX_HEIGHT, node)
    inner = lay_out(node.inner)
    heading_width = (len(node.title) + len(node.path) + 1) * CHAR_WIDTH + 2 * BOX_PADDING
    width = max(inner.width + 2 * CLUSTER_PADDING, heading_width)
    return Box(node.path, width, inner.height + 2 * CLUSTER_PADDING + CLUSTER_TITLE, node, inner)


def _depths(graph: Graph) -> dict[str, int]:
    """The longest way to each node from one that needs nothing. The graph has no cycle: the compiler saw to it."""
    needs: dict[str, list[str]] = {node.path: [] for node in graph.nodes}
    feeds: dict[str, list[str]] = {node.path: [] for node in graph.nodes}
    for edge in graph.edges:
        needs[edge.target].append(edge.source)
        feeds[edge.source].append(edge.target)
    depths = dict.fromkeys(needs, 0)
    waiting = {path: len(sources) for path, sources in needs.items()}
    ready = [path for path, count in waiting.items() if count == 0]
    for path in ready:
        for target in feeds[path]:
            depths[target] = max(depths[target], depths[path] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return depths


def _chain(edge: Edge, boxes: dict[str, Box], depths: dict[str, int], layers: list[list[Box]]) -> list[Box]:
    """The boxes an edge passes: its ends, and a bend in every layer between, which is added to the layer."""
    chain = [boxes[edge.source]]
    for depth in range(depths[edge.source] + 1, depths[edge.target]):
        bend = Box(f"{edge.source}>{edge.target}@{depth}", _BEND_WIDTH, 0)
        layers[depth].append(bend)
        chain.append(bend)
    return [*chain, boxes[edge.target]]


Neighbours = dict[str, list[Box]]


def _neighbours(links: Sequence[tuple[Box, Box]]) -> tuple[Neighbours, Neighbours]:
    """What each box is linked to in the layer above it, and in the one below."""
    above: Neighbours = {}
    below: Neighbours = {}
    for upper, lower in links:
        above.setdefault(lower.key, []).append(upper)
        below.setdefault(upper.key, []).append(lower)
    return above, below


def _order(layers: list[list[Box]], above: Neighbours, below: Neighbours) -> None:
    """Sort each layer by the middle of its neighbours' places, down and up again (the barycenter method)."""
    for _ in range(_SWEEPS):
        for before, layer in pairwise(layers):
            layer.sort(key=_middle(above, before, layer))
        for layer, after in reversed(list(pairwise(layers))):
            layer.sort(key=_middle(below, after, layer))


def _middle(neighbours: Neighbours, beside: list[Box], layer: list[Box]) -> Callable[[Box], float]:
    places = {box.key: index for index, box in enumerate(beside)}
    own = {box.key: index * len(beside) / max(len(layer), 1) for index, box in enumerate(layer)}

    def key(box: Box) -> float:
        found = [places[other.key] for other in neighbours.get(box.key, ())]
        return sum(found) / len(found) if found else own[box.key]

    return key


def _place(layers: list[list[Box]], above: Neighbours, below: Neighbours) -> tuple[float, float]:
    """Rows below each other; within a row each box as near to its neighbours' middle as there is room for.

    Returns the width and height of all.
    """
    for layer in layers:
        _spread(layer, [0.0] * len(layer))
    for _ in range(_SWEEPS):
        for layer in layers[1:]:
            _spread(layer, [_wish(box, above) for box in layer])
        for layer in reversed(layers[:-1]):
            _spread(layer, [_wish(box, below) for box in layer])
    y = 0.0
    for layer in layers:
        height = max(box.height for box in layer)
        for box in layer:
            # A bend is as high as its row: an edge must pass the row's tallest box before it turns.
            box.height = box.height if box.node is not None else height
            box.y = y + (height - box.height) / 2
        y += height + GAP_Y
    boxes = [box for layer in layers for box in layer]
    left = min((box.x for box in boxes), default=0)
    for box in boxes:
        box.x -= left
    return max((box.x + box.width for box in boxes), default=0), max(y - GAP_Y, 0)


def _wish(box: Box, neighbours: Neighbours) -> float:
    """Where the box's centre would like to be."""
    found = [other.center for other in neighbours.get(box.key, ())]
    return sum(found) / len(found) if found else box.center


def _spread(layer: list[Box], centers: list[float]) -> None:
    """Give every box the wished centre as far as they do not overlap: the mean of pushing right and pushing left."""
    wished = [center - box.width / 2 for box, center in zip(layer, centers, strict=True)]
    pushed_right = list(wished)
    for index in range(1, len(layer)):
        least = pushed_right[index - 1] + layer[index - 1].width + GAP_X
        pushed_right[index] = max(wished[index], least)
    pushed_left = list(wished)
    for index in range(len(layer) - 2, -1, -1):
        most = pushed_left[index + 1] - GAP_X - layer[index].width
        pushed_left[index] = min(wished[index], most)
    for box, right, left in zip(layer, pushed_right, pushed_left, strict=True):
        box.x = (right + left) / 2


def _points(chain: list[Box]) -> list[tuple[float, float]]:
    first, *middle, last = chain
    bends = [(box.center, y) for box in middle for y in (box.y, box.y + box.height)]
    return [(first.center, first.y + first.height), *bends, (last.center, last.y)]
