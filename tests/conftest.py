"""Fixtures that several packages' tests share."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.installation import Installation

TEARDOWN_SECONDS, AGAIN_SECONDS = 150.0, 30.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """What is taken down has a time limit of its own.

    The plug-in's limit rings once for each test. When it has rung in the event loop, what the test had open (a Temporal worker)
    is closed only with the loop, perhaps never, and nothing would stop that. An alarm within a callback is swallowed by the loop,
    so this one rings again.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"the teardown of {item.nodeid} took more than {TEARDOWN_SECONDS:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, TEARDOWN_SECONDS, AGAIN_SECONDS)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests for pytest-xdist: one group a module, as its fixtures start servers; one for the cluster, which is shared."""
    for item in items:
        group = "kubernetes" if item.get_closest_marker("kubernetes") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


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
