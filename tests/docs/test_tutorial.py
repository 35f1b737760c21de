"""All commands of the tutorial in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, blocks
from tests.docs.new_user import Newcomer
from tests.installation import marked_processes

pytestmark = pytest.mark.e2e

PAGE = DOCS / "tutorial/first-workflow.md"


def test_tutorial(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    newcomer = Newcomer(folder)
    try:
        for block in blocks(PAGE):
            newcomer.follow(block)
    finally:
        codes = newcomer.stop()

    assert codes == [0]
    assert marked_processes(str(folder)) == []
