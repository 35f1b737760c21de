"""Resolution of launches: inputs, options, place and version, and refusals."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from flytemp.errors import CorruptData, InputError, InvalidName, NotFound
from flytemp.layout import ExecutionLayout
from flytemp.protocol.search_attributes import KEYWORD_LISTS, KEYWORDS
from flytemp.protocol.workflow import ExecutionSettings, Resolved
from flytemp.records.launch import ExecutionContext
from flytemp.spec.pages import from_pages
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp_activities.executions import Executions
from flytemp_activities.resolve import LaunchResolver
from tests import small
from tests.messages.golden import Case, check_golden

KNOWN = {
    **dict.fromkeys(KEYWORDS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
    **dict.fromkeys(KEYWORD_LISTS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST),
}
LAYOUT = ExecutionLayout("default", "ex:default:development:one", "run-1")


class Namespace:
    """Stand-in for a Temporal client that lists search attributes."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes = attributes
        self.refuses = False
        self.asked = 0
        self.namespace = "default"
        self.operator_service = SimpleNamespace(list_search_attributes=self._list)

    async def _list(self, request: Any) -> Any:
        self.asked += 1
        if self.refuses:
            raise RPCError("denied", RPCStatusCode.PERMISSION_DENIED, b"")
        return SimpleNamespace(custom_attributes=self.attributes)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    opened = open_store(str(tmp_path / "store"))
    small.register(opened)
    return opened


@pytest.fixture
def namespace() -> Namespace:
    return Namespace(dict(KNOWN))


@pytest.fixture
def resolver(store: ObjectStore, namespace: Namespace) -> LaunchResolver:
    return LaunchResolver(Executions(store), namespace, ExecutionSettings(task_queue="q"), store.uri_of("data"))  # type: ignore[arg-type]


async def resolved(resolver: LaunchResolver, launch: Any, workflow_id: str = LAYOUT.workflow_id) -> dict[str, Any]:
    argument = {
        "launch": launch,
        "namespace": "default",
        "workflow_id": workflow_id,
        "first_run_id": "run-1",
        "started_at": "2026-01-01T00:00:00+00:00",
    }
    return asdict(Resolved.from_json(await ActivityEnvironment().run(resolver.resolve, argument)))


@pytest.mark.parametrize(
    ("launch", "inputs"),
    [
        pytest.param({"launch_plan": "diamond"}, {"x": 1}, id="signature default"),
        pytest.param({"launch_plan": "diamond", "inputs": {"x": 3}}, {"x": 3}, id="given"),
        pytest.param({"launch_plan": "small-of-5"}, {"x": 5}, id="launch plan default"),
        pytest.param({"launch_plan": "small-of-7"}, {"x": 7}, id="fixed"),
        pytest.param({"launch_plan": "wf:default:development:tests.small.diamond"}, {"x": 1}, id="URN"),
        pytest.param({"launch_plan": "diamond", "version": "v1"}, {"x": 1}, id="version"),
        pytest.param(
            {"launch_plan": "moved", "inputs": {"point": {"x": 1, "y": 2}}}, {"point": {"x": 1, "y": 2.0}}, id="int for float"
        ),
        pytest.param({"launch_plan": "diamond", "inputs": {"x": 2**63 - 1}}, {"x": 2**63 - 1}, id="largest integer"),
    ],
)
async def test_inputs_are_merged_and_checked(resolver: LaunchResolver, launch: dict[str, Any], inputs: dict[str, Any]) -> None:
    assert (await resolved(resolver, launch))["inputs"] == inputs


