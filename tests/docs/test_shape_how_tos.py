"""How-to pages with an example: commands in the example's folder, and drawings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, ROOT, blocks, pages
from tests.docs.new_user import Newcomer
from tests.examples.projects import copy_of
from tests.installation import Installation

EXAMPLES = {
    "approvals-and-inputs": "approvals",  # whose commands are run by test_gates_how_tos
    "conditionals": "conditionals",
    "dynamic-workflows": "dynamic",
    "handle-failures": "failure_handling",
    "imperative-and-yaml": "imperative_and_yaml",
    "large-workflows": "large",
    "map-tasks": "mapping",
    "reference-other-projects": "references",
    "shell-tasks": "shell_tasks",
    "sub-workflows-and-launch-plans": "launch_plans",
    "time-limits": "time_limits",
}
_PICTURE = re.compile(r"!\[([^\]]+)\]\(([^)]+\.svg)\)")


@pytest.mark.e2e
@pytest.mark.parametrize("page", sorted(EXAMPLES.keys() - {"approvals-and-inputs"}))
def test_commands_in_the_examples_folder(installation: Installation, tmp_path: Path, page: str) -> None:
    environment = {**installation.environment(), "FLYTEMP_PROJECT": page}
    newcomer = Newcomer(copy_of(EXAMPLES[page], tmp_path), environment, quick=True)

    for block in blocks(DOCS / f"how-to/{page}.md"):
        newcomer.follow(block)


def pictures(page: Path) -> set[Path]:
    """Return the drawings of a page."""
    return {(page.parent / path).resolve() for _, path in _PICTURE.findall(page.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("page", sorted(EXAMPLES))
def test_page_and_example_show_the_same_drawings(page: str) -> None:
    shown = pictures(DOCS / f"how-to/{page}.md")

    assert shown
    assert shown == pictures(ROOT / "examples" / EXAMPLES[page] / "README.md")


def test_every_drawing_is_shown() -> None:
    assert set((DOCS / "images").glob("*.svg")) == {picture for page in pages() for picture in pictures(page)}


@pytest.mark.parametrize("page", sorted(EXAMPLES))
def test_title_of_a_drawing_is_its_workflow(page: str) -> None:
    for text, path in _PICTURE.findall((DOCS / f"how-to/{page}.md").read_text(encoding="utf-8")):
        drawn = (DOCS / "how-to" / path).read_text(encoding="utf-8")
        title = re.search(r"<title>([^<,]+)", drawn)

        assert title is not None
        assert text == f"The workflow {title[1].rpartition('.')[2]}"
