"""Conversion of docstrings to Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

_SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields|Example|Examples):")
_ITEM = re.compile(r"(\*{0,2}[A-Za-z_][\w., ]*?): (.*)")


def docstring(text: str | None) -> list[str]:
    """Return a docstring as Markdown: paragraphs, then its sections as lists."""
    if not text:
        return []
    lines: list[str] = []
    blocks = _sections(inspect.cleandoc(text).splitlines())
    for title, body in blocks:
        if title:
            lines += ["", f"*{title}*", ""]
            lines += _items(body)
        else:
            lines += _paragraphs(body)
    return _trimmed(lines)


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return a table; line breaks and bars in cells are escaped."""
    titles = list(titles)
    lines = [f"| {' | '.join(titles)} |", f"|{'|'.join(' --- ' for _ in titles)}|"]
    return [*lines, *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _sections(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Return the text before the first section, and each section with its title."""
    found: list[tuple[str, list[str]]] = [("", [])]
    for line in lines:
        match = _SECTION.fullmatch(line)
        if match:
            found.append((match[1], []))
        elif found[-1][0] and line and not line.startswith(" "):
            found.append(("", [line]))
        else:
            found[-1][1].append(line)
    return [(title, body) for title, body in found if any(body)]


def _items(body: list[str]) -> list[str]:
    """Return ``name: text`` lines as a list; continuation lines are indented."""
    lines: list[str] = []
    for line in inspect.cleandoc("\n".join(body)).splitlines():
        match = _ITEM.fullmatch(line)
        if match and not line.startswith(" "):
            lines.append(f"- `{match[1]}`: {inline(match[2])}")
        elif lines:
            lines[-1] += f" {inline(line.strip())}"
        else:
            lines.append(inline(line))
    return lines


def _paragraphs(body: list[str]) -> list[str]:
    """Return text with indented text and text after ``::`` as code."""
    lines: list[str] = []
    code = False
    for line in body:
        indented = line.startswith("    ")
        if indented and not code:
            lines += ["```text"] if not lines or not lines[-1] else ["", "```text"]
            code = True
        if code and line and not indented:
            lines = [*_trimmed(lines), "```", ""]
            code = False
        lines.append(line[4:] if code else inline(line))
    if code:
        lines = [*_trimmed(lines), "```"]
    return lines


def inline(text: str) -> str:
    """Convert the markup of a line: double backticks to single ones, ``::`` at the end to a colon."""
    return re.sub(r"::$", ":", text.replace("``", "`"))


def _trimmed(lines: list[str]) -> list[str]:
    text = "\n".join(lines).strip("\n")
    return re.sub(r"\n{3,}", "\n\n", text).splitlines()