BAD_LAUNCHES: list[Any] = [
    pytest.param({}, "launch_plan", id="empty"),
    pytest.param({"launch_plan": 5}, "launch_plan", id="a number as a name"),
    pytest.param({"launch_plan": "diamond", "inputs": [1]}, "inputs", id="inputs as a list"),
    pytest.param({"launch_plan": "diamond", "input": {}}, "input", id="unknown field"),
    pytest.param({"launch_plan": "diamond", "continued": {"resolved": {}}}, "continued", id="continued by a starter"),
    pytest.param({"launch_plan": "diamond", "options": {"parallel": 3}}, "options.parallel", id="unknown option"),
    pytest.param({"launch_plan": "diamond", "options": {"max_parallelism": -1}}, "max_parallelism", id="negative"),
    pytest.param({"launch_plan": "diamond", "options": {"max_parallelism": "3"}}, "max_parallelism", id="number as text"),
    pytest.param({"launch_plan": "diamond", "options": {"max_parallelism": 2.5}}, "max_parallelism", id="a fraction"),
    pytest.param({"launch_plan": "diamond", "options": {"max_parallelism": True}}, "max_parallelism", id="true"),
    pytest.param({"launch_plan": "diamond", "options": {"labels": {"a": 1}}}, "options.labels.a", id="label no string"),
    pytest.param({"launch_plan": "diamond", "options": {"labels": ["a"]}}, "options.labels", id="labels a list"),
    pytest.param({"launch_plan": "diamond", "options": {"labels": {"a": "\ud800"}}}, "\\ud800", id="no Unicode"),
    pytest.param({"launch_plan": "diamond", "options": {"raw_data_prefix": "../x"}}, "raw_data_prefix", id="relative prefix"),
    pytest.param({"launch_plan": "diamond", "options": 3}, "options", id="options a number"),
    pytest.param({"launch_plan": "../../etc/passwd"}, "../../etc/passwd", id="name out of the store"),
    pytest.param({"launch_plan": "wf:default:development:../x"}, "'../x'", id="URN out of the store"),
    pytest.param({"launch_plan": "wf:" + "a:" * 9}, "'wf:a:", id="no URN"),
    pytest.param({"launch_plan": "diamond", "version": "../1"}, "'../1'", id="version out of the store"),
    pytest.param({"launch_plan": "diamond", "version": "v9"}, "v9", id="unknown version"),
    pytest.param({"launch_plan": "diamond", "project": "../x"}, "'../x'", id="project out of the store"),
    pytest.param({"launch_plan": "diamond", "domain": "A B"}, "'A B'", id="bad domain"),
    pytest.param({"launch_plan": "diamond", "inputs": {"x": 2**63}}, "'x'", id="too large an integer"),
    pytest.param({"launch_plan": "diamond", "inputs": {"x": "3"}}, "'x'", id="wrong type"),
    pytest.param({"launch_plan": "diamond", "inputs": {"y": 3}}, "'y'", id="unknown input"),
    pytest.param({"launch_plan": "small-of-7", "inputs": {"x": 3}}, "small-of-7", id="fixed input"),
    pytest.param({"launch_plan": "nested"}, "'x'", id="missing input"),
    pytest.param({"launch_plan": "nested", "inputs_uri": "file:///etc/passwd"}, "inputs_uri", id="another store"),
    pytest.param("diamond", "input", id="no object"),
]


@pytest.mark.parametrize(("launch", "name"), BAD_LAUNCHES)
async def test_bad_launch_fails_without_retry(resolver: LaunchResolver, store: ObjectStore, launch: Any, name: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        await resolved(resolver, launch)

    assert name in caught.value.message
    assert caught.value.type in {InputError.code, InvalidName.code, NotFound.code}
    assert caught.value.non_retryable
    assert caught.value.details[0]["kind"] == "USER"
    assert not store.exists(LAYOUT.execution)


async def test_texts_of_bad_launches(resolver: LaunchResolver, store: ObjectStore) -> None:
    cases: dict[str, Case] = {}
    for bad in BAD_LAUNCHES:
        with pytest.raises(ApplicationError) as caught:
            await resolved(resolver, bad.values[0])
        if not caught.value.message.startswith(("invalid launch:", "the launch holds")):  # the rest is a text of pydantic
            cases[bad.id] = partial(str, caught.value.message)
    check_golden("launches", cases, {store.uri: "<store>"})


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[1]",
        b'{"x": ' + b"1" * 5000 + b"}",
        b'{"x": ' + b"[" * 100_000 + b"}",
        b'{"x": "three"}',
    ],
)
async def test_malformed_inputs_in_the_store_are_refused(resolver: LaunchResolver, store: ObjectStore, data: bytes) -> None:
    store.write("uploads/inputs.json", data)
    with pytest.raises(ApplicationError) as caught:
        await resolved(resolver, {"launch_plan": "nested", "inputs_uri": store.uri_of("uploads/inputs.json")})
    assert caught.value.type == InputError.code
    assert caught.value.non_retryable


