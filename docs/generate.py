"""Generator of parts of the documentation: `just docs`. With --check, it only lists outdated files.

A page contains a part between ``<!-- generated: NAME -->`` and ``<!-- end: NAME -->``; the other text is written by
hand. The JSON Schemas and the drawings of workflows are complete files.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from generator import commands, keys, objects, outcomes, pictures, schemas

DOCS = Path(__file__).resolve().parent
PARTS: Mapping[str, Callable[[], str]] = {
    "commands": commands.render,
    "global options": commands.render_global_options,
    "sdk": objects.render,
    "outcomes": outcomes.render,
    "store layout": keys.render,
}
FILES: Mapping[str, Callable[[], str]] = {
    "reference/spec.schema.json": schemas.spec,
    "reference/launch.schema.json": schemas.launch,
    "reference/execution.schema.json": schemas.execution,
    **pictures.PICTURES,
}
_PART = re.compile(r"<!-- generated: ([\w ]+) -->\n.*?<!-- end: \1 -->", re.DOTALL)


def rendered() -> dict[Path, str]:
    """Return all files with generated parts and their expected text."""
    result = {DOCS / name: make() for name, make in FILES.items()}
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if "<!-- generated: " in text:
            result[page] = _PART.sub(_part, text)
    return result


def _part(match: re.Match[str]) -> str:
    name = match[1]
    if name not in PARTS:
        raise SystemExit(f"unknown generated part {name!r}; the parts are {', '.join(sorted(PARTS))}")
    return f"<!-- generated: {name} -->\n\n{PARTS[name]().strip()}\n\n<!-- end: {name} -->"


def outdated() -> list[Path]:
    """Return the outdated files."""
    return [path for path, text in rendered().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def main() -> int:
    """Write or check the files, and return the exit code."""
    parser = argparse.ArgumentParser(description="Write the generated parts of the documentation")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    check = parser.parse_args().check
    stale = outdated()
    texts = rendered()
    for path in stale:
        print(f"{'out of date' if check else 'written'}: {path.relative_to(DOCS.parent)}")
        if not check:
            path.write_text(texts[path], encoding="utf-8")
    if check and stale:
        print("hint: run `just docs`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
