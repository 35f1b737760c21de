"""Commands of the pages about gates, pauses and retries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, blocks
from tests.docs.new_user import Newcomer
from tests.installation import Installation

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", ["approvals-and-inputs", "pause-and-retry"])
def test_commands_of_the_page(installation: Installation, tmp_path: Path, name: str) -> None:
    page = DOCS / "how-to" / f"{name}.md"
    newcomer = Newcomer(tmp_path, {**installation.environment(), "FLYTEMP_PROJECT": name}, quick=True)
    source = tmp_path / "src" / "page.py"
    source.parent.mkdir()
    source.write_text(next(block.text for block in blocks(page) if block.language == "python"))

    for block in blocks(page):
        newcomer.follow(block)


def test_drawing_of_the_page_shows_its_program(tmp_path: Path) -> None:
    from tests.command_line import flytemp

    page = list(blocks(DOCS / "how-to" / "approvals-and-inputs.md"))
    source = tmp_path / "publishing.py"
    source.write_text(next(block.text for block in page if block.language == "python"))

    assert flytemp("graph", source, "publishing").out == next(block.text for block in page if block.language == "mermaid")
