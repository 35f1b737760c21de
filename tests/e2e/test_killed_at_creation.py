"""A worker that is killed after it sent the request to create a pod and before it received the response."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from infra.testcluster import Cluster
from infra.testcluster.pytest_fixtures import allow_first_build, cluster, own_cluster
from tests.activities.kubernetes.fault_proxy import FaultProxy
from tests.e2e.test_fan_out_of_pods import Seen, installation, namespace, seen
from tests.installation import Installation, eventually

__all__ = ["cluster", "installation", "namespace", "own_cluster", "seen"]

pytestmark = [pytest.mark.kubernetes, pytest.mark.e2e]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_first_build(items)


async def test_the_pod_is_found_by_the_next_worker(
    installation: Installation, own_cluster: Cluster, seen: Seen, tmp_path: Path
) -> None:
    os.killpg(installation.workers[-1].pid, signal.SIGKILL)
    async with FaultProxy(own_cluster.server, own_cluster.ca_file, own_cluster.token) as proxy:
        answer = proxy.hold_answer("create")
        kubeconfig = proxy.write_kubeconfig(tmp_path / "kubeconfig")
        behind = {"FLYTEMP_KUBERNETES_KUBECONFIG": str(kubeconfig)}
        dying = await asyncio.to_thread(installation.start_worker, behind)
        await asyncio.to_thread(installation.flytemp, "launch", "program.once", "--name", "once-1")
        async with asyncio.timeout(60):
            await answer.met.wait()  # the pod is there, and the worker has not heard of it
        os.killpg(dying.pid, signal.SIGKILL)
        answer.end()
    await asyncio.to_thread(installation.start_worker)

    def execution() -> dict[str, object]:
        found: dict[str, object] = json.loads(installation.flytemp("get", "execution", "once-1", "-o", "json").stdout)
        return found

    await asyncio.to_thread(eventually, lambda: execution()["phase"] == "SUCCEEDED", "it goes on", 120)
    await asyncio.to_thread(eventually, lambda: seen.there == 0, "the pod is removed")
    assert [len(uids) for uids in seen.uids.values()] == [1]
