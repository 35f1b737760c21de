"""Records, outputs and state pages that an ended execution leaves in the store."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from flytemp.errors import NotFound, StoreError
from flytemp.layout import ExecutionLayout
from flytemp.records.launch import ExecutionContext, LaunchOptions
from flytemp.records.models import Execution, ExecutionSummary, Phase
from flytemp.runtime.invocation import TaskError, TaskResult
from flytemp.spec.pages import to_pages
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp_activities.application_errors import bounded
from flytemp_activities.executions import Executions
from flytemp_activities.record_execution import ExecutionRecorder
from flytemp_activities.state import StatePages
from tests import small

LAYOUT = ExecutionLayout("default", "ex:default:development:one", "run-1")
CLOSED = 1_767_225_600_000
ROWS: list[dict[str, Any]] = [
    {"id": "n0", "phase": "SUCCEEDED", "attempt": 1, "try_": 1, "started": CLOSED - 9, "started_attempt": CLOSED - 9},
    {"id": "n1", "phase": "SKIPPED"},
]
LISTS = "tests.small.list_of"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    opened = open_store(str(tmp_path / "store"))
    small.register(opened)
    return opened


@pytest.fixture
def recorder(store: ObjectStore) -> ExecutionRecorder:
    return ExecutionRecorder(Executions(store))


def launched(store: ObjectStore, workflow: str = "tests.small.diamond") -> None:
    spec = f"wf:default:development:{workflow}:v1"
    context = ExecutionContext(
        execution="one", project="default", domain="development", entity=spec, spec=spec, workflow=workflow, version="v1",
        inputs={"x": 1, "n": 3}, options=LaunchOptions(), labels={"a": "b"}, raw_data_prefix="s3://bucket/data",
        namespace="default", workflow_id=LAYOUT.workflow_id, first_run_id="run-1", started_at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    store.write(LAYOUT.execution, context.model_dump_json().encode())


async def close(recorder: ExecutionRecorder, phase: str = "SUCCEEDED", **given: Any) -> dict[str, Any]:
    argument = {
        "execution": LAYOUT.root, "phase": phase, "outputs": None, "error": None, "reason": None, "warnings": [],
        "closed": CLOSED, "rows": to_pages(ROWS)[0], **given,
    }  # fmt: skip
    result: dict[str, Any] = await ActivityEnvironment().run(recorder.record_execution, argument)
    return result


def record(store: ObjectStore) -> Execution:
    return Execution.model_validate_json(store.read(LAYOUT.record))


async def test_success_writes_the_record_and_the_index(recorder: ExecutionRecorder, store: ObjectStore) -> None:
    launched(store)
    result = await close(recorder, outputs={"o0": {"literal": 19}}, warnings=["w"])

    assert result == {"phase": "SUCCEEDED", "execution": "one", "outputs": {"o0": 19}}
    execution = record(store)
    assert (execution.phase, execution.outputs, execution.warnings) == (Phase.SUCCEEDED, {"o0": 19}, ["w"])
    assert [node.phase for node in execution.nodes] == [Phase.SUCCEEDED, Phase.SKIPPED, Phase.QUEUED]
    assert execution.raw_data_uri == f"s3://bucket/data/{LAYOUT.root.partition('/')[2]}"
    entry = store.read(LAYOUT.index_entry("default", "development", CLOSED))
    assert ExecutionSummary.model_validate_json(entry).workflow_id == LAYOUT.workflow_id


async def test_recording_twice_writes_the_same(recorder: ExecutionRecorder, store: ObjectStore) -> None:
    launched(store)
    first = await close(recorder, outputs={"o0": {"literal": 19}})
    data = store.read(LAYOUT.record)

    assert await close(recorder, outputs={"o0": {"literal": 19}}) == first
    assert store.read(LAYOUT.record) == data
    assert len(store.list("index/default/default/development")) == 1


async def test_large_outputs_are_in_the_store(recorder: ExecutionRecorder, store: ObjectStore) -> None:
    launched(store, LISTS)
    values = list(range(30_000))
    result = TaskResult(status="succeeded", outputs={"o0": values})
    store.create(LAYOUT.result("n0", "1"), result.model_dump_json().encode())
    closed = await close(recorder, outputs={"o0": {"result": "n0/1", "output": "o0"}}, rows=to_pages(ROWS[:1])[0])

    assert "outputs" not in closed
    assert json.loads(store.read(closed["outputs_uri"].removeprefix(f"{store.uri}/"))) == {"o0": values}
    assert record(store).outputs == {"o0": values}


@pytest.mark.parametrize(
    ("stored", "outputs", "code"),
    [
        pytest.param(None, {"o0": {"result": "n0/1", "output": "o0"}}, "not-found", id="the result is gone"),
        pytest.param(b"{", {"o0": {"result": "n0/1", "output": "o0"}}, "corrupt-data", id="the result is corrupt"),
        pytest.param(b'{"outputs": {}}', {"o0": {"result": "n0/1", "output": "o0"}}, "corrupt-data", id="no such output"),
        pytest.param(None, {"o0": {"literal": "x" * (3 * 2**20)}}, "LimitExceeded", id="too large"),
        pytest.param(None, {"o0": {"execution_input": "x", "path": ["deeper"]}}, "wrong-type", id="a path that does not exist"),
    ],
)
async def test_unreadable_outputs_fail_the_execution(
    recorder: ExecutionRecorder, store: ObjectStore, stored: bytes | None, outputs: dict[str, Any], code: str
) -> None:
    launched(store)
    if stored is not None:
        store.write(LAYOUT.result("n0", "1"), stored)
    result = await close(recorder, outputs=outputs)

    assert (result["phase"], result["error"]["code"]) == ("FAILED", code)
    assert result["error"]["retryable"] is False
    execution = record(store)
    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert execution.error.code == code
    assert execution.outputs is None


async def test_error_of_the_store_is_retryable(
    recorder: ExecutionRecorder, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(store)

    def refuses(key: str, data: bytes) -> None:
        raise StoreError("full")

    monkeypatch.setattr(store, "write", refuses)
    with pytest.raises(ApplicationError) as caught:
        await close(recorder, outputs={"o0": {"literal": 1}})
    assert caught.value.type == StoreError.code
    assert not caught.value.non_retryable


@pytest.mark.parametrize("more", ["", "2 calls of the map failed, more than may; the last: "])
async def test_recorded_error_has_the_whole_message_of_the_task(
    recorder: ExecutionRecorder, store: ObjectStore, more: str
) -> None:
    launched(store)
    whole = "no good " * 1_000
    message = f"{more}{bounded(whole)}"
    error = {"kind": "USER", "code": "ValueError", "message": message, "retryable": True, "node": "n0", "task": "t", "attempt": 1}
    full = TaskError(kind="USER", code="ValueError", message=whole, traceback="x" * 100_000)
    store.create(LAYOUT.result("n0", "1"), TaskResult(status="failed", error=full).model_dump_json().encode())
    result = await close(recorder, "FAILED", error=error)

    assert result == {"phase": "FAILED", "execution": "one", "error": error}
    recorded = record(store).error
    assert recorded is not None
    assert (recorded.message, recorded.traceback) == (message if more else whole, full.traceback)


async def test_corrupt_result_does_not_prevent_the_record(recorder: ExecutionRecorder, store: ObjectStore) -> None:
    launched(store)
    store.write(LAYOUT.result("n0", "1"), b"{")
    await close(recorder, "FAILED", error={"kind": "USER", "code": "E", "message": "m", "node": "n0", "attempt": 1})

    recorded = record(store).error
    assert recorded is not None
    assert recorded.traceback


@pytest.mark.parametrize("reason", ["enough", None])
async def test_cancellation_is_recorded_with_its_reason(
    recorder: ExecutionRecorder, store: ObjectStore, reason: str | None
) -> None:
    launched(store)
    assert await close(recorder, "ABORTED", reason=reason) == {"phase": "ABORTED", "execution": "one"}
    recorded = record(store).error
    assert recorded is not None
    assert recorded.code == "Cancelled"
    assert reason is None or reason in recorded.message


async def test_rows_are_read_from_saved_pages(recorder: ExecutionRecorder, store: ObjectStore) -> None:
    launched(store)
    pages = StatePages(store)
    text = to_pages(ROWS)[0]
    for number, part in enumerate((text[:50], text[50:])):
        saved = {"execution": LAYOUT.root, "generation": 3, "page": number, "text": part}
        await ActivityEnvironment().run(pages.save_state_page, saved)
    saved_rows = {"generation": 3, "count": 2}
    argument = {"execution": LAYOUT.root, "phase": "FAILED", "closed": CLOSED, "rows_pages": saved_rows}
    await ActivityEnvironment().run(recorder.record_execution, argument)

    assert [node.phase for node in record(store).nodes] == [Phase.SUCCEEDED, Phase.SKIPPED, Phase.QUEUED]
    load = {"execution": LAYOUT.root, "generation": 3, "page": 1}
    assert (await ActivityEnvironment().run(pages.load_state_page, load))["text"] == text[50:]


async def test_state_that_is_loaded_twice_shows_a_reset(store: ObjectStore) -> None:
    pages = StatePages(store)
    saved = {"execution": LAYOUT.root, "generation": 1, "page": 0, "text": "state"}
    load = {"execution": LAYOUT.root, "generation": 1, "page": 0}

    async def is_reset(run_id: str) -> bool:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, workflow_run_id=run_id)
        return bool((await environment.run(pages.load_state_page, load)).get("is_reset", False))

    await ActivityEnvironment().run(pages.save_state_page, saved)
    assert not await is_reset("a")
    assert not await is_reset("a"), "a retry of the activity is not a reset"
    assert await is_reset("b")
    await ActivityEnvironment().run(pages.save_state_page, saved)
    assert not await is_reset("c"), "a retried execution saves states of the same generations again"


async def test_plan_page_is_saved_and_read(store: ObjectStore) -> None:
    pages = StatePages(store)
    await ActivityEnvironment().run(pages.save_plan_page, {"execution": LAYOUT.root, "page": 0, "text": "plan"})
    assert await ActivityEnvironment().run(pages.load_plan_page, {"execution": LAYOUT.root, "page": 0}) == "plan"
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(pages.load_plan_page, {"execution": LAYOUT.root, "page": 1})
    assert caught.value.type == NotFound.code
    assert caught.value.non_retryable


def test_cached_execution_needs_no_store(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    launched(store)
    executions = Executions(store)
    assert executions.known(LAYOUT.root) is None
    loaded = executions.load(LAYOUT.root)
    monkeypatch.setattr(store, "read_or_none", None)
    assert executions.known(LAYOUT.root) == loaded
