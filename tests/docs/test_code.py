"""Python code of the pages: it compiles, and its tests pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flytemp.compiler import compile_program, load_program
from tests.docs.blocks import DOCS, ROOT, Block, blocks, pages


def _own_python(page: Path) -> list[Block]:
    """Return the Python blocks that are not quoted from files."""
    found = [block for block in blocks(page) if block.language == "python"]
    return [block for block in found if block.mark("from") is None and block.mark("not run") is None]


def _has_a_program(page: Path) -> bool:
    """Return whether a page has a program and not only tests."""
    files = [block.mark("file") or "src/" for block in _own_python(page)]
    return any(file.startswith("src/") for file in files)


HOW_TOS = [page for page in pages() if _has_a_program(page) and "tutorial" not in page.parts and "reference" not in page.parts]


def _identity(page: Path) -> str:
    return str(page.relative_to(ROOT))


def write_project(page: Path, folder: Path) -> Path:
    """Write the files of a page; blocks without a file form one module with the page's name."""
    module = f"src/{page.stem.replace('-', '_').lower()}_page.py"
    for block in _own_python(page):
        file = folder / (block.mark("file") or module)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as target:
            target.write(block.text + "\n\n")
    return folder


@pytest.mark.parametrize("page", HOW_TOS, ids=_identity)
def test_python_of_a_page_compiles(page: Path, tmp_path: Path) -> None:
    project = write_project(page, tmp_path)

    program = load_program([project / "src"])
    if program.tasks or program.workflows:  # other pages' Python only has to import
        compile_program(program, None)


def test_pages_contain_code() -> None:
    names = {page.name for page in HOW_TOS}

    assert {"files.md", "launch-plans.md", "retries-and-timeouts.md", "unit-test.md"} <= names


def test_tests_of_the_unit_test_page_pass(tmp_path: Path) -> None:
    project = write_project(DOCS / "how-to/unit-test.md", tmp_path)
    (project / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["src"]\n')

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout


def test_files_page_runs(tmp_path: Path) -> None:
    project = write_project(DOCS / "how-to/files.md", tmp_path)
    program = load_program([project / "src"])

    assert program.workflows["files_page.squares"](n=4) == 14
    assert program.tasks["files_page.count_files"](folder=_parts(program, 3)) == 3


def _parts(program: object, parts: int) -> object:
    tasks = program.tasks  # type: ignore[attr-defined]
    return tasks["files_page.split"](table=tasks["files_page.write_squares"](n=9), parts=parts)


def test_launch_plans_page_runs(tmp_path: Path) -> None:
    project = write_project(DOCS / "how-to/launch-plans.md", tmp_path)
    program = load_program([project / "src"])
    nightly = program.launch_plans["nightly"]

    assert nightly(region="north") == pytest.approx(0.9)
    with pytest.raises(AssertionError, match="'threshold'"):
        nightly(region="north", threshold=0.1)
