"""Tests of the assembly of a worker: its activities, task queues and settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity

from flytemp.config import Settings, load_settings
from flytemp.errors import ConfigError
from flytemp.protocol import activities as protocol
from flytemp.protocol import io_requests
from flytemp.protocol.message import Activity
from flytemp.store import open_store
from flytemp_activities.executions import Executions
from flytemp_activities.noop import NoopBackend
from flytemp_activities.process import ProcessBackend
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker.assembly import control_parts, task_parts
from flytemp_worker.plugin import FlytempPlugin
from flytemp_worker.serve import make_backend, resolved_settings, sdk_runtime
from flytemp_worker.workflow import activity_calls
from flytemp_worker.workflow.interpreter import FlytempMapPart, FlytempWorkflow
from flytemp_worker.workflow.janitor import FlytempJanitor


def settings(folder: Path, **environ: str) -> Settings:
    return load_settings(folder, environ={"FLYTEMP_STORE": str(folder / "store"), "FLYTEMP_TASK_QUEUE": "team", **environ})


def names(activities: Any) -> list[str]:
    found = [activity._Definition.must_from_callable(each).name for each in activities]
    return [name for name in found if name is not None]


def test_every_declared_activity_is_registered(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    executions = Executions(open_store(chosen.store))
    temporal: Any = None
    control = control_parts(executions, temporal, resolved_settings(chosen))
    tasks = task_parts(TaskRunner(executions, NoopBackend(), WorkflowLiveness(temporal)))

    declared = {
        value.name for module in (protocol, io_requests) for value in vars(module).values() if isinstance(value, Activity)
    }
    assert {*names(control.activities), *names(tasks.activities), protocol.SWEEP_PODS.name} == declared
    assert control.workflows == [FlytempWorkflow, FlytempMapPart, FlytempJanitor]
    assert names(tasks.activities) == [protocol.RUN_TASK.name, protocol.START_TASKS.name]


def test_only_the_kubernetes_backend_starts_tries_early(tmp_path: Path) -> None:
    chosen = settings(tmp_path, FLYTEMP_WORKER_BACKEND="kubernetes", FLYTEMP_KUBERNETES_PODS="70")
    assert resolved_settings(chosen).starts_ahead == 70
    assert resolved_settings(settings(tmp_path)).starts_ahead == 0


def test_tasks_have_their_own_queue(tmp_path: Path) -> None:
    assert resolved_settings(settings(tmp_path)).task_queue == "team-tasks"
    assert resolved_settings(settings(tmp_path, FLYTEMP_WORKER_POOL="gpu")).task_queue == "team-tasks-gpu"


@pytest.mark.parametrize(
    ("options", "queue"),
    [
        ({}, "team-tasks"),
        ({"task_queue": "mine"}, "mine-tasks"),
        ({"run_tasks": True}, "team"),
        ({"run_tasks": True, "task_queue": "mine"}, "mine"),
    ],
)
def test_plugin_uses_the_task_queue_of_the_worker_that_runs_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], queue: str
) -> None:
    seen: list[str] = []

    def noting(executions: Any, temporal: Any, resolved: Any, prefix: Any) -> Any:
        seen.append(resolved.task_queue)
        return control_parts(executions, temporal, resolved, prefix)

    monkeypatch.setattr("flytemp_worker.plugin.control_parts", noting)
    temporal: Any = None
    FlytempPlugin(temporal, settings(tmp_path, FLYTEMP_WORKER_BACKEND="noop"), **options)
    assert seen == [queue]


def test_backend_is_that_of_the_settings(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    assert isinstance(make_backend(settings(tmp_path, FLYTEMP_WORKER_BACKEND="noop"), store), NoopBackend)
    assert isinstance(make_backend(settings(tmp_path), store), ProcessBackend)


@pytest.mark.parametrize("address", ["999.0.0.1:9000", "nowhere.invalid:9000"])
def test_unusable_sdk_metrics_address_is_rejected(tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match=address):
        sdk_runtime(settings(tmp_path, FLYTEMP_WORKER_SDK_METRICS_ADDRESS=address))


@pytest.mark.parametrize("text", ["", "n0 add", "x" * 380, "x" * 1_000, "🙂" * 300, '"\\' * 300, "ä" * 70])
def test_long_summary_is_cut_to_the_servers_limit(text: str) -> None:
    short = activity_calls.short(text)
    assert len(json.dumps(short)) <= 400
    assert short == text or short.endswith("…")
