"""Sizes of boxes, from their shapes and texts."""

from __future__ import annotations

from collections.abc import Iterable

from flytemp_cli.graph.model import Node

LINE_HEIGHT = 16
NOTE_HEIGHT = 13
CHAR_WIDTH = 7.4  # of the font in `svg`, rounded up
NOTE_CHAR_WIDTH = 6.2
BOX_PADDING = 12
BOX_HEIGHT = 46
LABEL_HEIGHT = 16
CLUSTER_PADDING = 16
CLUSTER_TITLE = 24
FRAME_PADDING = 12
STACK = 5  # offset of the boxes behind a map's front box
SLANT = 14  # horizontal offset of the slanted sides of gates and dynamic nodes
PILL_HEIGHT = 32
NOTE_LINE = 34
"""Maximum number of characters of one line of notes."""


def note_lines(node: Node) -> list[str]:
    """Return the lines of a node's notes, with several notes on a line if they fit."""
    lines: list[str] = []
    for note in node.notes:
        joined = f"{lines[-1]} · {note}" if lines else note
        if lines and len(joined) <= max(NOTE_LINE, len(node.title)):
            lines[-1] = joined
        else:
            lines.append(note)
    return lines


def heading_lines(node: Node) -> tuple[str, list[str]]:
    """Return the heading of a frame: its title with the node path, and its notes."""
    return f"{node.title} {node.shown_path}".strip(), note_lines(node)


def box_size(node: Node) -> tuple[float, float]:
    """Return the width and height of a node that is not a frame."""
    notes = note_lines(node)
    texts = _widest([node.title, node.shown_path], CHAR_WIDTH)
    width = max(texts, _widest(notes, NOTE_CHAR_WIDTH))
    height = BOX_HEIGHT + NOTE_HEIGHT * len(notes)
    match node.shape:
        case "decision":  # a rhombus has half its width at a quarter of its height
            return max(texts * 1.7 + 2 * BOX_PADDING, 110), 66
        case "fail" | "failure" | "sleep":
            lines = 1 + bool(node.shown_path)
            return width + 2 * BOX_PADDING + 8, PILL_HEIGHT + LINE_HEIGHT * (lines - 1)
        case "gate" | "dynamic":
            return width + 2 * BOX_PADDING + 2 * SLANT, height
        case "launch_plan":
            return width + 2 * BOX_PADDING + 12, height
        case "map":
            return width + 2 * BOX_PADDING + 2 * STACK, height + 2 * STACK
        case _:
            return width + 2 * BOX_PADDING, height


def frame_padding(node: Node) -> tuple[float, float]:
    """Return the space at each side of a frame and the space above for its heading."""
    if node.shape == "branch":
        return FRAME_PADDING, FRAME_PADDING
    top = CLUSTER_TITLE + CLUSTER_PADDING + NOTE_HEIGHT * len(note_lines(node))
    return CLUSTER_PADDING, top


def heading_width(node: Node) -> float:
    if node.shape == "branch":
        return 0
    title, notes = heading_lines(node)
    return max(len(title) * CHAR_WIDTH, _widest(notes, NOTE_CHAR_WIDTH)) + 2 * BOX_PADDING


def label_width(text: str) -> float:
    return len(text) * NOTE_CHAR_WIDTH + 8


def _widest(texts: Iterable[str], char_width: float) -> float:
    return max((len(text) for text in texts), default=0) * char_width
