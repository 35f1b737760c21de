"""Fenced blocks of the Markdown pages, and the comments before them that control the tests.

``<!-- file: NAME -->``    the block is this file of the page's project
``<!-- from: PATH -->``    the block is quoted verbatim from this file
``<!-- background -->``    the commands run until the page ends
``<!-- exit code: N -->``  the commands end with this code
``<!-- shows: TEXT -->``   their output contains this text
``<!-- not run: WHY -->``  not run
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_MARK = re.compile(r"<!-- (file|from|background|exit code|shows|not run)(?:: (.*?))? -->")


@dataclass(frozen=True)
class Block:
    """Fenced block. ``line`` is the first line of its text."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, list[str]] = field(default_factory=dict)

    def mark(self, name: str) -> str | None:
        """Return the text of a comment; "" for a comment without text, None without a comment."""
        return self.marks[name][0] if name in self.marks else None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return all pages."""
    own = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*own, *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "examples").rglob("README.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    marks: dict[str, list[str]] = {}
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        mark = _MARK.fullmatch(line.strip())
        if mark:
            marks.setdefault(mark[1], []).append(mark[2] or "")
        elif line.startswith("```"):
            body: list[str] = []
            for _, inner in lines:
                if inner.startswith("```"):
                    break
                body.append(inner)
            yield Block(page, number + 1, line.removeprefix("```").strip(), "\n".join(body) + "\n", marks)
            marks = {}
        elif line.strip():
            marks = {}
