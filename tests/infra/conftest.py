"""Fixtures of the test cluster."""

from __future__ import annotations

import pytest

from infra.testcluster.pytest_fixtures import (  # noqa: F401 -- fixtures are used by their names
    allow_first_build,
    cluster,
    namespace,
    own_cluster,
    s3_server,
    task_image,
    worker_image,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_first_build(items)
