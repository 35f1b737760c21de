"""Workers, pods, the kubelet, the API server and connections die at random while executions run on Kubernetes: nothing is lost,
no pod is made twice, none is left. `just chaos` does more of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.chaos import Plan, run
from infra.testcluster import Cluster, S3Server
from infra.testcluster.pytest_fixtures import cluster, own_cluster, s3_server, task_image

__all__ = ["cluster", "own_cluster", "s3_server", "task_image"]

pytestmark = [pytest.mark.kubernetes, pytest.mark.e2e, pytest.mark.durability, pytest.mark.timeout(1800)]

DEEDS = {
    "worker killed", "pod deleted", "container killed", "watches cut", "requests disturbed", "API server killed",
    "kubelet killed",
}  # fmt: skip


async def test_executions_survive_whatever_dies_around_them(
    own_cluster: Cluster, s3_server: S3Server, task_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    plan = Plan(executions=20, nodes=6, real=4, seed=1)
    outcome = await run(plan, own_cluster, s3_server, task_image, tmp_path, lambda text: print(text, file=sys.stderr))
    assert outcome.problems == []
    assert outcome.executions == plan.executions
    assert outcome.pods_created - outcome.made_again == outcome.tries_recorded
    assert outcome.tries_recorded == plan.executions * plan.nodes + outcome.tries_lost
    assert outcome.tries_lost > 0, "no pod was lost: the test proves nothing"
    assert outcome.deeds.keys() == DEEDS, "something was never done: the test proves nothing"
