"""Tests of executions whose S3 server fails one request in ten."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from flytemp import map_task, task, workflow
from flytemp.client import Client
from flytemp.client.handle import ExecutionHandle
from flytemp.compiler import compile_entity
from flytemp.config import load_settings
from flytemp.records.models import Phase
from flytemp.registry import Registry
from flytemp_worker.devserver import DevServer
from infra.testcluster.pytest_fixtures import local_s3_server
from infra.testcluster.s3 import S3Server
from tests.sdk.store.conftest import forget_clients
from tests.sdk.store.fault_proxy import Fault, FaultProxy
from tests.sizes import short_and_long
from tests.worker.serving import VERSION, ThreadBackend, serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@task
def scale(x: int) -> list[int]:
    return [x] * 3_000


@task
def total(rows: list[list[int]]) -> int:
    return sum(map(sum, rows))


@workflow
def scaled(xs: list[int]) -> int:
    """A workflow whose values are too long for a history, so each task reads and writes the store."""
    return total(rows=map_task(scale)(x=xs))


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with local_s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def proxy(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy before the S3 server, to which the clients of this process connect."""
    running = FaultProxy(s3_server.port)
    for name, value in {**s3_server.environment, "AWS_ENDPOINT_URL": running.endpoint}.items():
        monkeypatch.setenv(name, value)
    forget_clients()
    yield running
    forget_clients()
    running.stop()


@pytest.mark.parametrize("items", short_and_long(6, 300))
async def test_each_task_runs_once_although_one_request_in_ten_fails(
    server: DevServer, s3_server: S3Server, proxy: FaultProxy, tmp_path: Path, items: int
) -> None:
    environ = {
        "TEMPORAL_ADDRESS": server.address, "FLYTEMP_STORE": f"{s3_server.url}/failing-{items}", "FLYTEMP_TASK_QUEUE": "failing",
    }  # fmt: skip
    client = await Client.connect(load_settings(tmp_path, environ=environ))
    requests = itertools.count(1)
    proxy.add(Fault(lambda request: next(requests) % 10 == 0, status=503, code="SlowDown", times=1_000_000))
    Registry(client.store).register([compile_entity(scaled)], project="default", domain="development", version=VERSION)
    backend = ThreadBackend(client.store)
    async with serving(client, backend):
        handle: ExecutionHandle[int] = await client.launch("scaled", inputs={"xs": list(range(items))}, name="scaled")
        execution = await handle.wait(500)
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 3_000 * sum(range(items))})
    assert len(backend.started) == items + 1
    assert {node.attempts for node in execution.nodes if node.kind == "task"} == {1}
    assert next(requests) > 10 * items / 3
    await client.close()
