"""Commands of how-to and reference pages, in a project with the page's requirements."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, blocks
from tests.docs.new_user import Newcomer
from tests.installation import Installation

pytestmark = pytest.mark.e2e

LAUNCHED = (
    "flytemp init page-project",
    "cd page-project",
    "flytemp register src/",
    'flytemp launch word_statistics --text "to be or not to be" --name {name} --wait',
)


@pytest.mark.parametrize(
    ("page", "project", "name"),
    [
        pytest.param("how-to/debug-locally.md", "debugging", "nightly-1", id="debug"),
        pytest.param("how-to/look-into-the-store.md", "looking", "first", id="store"),
        pytest.param("reference/spec.md", "specs", "first", id="spec"),
    ],
)
def test_commands_after_a_launch(installation: Installation, tmp_path: Path, page: str, project: str, name: str) -> None:
    newcomer = Newcomer(tmp_path, {**installation.environment(), "FLYTEMP_PROJECT": project})
    newcomer.type(*(line.format(name=name) for line in LAUNCHED))

    for block in blocks(DOCS / page):
        newcomer.follow(block)


def test_commands_of_launch_plans(installation: Installation, tmp_path: Path) -> None:
    page = DOCS / "how-to/launch-plans.md"
    newcomer = Newcomer(tmp_path, {**installation.environment(), "FLYTEMP_PROJECT": "launch-plans"})
    source = tmp_path / "src/scoring.py"
    source.parent.mkdir()
    source.write_text(next(block.text for block in blocks(page) if block.language == "python"))

    for block in blocks(page):
        newcomer.follow(block)


def test_commands_of_files(installation: Installation, tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path, installation.environment())
    text = "\n".join(block.text for block in blocks(DOCS / "how-to/files.md") if block.language == "python")
    (tmp_path / "files.py").write_text(text)
    (tmp_path / "squares.csv").write_text("0,0\n1,1\n2,4\n")

    newcomer.type("flytemp run files.py total --table squares.csv", "flytemp run files.py squares --n 4 --local")


def test_program_of_custom_types(installation: Installation, tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path, installation.environment())
    text = "\n".join(block.text for block in blocks(DOCS / "how-to/custom-types.md") if block.language == "python")
    (tmp_path / "polygons.py").write_text(text)

    newcomer.type("flytemp run polygons.py count_corners")


def test_commands_of_an_existing_temporal(installation: Installation, tmp_path: Path) -> None:
    environment = {**installation.environment(), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    newcomer = Newcomer(tmp_path, environment)

    for block in blocks(DOCS / "how-to/existing-temporal.md"):
        newcomer.follow(block)

    assert "temporal.example.com:7233" in (tmp_path / "config/temporalio/temporal.toml").read_text()
