"""Colours: what they stand for, and whether they are wanted. Nothing is said by colour alone."""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TextIO

import click

_PHASE_COLORS = {
    "QUEUED": "bright_black",
    "RUNNING": "blue",
    "PAUSED": "magenta",
    "SUCCEEDED": "green",
    "FAILING": "red",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "ABORTING": "yellow",
    "ABORTED": "yellow",
    "SKIPPED": "bright_black",
}
_GLYPHS = {
    "UNDEFINED": "?",
    "QUEUED": "○",
    "RUNNING": "●",
    "PAUSED": "‖",
    "SUCCEEDED": "✓",
    "FAILING": "✗",
    "FAILED": "✗",
    "TIMED_OUT": "✗",
    "ABORTING": "■",
    "ABORTED": "■",
    "SKIPPED": "–",
}


class Style:
    """Paints text, or returns it as it is when colours are not wanted."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled

    def paint(self, text: str, color: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        if not self.enabled or not text:
            return text
        return click.style(text, fg=color, bold=bold or None, dim=dim or None)

    def error(self, text: str) -> str:
        return self.paint(text, "red", bold=True)

    def warning(self, text: str) -> str:
        return self.paint(text, "yellow", bold=True)

    def hint(self, text: str) -> str:
        return self.paint(text, "cyan")

    def dim(self, text: str) -> str:
        return self.paint(text, dim=True)

    def bold(self, text: str) -> str:
        return self.paint(text, bold=True)

    def phase(self, phase: str, text: str | None = None) -> str:
        """``text`` (by default the phase's name) in the phase's colour."""
        return self.paint(phase if text is None else text, phase_color(phase))


def phase_color(phase: str) -> str | None:
    return _PHASE_COLORS.get(phase)


def glyph(phase: str) -> str:
    """One sign for a phase."""
    return _GLYPHS.get(phase, "?")


def wants_color(choice: str, stream: TextIO) -> bool:
    """``--color``, then NO_COLOR and TERM=dumb, then whether ``stream`` is a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def stderr_style(choice: str) -> Style:
    return Style(wants_color(choice, sys.stderr))


def stdout_style(choice: str) -> Style:
    return Style(wants_color(choice, sys.stdout))


def one_line(text: str, limit: int | None = None) -> str:
    """``text`` for one line of a terminal: no control characters, at most ``limit`` characters."""
    clean = " ".join("".join(" " if unicodedata.category(char) in {"Cc", "Cf"} else char for char in text).split())
    return clean if limit is None or len(clean) <= limit else clean[: limit - 1] + "…"


def harmless(text: str) -> str:
    """``text`` of several lines without the control characters that move a terminal's cursor or change its state."""
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) != "Cc")


def width(text: str) -> int:
    """How many columns a terminal needs for ``text``, escape sequences aside."""
    columns = 0
    for char in click.unstyle(text):
        if unicodedata.combining(char):
            continue
        columns += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return columns
