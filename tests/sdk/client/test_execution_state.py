"""State of executions without a record: rejected launches, other stores, runs that have just begun."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.converter import DataConverter

from flytemp.client.execution_state import _error_of, _outputs_of, _read_missing, _unresolved
from flytemp.client.history import HistoryReader
from flytemp.errors import CorruptData
from flytemp.layout import ExecutionLayout
from flytemp.protocol.workflow import Continuation, ExecutionSettings, Resolved
from flytemp.records.models import Phase
from flytemp.spec.pages import to_pages
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore

LAYOUT = ExecutionLayout("default", "ex:shop:production:one", "run-1")
PLAN = {"root": "w", "graphs": {"w": {"nodes": [{"id": "n0", "kind": "task", "target": "m.t", "name": "t"}]}}}


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path))


@pytest.mark.parametrize(
    ("launch", "expected"),
    [
        (None, ("shop", "production", None, None)),
        ({}, ("shop", "production", None, None)),
        ({"launch_plan": "a", "inputs": {"x": 1}, "project": "p", "domain": "d"}, ("p", "d", "a", {"x": 1})),
        ({"launch_plan": 5, "inputs": [1], "project": {}, "domain": None, "version": 3}, ("shop", "production", None, None)),
    ],
)
def test_an_invalid_launch_can_be_described(launch: Any, expected: tuple[Any, ...]) -> None:
    reader = HistoryReader(DataConverter.default)
    reader.launch = launch
    description: Any = SimpleNamespace(start_time=None)
    shown = _unresolved(reader, LAYOUT, description, Phase.FAILED, [])
    assert (shown.project, shown.domain, shown.launch_plan, shown.inputs) == expected


@pytest.mark.parametrize(
    ("result", "outputs"),
    [
        ({"execution": "one", "outputs": {"o0": 1}}, {"o0": 1}),
        ({"execution": "one", "outputs": {}}, {}),
        ({"execution": "one", "outputs_uri": "STORE/outputs.json"}, {"o0": 2}),
        ({"execution": "one", "outputs_uri": "STORE/gone.json"}, None),
        ({"execution": "one", "outputs_uri": "s3://elsewhere/outputs.json"}, None),
        ({"execution": "one", "outputs": 5}, None),
        (None, None),
    ],
)
def test_outputs_of_a_run_without_a_record(store: ObjectStore, result: Any, outputs: Any) -> None:
    store.write("outputs.json", json.dumps({"o0": 2}).encode())
    if isinstance(result, dict) and "outputs_uri" in result:
        result = {**result, "outputs_uri": result["outputs_uri"].replace("STORE", store.uri)}
    assert _outputs_of(store, result) == outputs


def test_the_innermost_failure_is_the_error() -> None:
    why = Failure(message="the store is gone", application_failure_info=ApplicationFailureInfo(type="not-found"))
    around = Failure(message="Activity task failed", cause=why)
    around.activity_failure_info.SetInParent()

    assert (_error_of(around).code, _error_of(around).message) == ("not-found", "the store is gone")
    assert _error_of(why).message == "the store is gone"
    assert _error_of(Failure(message="odd")).code == "Failed"


def reader_of(pages: int, state_pages: int = 0) -> HistoryReader:
    reader = HistoryReader(DataConverter.default)
    reader.resolved = Resolved(LAYOUT.root, "e", "p", "d", "w", "v", ExecutionSettings("q"), pages, inputs={})
    reader.continued = Continuation(reader.resolved, 1, state_pages, "run") if state_pages else None
    return reader


def test_a_continued_run_without_events_is_read_from_the_store(store: ObjectStore) -> None:
    reader = reader_of(2, state_pages=1)
    text = to_pages(PLAN)[0]
    store.write(LAYOUT.plan_page(0), text[:20].encode())
    _read_missing(store, LAYOUT, reader)
    assert reader.lacks_plan, "a page is missing"
    assert reader.lacks_state

    store.write(LAYOUT.plan_page(1), text[20:].encode())
    store.write(LAYOUT.state_page(1, 0), to_pages({"rows": [{"id": "n0", "phase": "SUCCEEDED"}]})[0].encode())
    _read_missing(store, LAYOUT, reader)
    assert reader.plan == PLAN
    assert reader.rows["n0"]["phase"] == "SUCCEEDED"


def test_a_corrupt_context_is_an_error(store: ObjectStore) -> None:
    store.write(LAYOUT.execution, b"{}")
    with pytest.raises(CorruptData):
        _read_missing(store, LAYOUT, HistoryReader(DataConverter.default))
