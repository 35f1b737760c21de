"""Launches that name what the operator does not allow: files of the worker, and service accounts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from flytemp.layout import ExecutionLayout
from flytemp.pods.rules import PlaceRules, PodLists, PodRules
from flytemp.protocol.workflow import ExecutionSettings, Resolved
from flytemp.records.launch import ExecutionContext
from flytemp.registry.platform_limits import PlatformLimits, publish_limits
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp_activities.executions import Executions
from flytemp_activities.resolve import LaunchResolver
from tests import small

LAYOUT = ExecutionLayout("default", "ex:default:development:one", "run-1")
QUEUE = ActivityEnvironment.default_info().task_queue


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    opened = open_store(str(tmp_path / "store"))
    small.register(opened)
    return opened


async def resolved(store: ObjectStore, launch: dict[str, Any], *, allowed: list[str] | None) -> ExecutionContext:
    settings = ExecutionSettings(task_queue="q", allowed_uris=allowed)
    temporal: Any = SimpleNamespace(namespace="default", operator_service=SimpleNamespace(list_search_attributes=_none))
    resolver = LaunchResolver(Executions(store), temporal, settings, store.uri_of("data"))
    argument = {
        "launch": launch, "namespace": "default", "workflow_id": LAYOUT.workflow_id, "first_run_id": "run-1",
        "started_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    assert dataclasses.asdict(Resolved.from_json(await ActivityEnvironment().run(resolver.resolve, argument)))
    return ExecutionContext.model_validate_json(store.read(LAYOUT.execution))


async def _none(request: Any) -> Any:
    return SimpleNamespace(custom_attributes={})


def reading(uri: str | dict[str, str], **fields: Any) -> dict[str, Any]:
    return {"launch_plan": "tests.small.read", "inputs": {"file": uri}, **fields}


CALL = {"workflow_id": "parent-1", "node": "n0", "attempt": 1}


@pytest.mark.parametrize(
    "launch",
    [
        reading("file:///etc/passwd"), reading("/etc/passwd"), reading("http://127.0.0.1/x"), reading("local:///etc/passwd"),
        reading("simplecache::file:///etc/passwd"), reading({"path": "file:///etc/passwd"}), reading({"uri": "/etc/passwd"}),
        reading("s3://b/x", options={"raw_data_prefix": "file:///etc/cron.d"}),
    ],
)  # fmt: skip
async def test_launch_cannot_name_uris_outside_of_the_allowed_prefixes(store: ObjectStore, launch: dict[str, Any]) -> None:
    with pytest.raises(ApplicationError) as caught:
        await resolved(store, launch, allowed=["s3://b"])
    assert (caught.value.type, caught.value.non_retryable) == ("invalid-input", True)
    assert not store.exists(LAYOUT.execution)


async def test_launch_cannot_read_the_values_of_other_executions(store: ObjectStore) -> None:
    store.write("executions/default/other/r1/outputs.json", b'{"x": 3}')
    launch = {"launch_plan": "tests.small.diamond", "inputs_uri": store.uri_of("executions/default/other/r1/outputs.json")}
    with pytest.raises(ApplicationError) as caught:
        await resolved(store, launch, allowed=[store.uri_of("uploads")])
    assert caught.value.type == "invalid-input"
    store.write("uploads/one/inputs.json", b'{"x": 3}')
    uploaded = {**launch, "inputs_uri": store.uri_of("uploads/one/inputs.json")}
    assert (await resolved(store, uploaded, allowed=[store.uri_of("uploads")])).inputs == {"x": 3}


async def test_launch_can_name_allowed_uris(store: ObjectStore) -> None:
    launch = reading("s3://b/data/x", options={"raw_data_prefix": "s3://b/out"})
    assert not (await resolved(store, launch, allowed=["s3://b"])).allows_each_uri


async def test_values_of_a_parent_execution_are_not_checked_again(store: ObjectStore) -> None:
    context = await resolved(store, reading("s3://elsewhere/x", parent=CALL), allowed=["s3://b"])
    assert context.inputs["file"]["uri"] == "s3://elsewhere/x"


async def test_worker_without_a_list_allows_each_uri(store: ObjectStore) -> None:
    assert (await resolved(store, reading("file:///etc/passwd"), allowed=None)).allows_each_uri


RULES = PodRules(
    service_account="general", overrides={"default-development": PlaceRules(allow=PodLists(service_accounts=("trainer",)))}
)


def running_as(account: str) -> dict[str, Any]:
    return {"launch_plan": "tests.small.diamond", "options": {"service_account": account}}


@pytest.mark.parametrize("account", ["general", "trainer"])
async def test_launch_can_name_a_listed_service_account(store: ObjectStore, account: str) -> None:
    publish_limits(store, QUEUE, PlatformLimits(pods=RULES))
    assert (await resolved(store, running_as(account), allowed=[])).options.service_account == account


async def test_launch_cannot_name_another_service_account(store: ObjectStore) -> None:
    publish_limits(store, QUEUE, PlatformLimits(pods=RULES))
    with pytest.raises(ApplicationError) as caught:
        await resolved(store, running_as("flytemp-worker"), allowed=[])
    assert (caught.value.type, caught.value.non_retryable) == ("invalid-input", True)
    inherited = {"launch_plan": "tests.small.diamond", "parent": {**CALL, "options": {"service_account": "flytemp-worker"}}}
    with pytest.raises(ApplicationError):
        await resolved(store, inherited, allowed=[])


async def test_service_accounts_have_no_rules_where_tasks_run_as_processes(store: ObjectStore) -> None:
    publish_limits(store, QUEUE, PlatformLimits())
    assert (await resolved(store, running_as("any"), allowed=[])).options.service_account == "any"