@pytest.mark.parametrize("key", ["../outside.json", "uploads/../../x", "uploads//x", "nowhere.json"])
async def test_inputs_outside_the_store_are_refused(resolver: LaunchResolver, store: ObjectStore, key: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        await resolved(resolver, {"launch_plan": "nested", "inputs_uri": f"{store.uri}/{key}"})
    assert caught.value.non_retryable


async def test_inputs_are_read_from_the_store(resolver: LaunchResolver, store: ObjectStore) -> None:
    store.write("uploads/a/inputs.json", json.dumps({"x": 3}).encode())
    launch = {"launch_plan": "nested", "inputs_uri": store.uri_of("uploads/a/inputs.json")}
    assert (await resolved(resolver, launch))["inputs"] == {"x": 3}


async def test_large_inputs_stay_in_the_store(resolver: LaunchResolver, store: ObjectStore) -> None:
    values = list(range(5000))
    found = await resolved(resolver, {"launch_plan": "total", "inputs": {"values": values, "first": 1}})

    assert found["inputs"] is None
    assert len(json.dumps(found)) < 20_000
    context = ExecutionContext.model_validate_json(store.read(LAYOUT.execution))
    assert context.inputs == {"values": values, "first": 1}


async def test_repeated_resolution_returns_the_first_decision(resolver: LaunchResolver, store: ObjectStore) -> None:
    first = await resolved(resolver, {"launch_plan": "diamond", "inputs": {"x": 3}})
    small.register(store, "v2")
    again = await resolved(resolver, {"launch_plan": "diamond", "inputs": {"x": 3}})

    assert first == again
    assert first["version"] == "v1"
    assert (await resolved(resolver, {"launch_plan": "diamond"}, "another"))["version"] == "v2"


async def test_corrupt_context_fails_without_retry(resolver: LaunchResolver, store: ObjectStore) -> None:
    store.write(LAYOUT.execution, b'{"execution": 5}')
    with pytest.raises(ApplicationError) as caught:
        await resolved(resolver, {"launch_plan": "diamond"})
    assert caught.value.type == CorruptData.code
    assert caught.value.non_retryable


@pytest.mark.parametrize(
    ("workflow_id", "launch", "place"),
    [
        ("ex:default:development:one", {}, ("default", "development")),
        ("nightly/report", {}, ("default", "development")),
        ("ex:Not Ours:at all:x", {}, ("default", "development")),
        ("ex:other:production:x", {"project": "default", "domain": "development"}, ("default", "development")),
    ],
)
async def test_project_and_domain_come_from_the_launch_or_the_workflow_id(
    resolver: LaunchResolver, workflow_id: str, launch: dict[str, str], place: tuple[str, str]
) -> None:
    found = await resolved(resolver, {"launch_plan": "diamond", **launch}, workflow_id)
    assert (found["project"], found["domain"]) == place


async def test_launch_plan_is_searched_in_the_project_and_domain_of_the_workflow_id(resolver: LaunchResolver) -> None:
    with pytest.raises(ApplicationError, match="other/production"):
        await resolved(resolver, {"launch_plan": "diamond"}, "ex:other:production:x")


async def test_options_of_the_launch_take_precedence_over_the_launch_plan(resolver: LaunchResolver, store: ObjectStore) -> None:
    plain = await resolved(resolver, {"launch_plan": "small-of-5"})
    options = {"labels": {"b": "c"}, "max_parallelism": 0}
    own = await resolved(resolver, {"launch_plan": "small-of-5", "options": options}, "own")

    assert (plain["labels"], plain["settings"]["max_parallelism"]) == ({"team": "a"}, 2)
    assert (own["labels"], own["settings"]["max_parallelism"]) == ({"b": "c"}, 0)


async def test_labels_too_long_for_a_search_attribute_are_only_recorded(resolver: LaunchResolver, store: ObjectStore) -> None:
    labels = {"team": "a", "long": "x" * 300, **{f"n{number}": "y" * 200 for number in range(20)}}
    found = await resolved(resolver, {"launch_plan": "diamond", "options": {"labels": labels}})

    assert "long" not in found["labels"]
    assert len(json.dumps([f"{key}={value}" for key, value in found["labels"].items()])) < 2048
    assert [warning for warning in found["warnings"] if "too long to search for" in warning]
    assert ExecutionContext.model_validate_json(store.read(LAYOUT.execution)).labels == labels


@pytest.mark.parametrize(
    ("attributes", "usable"),
    [
        pytest.param(KNOWN, True, id="all"),
        pytest.param({}, False, id="none"),
        pytest.param({**KNOWN, KEYWORDS[0]: IndexedValueType.INDEXED_VALUE_TYPE_TEXT}, False, id="another type"),
    ],
)
async def test_search_attributes_are_used_where_the_namespace_has_them(
    resolver: LaunchResolver, namespace: Namespace, attributes: dict[str, Any], usable: bool
) -> None:
    namespace.attributes = attributes
    found = await resolved(resolver, {"launch_plan": "diamond"})

    assert found["search_attributes"] is usable
    assert len([warning for warning in found["warnings"] if "flytemp setup" in warning]) == (0 if usable else 1)


async def test_only_the_presence_of_search_attributes_is_cached(resolver: LaunchResolver, namespace: Namespace) -> None:
    namespace.refuses = True
    assert not (await resolved(resolver, {"launch_plan": "diamond"}, "a"))["search_attributes"]
    namespace.refuses = False
    assert (await resolved(resolver, {"launch_plan": "diamond"}, "b"))["search_attributes"]
    assert (await resolved(resolver, {"launch_plan": "diamond"}, "c"))["search_attributes"]
    assert namespace.asked == 2


async def test_plan_is_returned_in_pages(resolver: LaunchResolver) -> None:
    found = await resolved(resolver, {"launch_plan": "add", "inputs": {"a": 1, "b": 2}})
    plan = from_pages([found["plan"]])

    assert found["plan_pages"] == 1
    assert [node["kind"] for node in plan["graphs"][plan["root"]]["nodes"]] == ["task"]
