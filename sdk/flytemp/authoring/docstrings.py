"""Docstrings in Google, NumPy and Sphinx style: summary, text, and descriptions of inputs and outputs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_GOOGLE = re.compile(
    r"(Args|Arguments|Parameters|Params|Returns?|Yields?|Raises|Examples?|Notes?|Attributes|Todo|References|See Also)"
    r":\s*$"
)
_SPHINX = re.compile(r":(\w+)([^:]*):\s*(.*)$")
_ITEM = re.compile(r"\*{0,2}(\w+)\s*(\([^)]*\))?\s*:\s*(.*)$")
_TYPED_RETURN = re.compile(r"([A-Za-z_][\w.]*(?:\[.*?\])?(?:\s*\|\s*[\w.\[\], ]+)*|\([^)]*\))\s*:\s+(.*)$")
_SPHINX_INPUTS = {"param", "parameter", "arg", "argument", "key", "keyword"}
_INPUT_SECTIONS = {"args", "arguments", "parameters", "params"}
_OUTPUT_SECTIONS = {"return", "returns", "yield", "yields"}


@dataclass
class Docstring:
    """Content of a docstring. ``outputs`` are pairs of a name, which may be empty, and a description."""

    short: str = ""
    long: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: list[tuple[str, str]] = field(default_factory=list)

    def output(self, index: int, name: str, count: int) -> str:
        """Return the description of one of ``count`` outputs, by its name or, if the numbers agree, its position."""
        for described, text in self.outputs:
            if described == name:
                return text
        return self.outputs[index][1] if len(self.outputs) == count else ""


def read_docstring(function: Callable[..., Any]) -> Docstring:
    """Return the docstring of a function; it is empty if the function has none."""
    return parse_docstring(inspect.getdoc(function) or "")


def parse_docstring(text: str) -> Docstring:
    """Return the content of a docstring in any of the three styles. Other text is the long description."""
    lines = inspect.cleandoc(text).splitlines()
    body, sections = _split(lines)
    found = Docstring()
    found.short, found.long = _summary(body)
    for title, content in sections:
        if title == "sphinx":
            _read_sphinx(content, found)
        elif title in _INPUT_SECTIONS:
            found.inputs.update(_items(content))
        elif title in _OUTPUT_SECTIONS:
            found.outputs.extend(_returns(content))
    return found


def _split(lines: list[str]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the lines before the first section, and the sections with their titles in lower case."""
    body: list[str] = []
    sections: list[tuple[str, list[str]]] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        underline = lines[index + 1].strip() if index + 1 < len(lines) else ""
        if line.strip() and not line.startswith(" ") and len(underline) >= 3 and set(underline) == {"-"}:
            sections.append((line.strip().lower(), []))
            index += 2
            continue
        if match := _GOOGLE.match(line):
            sections.append((match.group(1).lower(), []))
        elif _SPHINX.match(line) and (not sections or sections[-1][0] == "sphinx"):
            if not sections:
                sections.append(("sphinx", []))
            sections[-1][1].append(line)
        else:
            (sections[-1][1] if sections else body).append(line)
        index += 1
    return body, sections


def _summary(lines: list[str]) -> tuple[str, str]:
    paragraphs = "\n".join(lines).strip().split("\n\n", 1)
    return _joined(paragraphs[0].splitlines()), paragraphs[1].strip() if len(paragraphs) > 1 else ""


def _read_sphinx(lines: list[str], found: Docstring) -> None:
    for entry in _entries(lines, lambda line: line.startswith(":")):
        match = _SPHINX.match(entry[0])
        if match is None:
            continue
        role, rest = match.group(1), match.group(2).split()
        text = _joined([match.group(3), *entry[1:]])
        if role in _SPHINX_INPUTS and rest:
            found.inputs[rest[-1].lstrip("*")] = text
        elif role in _OUTPUT_SECTIONS:
            found.outputs.append((rest[-1] if rest else "", text))


def _items(lines: list[str]) -> dict[str, str]:
    """Return the descriptions in ``name (type): text`` (Google) or ``name : type`` with an indented text below (NumPy)."""
    items: dict[str, str] = {}
    for entry in _indented(lines):
        match = _ITEM.match(entry[0])
        name = match.group(1) if match else entry[0].split(":")[0].strip()
        if match is None or _is_numpy(entry):
            items[name] = _joined(entry[1:])
        else:
            items[name] = _joined([match.group(3), *entry[1:]])
    return items


def _returns(lines: list[str]) -> list[tuple[str, str]]:
    outputs: list[tuple[str, str]] = []
    for entry in _indented(lines):
        if _is_numpy(entry):
            outputs.append((entry[0].split(" : ")[0].strip() if " : " in entry[0] else "", _joined(entry[1:])))
        elif match := _TYPED_RETURN.match(entry[0]):
            outputs.append((match.group(1), _joined([match.group(2), *entry[1:]])))
        else:
            outputs.append(("", _joined(entry)))
    return outputs


def _is_numpy(entry: list[str]) -> bool:
    """Return True if the type follows " : " and the text is below (NumPy), not on the same line (Google)."""
    return len(entry) > 1 and (" : " in entry[0] or ":" not in entry[0])


def _indented(lines: list[str]) -> list[list[str]]:
    """Return the entries of a section: lines at its indentation, each with the deeper lines below it."""
    content = [line for line in lines if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in content), default=0)
    return _entries([line[margin:] for line in content], lambda line: not line.startswith(" "))


def _entries(lines: list[str], starts: Callable[[str], bool]) -> list[list[str]]:
    entries: list[list[str]] = []
    for line in lines:
        if starts(line) or not entries:
            entries.append([line])
        else:
            entries[-1].append(line)
    return entries


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines if line.strip())
