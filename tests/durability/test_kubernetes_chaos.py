"""Workers, pods, the kubelet, the API server and connections fail at random while executions run on Kubernetes.

No result is lost, no pod is created twice, no pod is left. `just chaos` runs more executions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.chaos import Plan, run
from infra.testcluster import Cluster, S3Server
from infra.testcluster.pytest_fixtures import cluster, own_cluster, s3_server, task_image

__all__ = ["cluster", "own_cluster", "s3_server", "task_image"]

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.e2e,
    pytest.mark.durability,
    pytest.mark.breaks_cluster,
    pytest.mark.timeout(1800),
]

FAILURES = {
    "worker killed", "pod deleted", "container killed", "watches cut", "requests disturbed", "API server killed",
    "kubelet killed",
}  # fmt: skip


SHORT = Plan(executions=10, nodes=4, real=3, seed=1, each_once=True)
LONG = Plan(executions=20, nodes=6, real=4, seed=1)


@pytest.mark.parametrize("plan", [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.long)])
async def test_executions_survive_failures_of_every_part(
    own_cluster: Cluster, s3_server: S3Server, task_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: Plan
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    outcome = await run(plan, own_cluster, s3_server, task_image, tmp_path, lambda text: print(text, file=sys.stderr))
    assert outcome.problems == []
    assert outcome.executions == plan.executions
    assert outcome.pods_created - outcome.made_again == outcome.tries_recorded
    assert outcome.tries_recorded == plan.executions * plan.nodes + outcome.tries_lost
    assert outcome.tries_lost > 0, "no pod was lost: the test proves nothing"
    assert outcome.deeds.keys() == FAILURES, "something was never done: the test proves nothing"
