"""Configuration that another user placed in a parent folder is ignored."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from flytemp.config import load_settings, ownership
from flytemp.config.loading import find_project_dir
from flytemp.config.ownership import foreign_owner

ME = os.getuid() if hasattr(os, "getuid") else 0
OTHER = ME + 1


@pytest.fixture
def start(tmp_path: Path) -> Path:
    folder = tmp_path / "shared" / "mine"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def owned_by_other(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Paths that seem to belong to another user. Only root can change the owner of a file."""
    paths: set[Path] = set()
    for name in ("stat", "lstat"):
        real = getattr(Path, name)

        def status(self: Path, real: object = real, **options: object) -> os.stat_result:
            found = real(self, **options)  # type: ignore[operator]
            return os.stat_result((*found[:4], OTHER, *found[5:])) if self in paths else found

        monkeypatch.setattr(ownership.Path, name, status)
    return paths


@pytest.mark.parametrize("name", ["flytemp.toml", ".flytemp"])
def test_parent_configuration_of_another_user_is_ignored(
    start: Path, owned_by_other: set[Path], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = start.parent / name
    if name == "flytemp.toml":
        path.write_text('store = "s3://theirs"\n')
    else:
        path.mkdir()
    assert find_project_dir(start)[0] == start.parent
    owned_by_other.add(path)
    with caplog.at_level(logging.WARNING):
        settings = load_settings(start, environ={})
    assert settings.project_dir == start
    assert settings.store == f"file://{start}/.flytemp/store"
    assert any(str(path) in note for note in settings.notes)
    assert str(path) in caplog.text


def test_nearest_own_configuration_is_used_below_a_foreign_one(start: Path, owned_by_other: set[Path]) -> None:
    (start.parent / "flytemp.toml").write_text("")
    (start.parent.parent / "flytemp.toml").write_text("")
    owned_by_other.add(start.parent / "flytemp.toml")
    assert find_project_dir(start)[0] == start.parent.parent


def test_configuration_of_the_owner_of_the_current_folder_is_used(start: Path, owned_by_other: set[Path]) -> None:
    (start.parent / "flytemp.toml").write_text("")
    owned_by_other |= {start, start.parent / "flytemp.toml"}
    assert find_project_dir(start)[0] == start.parent


def test_configuration_in_the_current_folder_is_used_unless_all_may_write_there(start: Path, owned_by_other: set[Path]) -> None:
    (start / "flytemp.toml").write_text("")
    owned_by_other.add(start / "flytemp.toml")
    assert foreign_owner(start / "flytemp.toml", start) is None
    start.chmod(0o1777)
    assert foreign_owner(start / "flytemp.toml", start) is not None


def test_state_of_dev_of_another_user_is_ignored(start: Path, owned_by_other: set[Path]) -> None:
    (start.parent / ".flytemp").mkdir()
    state = start.parent / ".flytemp" / "dev.json"
    state.write_text(
        f'{{"pid": {os.getpid()}, "address": "evil:7233", "namespace": "n", "store": "file:///evil", "task_queue": "q"}}'
    )
    assert load_settings(start, environ={}).address == "evil:7233"
    owned_by_other.add(state)
    settings = load_settings(start, environ={})
    assert settings.address == "localhost:7233"
    assert settings.dev is None
