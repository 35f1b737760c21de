"""Fixtures that several packages' tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One real installation with one worker for the whole session: tests use names of their own in it."""
    running = Installation.start(tmp_path_factory.mktemp("installation"))
    try:
        running.flytemp("setup")
        running.start_worker()
        yield running
    finally:
        running.stop()


@pytest.fixture
def fresh_installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own, without a worker: for tests that kill things."""
    running = Installation.start(tmp_path / "installation")
    try:
        yield running
    finally:
        running.stop()
