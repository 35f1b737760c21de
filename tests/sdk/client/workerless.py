"""A server without a flytemp worker, and the records that a worker would write."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator

import pytest

from flytemp.client import Client
from flytemp.layout import ExecutionLayout
from flytemp.records.launch import ExecutionContext, LaunchOptions
from flytemp.records.models import Execution
from tests.installation import Installation

ME = f"{getpass.getuser()}@{socket.gethostname()}"
"""Name of the user of the tests in answers and pauses."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Start a server that has no flytemp worker."""
    running = Installation.start(tmp_path_factory.mktemp("stand-in"))
    try:
        yield running
    finally:
        running.stop()


def leave_record(client: Client, execution: Execution) -> None:
    """Write the context and the record that a worker writes for a closed execution."""
    layout = ExecutionLayout(execution.namespace, execution.workflow_id, execution.run_id)
    client.store.write(layout.execution, _context(execution).model_dump_json().encode())
    client.store.write(layout.record, execution.model_dump_json().encode())


def _context(execution: Execution) -> ExecutionContext:
    return ExecutionContext(
        execution=execution.name, project="default", domain="development", entity="lp:default:development:nightly:v1",
        spec="wf:default:development:wf.train:v1", workflow="wf.train", version="v1", launch_plan="nightly", inputs={},
        options=LaunchOptions(), raw_data_prefix="file:///tmp", namespace="default", workflow_id=execution.workflow_id,
        first_run_id=execution.run_id, started_at="2026-01-31T12:00:00Z",
    )  # fmt: skip
