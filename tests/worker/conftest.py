"""Fixtures of the tests that run workers in their own process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from flytemp_worker.devserver import DevServer, start_dev_server
from flytemp_worker.serve import spare_garbage_collection


@pytest.fixture(scope="module", autouse=True)
def _garbage(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect garbage as a worker process does.

    The objects of earlier tests are frozen, because a traversal of them takes longer than a workflow task may.
    """
    if ".engine." in request.module.__name__:  # pure
        yield
        return
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    spare_garbage_collection()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    running = start_dev_server(db=None, log=tmp_path_factory.mktemp("server") / "log")
    yield running
    running.stop()
