"""Janitor: the pods that it deletes, the pods that it keeps, and their output."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.layout import ExecutionLayout, RootLayout
from flytemp.records.launch import ExecutionContext, LaunchOptions
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp_activities.kubernetes import Policy, names
from flytemp_activities.kubernetes.api import ApiError
from flytemp_activities.kubernetes.janitor import Janitor

LAYOUT = ExecutionLayout("default", "ex:p:d:nightly", "run-1")

Json = dict[str, Any]


def pod(name: str = "a", *, phase: str = "Running", minutes: float = 5, ended: float | None = None, **metadata: Any) -> Json:
    """Return a pod that is ``minutes`` old and ended ``ended`` minutes ago."""
    state = {} if ended is None else {"terminated": {"exitCode": 0, "finishedAt": _ago(ended)}}
    labels = {names.ATTEMPT: "1", names.TRY: "1", "flytemp.dev/execution": "nightly"}
    told = {names.ROOT: LAYOUT.root, names.PATH: "n0", names.PRIMARY: "primary"}
    own = {"name": name, "namespace": "tasks", "uid": f"uid-{name}", "creationTimestamp": _ago(minutes)}
    return {
        "metadata": {**own, "labels": labels, "annotations": told, **metadata},
        "status": {"phase": phase, "containerStatuses": [{"name": "primary", "state": state}]},
    }


def _ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster:
    """API of a cluster with some pods."""

    namespace = "tasks"

    def __init__(self, *pods: Json, refuses: str = "") -> None:
        self.pods = list(pods)
        self.refuses = refuses
        self.deleted: dict[str, Json] = {}

    async def request(self, method: str, path: str, *, parameters: Any = None, body: Json | None = None) -> Json:
        if method == "GET":
            return {"items": self.pods, "metadata": {}}
        name = path.rpartition("/")[2]
        if name == self.refuses:
            raise ApiError(403, "Forbidden", "no")
        assert body is not None
        self.deleted[name] = body
        return {}

    async def text(self, path: str, *, parameters: Any = None) -> bytes:
        return f"said by {path.split('/')[-2]}".encode()


class Temporal:
    def __init__(self, status: WorkflowExecutionStatus | RPCStatusCode, first_run: str = "run-1") -> None:
        self.status, self.first_run = status, first_run

    def get_workflow_handle(self, workflow_id: str) -> Temporal:
        assert workflow_id == LAYOUT.workflow_id
        return self

    async def describe(self) -> Any:
        if isinstance(self.status, RPCStatusCode):
            raise RPCError("", self.status, b"")
        info = type("Info", (), {"first_run_id": self.first_run})
        raw = type("Raw", (), {"workflow_execution_info": info})
        return type("Description", (), {"status": self.status, "raw_description": raw, "run_id": "run-3"})


OPEN = Temporal(WorkflowExecutionStatus.RUNNING)
CLOSED = Temporal(WorkflowExecutionStatus.TERMINATED)
FORGOTTEN = Temporal(RPCStatusCode.NOT_FOUND)
AWAY = Temporal(RPCStatusCode.UNAVAILABLE)
ANOTHER = Temporal(WorkflowExecutionStatus.RUNNING, first_run="run-9")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    opened = open_store(str(tmp_path / "store"))
    context = ExecutionContext(
        execution="nightly", project="p", domain="d", entity="e", spec="e", workflow="w", version="v", inputs={},
        options=LaunchOptions(), raw_data_prefix="s3://b", namespace="default", workflow_id=LAYOUT.workflow_id,
        first_run_id="run-1", started_at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    opened.write(LAYOUT.execution, context.model_dump_json().encode())
    return opened


def janitor(cluster: Cluster, store: ObjectStore, temporal: Temporal, **policy: Any) -> Janitor:
    return Janitor(cluster, store, temporal, Policy(**policy), "queue")  # type: ignore[arg-type]


def settled(store: ObjectStore) -> None:
    store.write(RootLayout(LAYOUT.root).result("n0", "1"), b"{}")


def lost(store: ObjectStore) -> None:
    store.write(RootLayout(LAYOUT.root).try_error("n0", "1", 1), b"{}")


def nothing(store: ObjectStore) -> None:
    """Leave the store as it is."""


def without_record(store: ObjectStore) -> None:
    store.write(LAYOUT.execution, b"no JSON")


@pytest.mark.parametrize(
    ("one", "temporal", "prepare", "policy", "reason"),
    [
        pytest.param(pod, OPEN, nothing, {}, None, id="it runs"),
        pytest.param(pod, CLOSED, nothing, {}, "its execution has finished", id="terminated"),
        pytest.param(pod, FORGOTTEN, nothing, {}, "its execution has finished", id="past retention"),
        pytest.param(pod, AWAY, nothing, {}, None, id="Temporal does not answer"),
        pytest.param(pod, ANOTHER, nothing, {}, None, id="the workflow id is used again, or it was retried"),
        pytest.param(pod, CLOSED, without_record, {}, None, id="the store does not tell"),
        pytest.param(lambda: pod(minutes=0.5), CLOSED, nothing, {}, None, id="young"),
        pytest.param(pod, OPEN, settled, {}, "its try has an outcome", id="a result stands"),
        pytest.param(pod, OPEN, lost, {}, "its try has an outcome", id="the try was lost"),
        pytest.param(lambda: pod(annotations={}), CLOSED, nothing, {}, None, id="not ours"),
        pytest.param(
            lambda: pod(phase="Succeeded", minutes=20, ended=15), OPEN, nothing, {},
            "it has ended, and no worker deleted it", id="ended",
        ),
        pytest.param(lambda: pod(phase="Succeeded", minutes=20, ended=5), OPEN, nothing, {}, None, id="ended a moment ago"),
        pytest.param(
            lambda: pod(phase="Failed", minutes=20, ended=15), CLOSED, nothing, {"keep_pods": "failed"}, None, id="kept",
        ),
        pytest.param(
            lambda: pod(phase="Failed", minutes=300, ended=200), CLOSED, nothing, {"keep_pods": "failed", "keep_hours": 3},
            "it was kept for 3 hours", id="kept for long enough",
        ),
        pytest.param(lambda: pod(deletionTimestamp=_ago(0.1)), CLOSED, nothing, {}, None, id="being deleted"),
        pytest.param(lambda: pod(deletionTimestamp=_ago(10)), OPEN, nothing, {}, None, id="a worker sees to it"),
        pytest.param(
            lambda: pod(deletionTimestamp=_ago(10)), CLOSED, nothing, {},
            "it was deleted, its node does not answer, and its execution has finished", id="its node is lost",
        ),
    ],
)  # fmt: skip
async def test_pods_that_the_janitor_deletes(
    store: ObjectStore, one: Callable[[], Json], temporal: Temporal, prepare: Callable[[ObjectStore], None], policy: Json,
    reason: str | None,
) -> None:  # fmt: skip
    prepare(store)
    cluster = Cluster(one())
    found = await janitor(cluster, store, temporal, **policy).sweep(dry_run=True)
    assert [each.reason for each in found] == ([] if reason is None else [reason])
    assert not cluster.deleted
    await janitor(cluster, store, temporal, **policy).sweep()
    assert list(cluster.deleted) == ([] if reason is None else ["a"])
    if reason is not None:
        assert cluster.deleted["a"]["preconditions"] == {"uid": "uid-a"}
        assert cluster.deleted["a"].get("gracePeriodSeconds") == (0 if "its node" in reason else None)


async def test_output_of_a_deleted_pod_is_kept(store: ObjectStore) -> None:
    await janitor(Cluster(pod()), store, CLOSED).sweep()
    assert store.read(RootLayout(LAYOUT.root).log_chunk("n0", "1", 1, 0)) == b"said by a"


async def test_failed_deletion_does_not_prevent_others(store: ObjectStore) -> None:
    cluster = Cluster(pod("a"), pod("b"), pod("c"), refuses="a")
    with pytest.raises(ApiError):
        await janitor(cluster, store, CLOSED).sweep()
    assert list(cluster.deleted) == ["b", "c"]
