"""Look-up of results with early start, on a real Temporal server and a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flytemp import task, workflow
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.records.models import Phase
from flytemp.runtime.invocation import Invocation
from flytemp_activities.executions import Executions
from flytemp_activities.kubernetes import KubernetesBackend, KubernetesOptions, Policy
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import control_worker, early_start, started, task_worker
from flytemp_worker.devserver import DevServer, start_dev_server
from infra.testcluster import KubernetesAccess
from tests.activities.known_results import KnownResults
from tests.activities.kubernetes.test_backend import pods
from tests.worker.serving import connect

pytestmark = pytest.mark.kubernetes


@task
def add_one(x: int) -> int:
    return x + 1


@workflow
def chain(x: int) -> int:
    return add_one(x=add_one(x=add_one(x=x)))


class RecordingBackend(KubernetesBackend):
    """The backend, which also lists the nodes that it was asked to start early."""

    early: list[str]

    async def start_early(self, invocation: Invocation, *, deadline: float) -> bool:
        self.early.append(invocation.node)
        return await super().start_early(invocation, deadline=deadline)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DevServer]:
    running = start_dev_server(db=None, log=tmp_path / "server.log")
    yield running
    running.stop()


async def test_no_pod_is_created_for_found_results_with_early_start(
    server: DevServer, tmp_path: Path, cluster: KubernetesAccess, namespace: str, policy: Policy
) -> None:
    client = await connect(server, tmp_path, [chain])
    queue = client.settings.task_queue
    options = KubernetesOptions(queue, kubeconfig=str(cluster.kubeconfig), policy=policy)
    backend = RecordingBackend(client.store, options, KnownResults({"n0": 10, "n1": 20, "n2": 30}))
    backend.early = []
    settings = ExecutionSettings(task_queue=f"{queue}-tasks", starts_ahead=100)
    executions = Executions(client.store)
    runner = TaskRunner(executions, backend, WorkflowLiveness(client.temporal))
    control = control_worker(client.temporal, executions, queue, settings, interceptors=early_start(runner, settings))
    async with started(backend, runner), control, task_worker(client.temporal, runner, settings, slots=10, drain_seconds=0):
        execution = await (await client.launch(f"{__name__}.chain", inputs={"x": 1})).wait(60)
    await client.close()
    assert (execution.phase, execution.outputs) == (Phase.SUCCEEDED, {"o0": 30})
    assert [(node.id, node.lookup) for node in execution.nodes] == [("n0", "hit"), ("n1", "hit"), ("n2", "hit")]
    assert backend.early == ["n0", "n1", "n2"]
    assert pods(cluster, namespace) == []
