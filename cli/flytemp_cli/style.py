"""Colours, symbols and widths of text on a terminal. Colour never carries information alone."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import TextIO

import click

_COLOR = re.compile(r"(\x1b\[[0-9;]*m)")
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
    """Adds colour to text; returns text unchanged if colours are disabled."""

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
        """Return ``text`` (default: the phase's name) in the phase's colour."""
        return self.paint(phase if text is None else text, phase_color(phase))


def phase_color(phase: str) -> str | None:
    return _PHASE_COLORS.get(phase)


def glyph(phase: str) -> str:
    """Return the symbol of a phase."""
    return _GLYPHS.get(phase, "?")


def wants_color(choice: str, stream: TextIO) -> bool:
    """Return whether to use colours: decided by ``--color``, then NO_COLOR and TERM=dumb, then by ``stream``'s type."""
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
    """Return ``text`` on one line without control characters, at most ``limit`` characters."""
    clean = " ".join("".join(" " if unicodedata.category(char) in {"Cc", "Cf"} else char for char in text).split())
    return clean if limit is None or len(clean) <= limit else clean[: limit - 1] + "…"


def printable(text: str) -> str:
    """Return ``text`` without control characters, which could move the cursor or change the terminal's state."""
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) != "Cc")


def for_terminal(text: str) -> str:
    """Return ``text`` with its colours, but without other control characters and without parts that no terminal can show.

    Texts of other users, such as names, messages and links, may contain sequences that change the state of a terminal.
    """
    if text.isascii() and text.isprintable():
        return text
    clean = "".join(part if _COLOR.fullmatch(part) else printable(part) for part in _COLOR.split(text))
    return clean.encode("utf-8", "backslashreplace").decode()


def width(text: str) -> int:
    """Return the number of terminal columns of ``text`` without escape sequences."""
    columns = 0
    for char in click.unstyle(text):
        if unicodedata.combining(char):
            continue
        columns += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return columns
