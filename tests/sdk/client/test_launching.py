"""Launches: the request to Temporal, and repeated launches under the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import WorkflowExecutionStatus
from temporalio.converter import DataConverter
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from flytemp.client import Client, LaunchOptions
from flytemp.config import load_settings
from flytemp.errors import AlreadyExists, InputError, InvalidName, NotFound, TemporalUnavailable
from flytemp.layout import ExecutionLayout
from flytemp.protocol.workflow import CONTENT_MEMO
from flytemp.records.launch import LaunchRequest
from flytemp.records.models import Execution, Phase
from flytemp.store import open_store
from tests import small


class Description:
    def __init__(self, memo: dict[str, Any]) -> None:
        self.raw_info = WorkflowExecutionInfo()
        self.data_converter = DataConverter.default
        for key, value in memo.items():
            payload = value if isinstance(value, Payload) else self.data_converter.payload_converter.to_payload(value)
            self.raw_info.memo.fields[key].CopyFrom(payload)
        self.status = WorkflowExecutionStatus.RUNNING


class Handle:
    def __init__(self, temporal: Temporal, workflow_id: str) -> None:
        self._temporal = temporal
        self._id = workflow_id

    async def describe(self) -> Description:
        if self._id not in self._temporal.memos:
            raise RPCError("no such workflow", RPCStatusCode.NOT_FOUND, b"")
        return Description(self._temporal.memos[self._id])


class Temporal:
    """Fake server that starts workflows by id and keeps them until a test removes them."""

    namespace = "default"

    def __init__(self) -> None:
        self.memos: dict[str, dict[str, Any]] = {}
        self.started: list[dict[str, Any]] = []
        self.error: RPCError | None = None

    async def start_workflow(self, name: str, launch: dict[str, Any], *, id: str, memo: dict[str, Any], **_: Any) -> None:
        if self.error is not None:
            raise self.error
        if id in self.memos:
            raise WorkflowAlreadyStartedError(id, name)
        self.memos[id] = memo
        self.started.append(launch)

    def get_workflow_handle(self, workflow_id: str) -> Handle:
        return Handle(self, workflow_id)


@pytest.fixture
def temporal() -> Temporal:
    return Temporal()


@pytest.fixture
def client(tmp_path: Path, temporal: Temporal) -> Client:
    store = open_store(str(tmp_path / "store"))
    small.register(store)
    settings = load_settings(tmp_path, environ={"FLYTEMP_STORE": str(tmp_path / "store")})
    return Client(temporal, store, settings)  # type: ignore[arg-type]


async def test_the_request_is_the_public_json(client: Client, temporal: Temporal) -> None:
    handle = await client.launch("diamond", inputs={"x": 3}, name="n", options=LaunchOptions(labels={"a": "b"}))

    assert handle.workflow_id == "ex:default:development:n"
    assert temporal.started == [
        {
            "launch_plan": "wf:default:development:tests.small.diamond:v1",
            "inputs": {"x": 3},
            "options": {"labels": {"a": "b"}},
        }
    ]
    LaunchRequest.model_validate(temporal.started[0])


async def test_large_inputs_go_through_the_store(client: Client, temporal: Temporal) -> None:
    await client.launch("total", inputs={"values": list(range(30_000)), "first": 1})

    uri = temporal.started[0]["inputs_uri"]
    assert "inputs" not in temporal.started[0]
    assert client.store.exists(uri.removeprefix(f"{client.store.uri}/"))


SAME: list[Any] = [
    pytest.param({}, True, id="the same"),
    pytest.param({"inputs": {"x": 4}}, False, id="other inputs"),
    pytest.param({"options": LaunchOptions(max_parallelism=1)}, False, id="other options"),
    pytest.param({"target": "small-of-5"}, False, id="another launch plan"),
    pytest.param({"version": "v1"}, False, id="a version is given"),
]


@pytest.mark.parametrize(("changes", "same"), SAME)
async def test_a_repeated_launch_under_the_same_name(
    client: Client, temporal: Temporal, changes: dict[str, Any], same: bool
) -> None:
    first = await client.launch("diamond", inputs={"x": 3}, name="n")
    small.register(client.store, "v2")  # a new latest version changes nothing
    given = {"inputs": {"x": 3}, **changes}
    target = given.pop("target", "diamond")
    if same:
        assert (await client.launch(target, name="n", **given)).workflow_id == first.workflow_id
        assert len(temporal.started) == 1
    else:
        with pytest.raises(AlreadyExists, match="'n'"):
            await client.launch(target, name="n", **given)


async def test_launches_of_two_versions_are_different(client: Client) -> None:
    small.register(client.store, "v2")
    await client.launch("diamond", name="n", version="v1")
    with pytest.raises(AlreadyExists):
        await client.launch("diamond", name="n", version="v2")


async def test_a_name_taken_by_another_program_is_a_conflict(client: Client, temporal: Temporal) -> None:
    temporal.memos["ex:default:development:n"] = {}
    with pytest.raises(AlreadyExists):
        await client.launch("diamond", name="n")
    for content in (5, Payload(metadata={"encoding": b"binary/encrypted"})):
        temporal.memos["ex:default:development:n"] = {CONTENT_MEMO: content}
        with pytest.raises(AlreadyExists):
            await client.launch("diamond", name="n")


@pytest.mark.parametrize(("x", "same"), [(3, True), (4, False)])
async def test_a_name_known_only_to_the_store(client: Client, temporal: Temporal, x: int, same: bool) -> None:
    layout = ExecutionLayout("default", "ex:default:development:n", "run-1")
    record = Execution(
        name="n", project="default", domain="development", phase=Phase.SUCCEEDED, workflow="tests.small.diamond",
        inputs={"x": 3},
    )  # fmt: skip
    client.store.write(layout.record, record.model_dump_json().encode())
    if same:
        await client.launch("diamond", inputs={"x": x}, name="n")
    else:
        with pytest.raises(AlreadyExists):
            await client.launch("diamond", inputs={"x": x}, name="n")
    assert temporal.started == []


BAD: list[Any] = [
    pytest.param("diamond", {"inputs": {"x": object()}}, InputError, "'x'", id="not serialisable"),
    pytest.param("diamond", {"inputs": {"y": object()}}, InputError, "'y'", id="unknown and not serialisable"),
    pytest.param("diamond", {"inputs": {"x": float("nan")}}, InputError, "'x'", id="not a number"),
    pytest.param("moved", {"inputs": {"point": {"x": 1, "z": 2}}}, InputError, "'z'", id="unknown field"),
    pytest.param("moved", {"inputs": {"point": small.Point(1)}}, InputError, "'point'", id="an object by name"),
    pytest.param("total", {"inputs": {"values": ["x" * 3 * 2**20], "first": 1}}, InputError, "values", id="too large, and wrong"),
    pytest.param("read", {"inputs": {"file": "/nowhere/at/all"}}, InputError, "file", id="no such file"),
    pytest.param("nested", {}, InputError, "'x'", id="missing"),
    pytest.param("small-of-7", {"inputs": {"x": 1}}, InputError, "'x'", id="fixed"),
    pytest.param("diamond", {"name": "../x"}, InvalidName, "../x", id="name out of the store"),
    pytest.param("diamond", {"name": ""}, InvalidName, "''", id="empty name"),
    pytest.param("diamond", {"options": LaunchOptions(raw_data_prefix="x")}, InputError, "raw_data_prefix", id="relative"),
    pytest.param("diamand", {}, NotFound, "diamand", id="unknown"),
    pytest.param("diamond", {"labels": {}}, InputError, "'labels'", id="unknown option"),
]


@pytest.mark.parametrize(("target", "given", "error", "message"), BAD)
async def test_an_invalid_launch_is_not_started(
    client: Client, temporal: Temporal, target: str, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        await client.launch(target, **given)
    assert temporal.started == []


@pytest.mark.parametrize("target", [None, 5, print, Path("wf.py")])
async def test_a_target_of_another_type_is_refused(client: Client, target: Any) -> None:
    with pytest.raises(InputError):
        await client.launch(target)


async def test_an_object_with_its_own_arguments(client: Client, temporal: Temporal) -> None:
    await client.launch(small.moved, small.Point(1, 2.0))
    await client.named("typed").launch(small.moved, point=small.Point(1))
    assert [launch["inputs"]["point"] for launch in temporal.started] == [{"x": 1, "y": 2.0}, {"x": 1, "y": 0.0}]


async def test_an_unavailable_server_is_reported(client: Client, temporal: Temporal) -> None:
    temporal.error = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
    with pytest.raises(TemporalUnavailable, match="away"):
        await client.launch("diamond")


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("n", "ex:default:development:n", "ex:default:development:n"),
        ("nightly report/1", "nightly report/1", "nightly report/1"),
        ("team-7", "team-7", "team-7"),
        ("ex:other:production:n", "ex:other:production:n", "ex:other:production:n"),
    ],
)
async def test_find(client: Client, temporal: Temporal, name: str, known: str, found: str) -> None:
    temporal.memos[known] = {}
    assert (await client.find(name)).workflow_id == found


@pytest.mark.parametrize(("name", "workflow_id"), [("n", "ex:default:development:n"), ("a b/c", "a b/c")])
async def test_find_of_a_recorded_execution_lists_nothing(client: Client, name: str, workflow_id: str) -> None:
    record = Execution(name="n", project="default", domain="development", phase=Phase.SUCCEEDED)
    client.store.write(ExecutionLayout("default", workflow_id, "run-1").record, record.model_dump_json().encode())
    assert (await client.find(name)).workflow_id == workflow_id
