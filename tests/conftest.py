"""Fixtures and options that the tests of several packages share."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.installation import Installation

TEARDOWN_SECONDS, REPEAT_SECONDS = 150.0, 30.0
_SERVER_TESTS = tuple(f"tests/{name}/" for name in ("activities", "cli", "docs", "durability", "e2e", "examples", "worker"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Limit the time of a teardown.

    The time limit of pytest-timeout fires once for each test. When it has fired within the event loop, the objects that the
    test had open, such as a Temporal worker, are closed only with the loop, which may never happen. The event loop swallows an
    alarm that fires within a callback, so this alarm fires repeatedly.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"the teardown of {item.nodeid} took more than {TEARDOWN_SECONDS:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, TEARDOWN_SECONDS, REPEAT_SECONDS)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long only: full products, chaos and large sizes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select the short or the long tests, and put them into the order that keeps all processes of pytest-xdist busy."""
    is_long = config.getoption("--long")
    selected = [item for item in items if (item.get_closest_marker("long") is not None) == is_long]
    if len(selected) < len(items):
        config.hook.pytest_deselected(items=list(set(items).difference(selected)))
    items[:] = _in_running_order(selected)


def _in_running_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the tests such that none waits long for the cluster.

    pytest-xdist hands the tests out in this order, a few at a time (`--maxschedchunk`). The tests that break the cluster need it
    alone, so they are spread over the tests with servers, which need no cluster. The other tests of the cluster follow, and then
    the short tests, which keep all processes busy to the end.
    """
    alone, servers, cluster, short = list[pytest.Item](), list[pytest.Item](), list[pytest.Item](), list[pytest.Item]()
    for item in items:
        if item.get_closest_marker("breaks_cluster"):
            alone.append(item)
        elif item.get_closest_marker("kubernetes"):
            cluster.append(item)
        elif item.nodeid.startswith(_SERVER_TESTS):
            servers.append(item)
        else:
            short.append(item)
    spacing = len(servers) // (len(alone) + 1)
    for number, item in reversed(list(enumerate(alone))):
        servers.insert(number * spacing, item)
    return [*servers, *cluster, *short]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test that breaks parts of the shared cluster while no other process of the tests uses the cluster."""
    if item.get_closest_marker("kubernetes") is None:
        return (yield)
    with cluster_lock(exclusive=item.get_closest_marker("breaks_cluster") is not None):
        return (yield)


@contextlib.contextmanager
def cluster_lock(*, exclusive: bool) -> Iterator[None]:
    """Hold the lock of the test cluster, alone or with other tests.

    Each test passes through a second lock first. A test that waits to be alone holds that lock, so no further test can start.
    """
    folder = Path(tempfile.gettempdir())
    with (folder / "flytemp-tests-entry.lock").open("a") as entry, (folder / "flytemp-tests-cluster.lock").open("a") as cluster:
        fcntl.flock(entry, fcntl.LOCK_EX)
        fcntl.flock(cluster, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        fcntl.flock(entry, fcntl.LOCK_UN)
        yield


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Start one real installation with one worker for the whole session; each test uses its own names in it."""
    running = Installation.start(tmp_path_factory.mktemp("installation"))
    try:
        running.flytemp("setup")
        running.start_worker()
        yield running
    finally:
        running.stop()


@pytest.fixture
def fresh_installation(tmp_path: Path) -> Iterator[Installation]:
    """Start an installation for one test, without a worker: for tests that kill processes."""
    running = Installation.start(tmp_path / "installation")
    try:
        yield running
    finally:
        running.stop()
