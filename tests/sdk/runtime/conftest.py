from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flytemp.runtime.execute import ExecutionOptions
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from tests.sdk.runtime.project import Project


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def project(tmp_path: Path, store: ObjectStore) -> Project:
    return Project(tmp_path / "projects", store)


@pytest.fixture
def options(tmp_path: Path) -> Iterator[ExecutionOptions]:
    """Options of tasks in this process; their imports are undone afterwards."""
    path, modules = list(sys.path), set(sys.modules)
    yield ExecutionOptions(bundles=tmp_path / "bundles", patience_seconds=0)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("program"):
            del sys.modules[name]
