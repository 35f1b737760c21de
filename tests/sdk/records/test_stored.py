"""Records of executions in the store."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from flytemp.errors import CorruptData
from flytemp.layout import ExecutionLayout
from flytemp.records.models import Execution
from flytemp.records.stored import newest_record, read_context, read_record
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from tests.messages.golden import check_golden, unlocated

LAYOUT = ExecutionLayout("default", "ex:shop:production:one", "run-1")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path))


def test_an_execution_without_objects_has_no_record_and_no_context(store: ObjectStore) -> None:
    assert read_record(store, LAYOUT) is None
    assert read_context(store, LAYOUT) is None


def test_files_of_other_programs_are_not_runs(store: ObjectStore) -> None:
    store.write(f"{LAYOUT.root.rpartition('/')[0]}/.DS_Store", b"")
    assert newest_record(store, "default", LAYOUT.workflow_id) is None


def test_an_object_of_another_form_is_corrupt(store: ObjectStore) -> None:
    store.write(LAYOUT.execution, b"{}")
    store.write(LAYOUT.record, b"[]")
    cases = {"context": partial(read_context, store, LAYOUT), "record": partial(read_record, store, LAYOUT)}
    check_golden("records", {name: unlocated(read, CorruptData) for name, read in cases.items()}, {store.uri: "STORE"})


def test_newest_record_is_the_latest_to_start(store: ObjectStore) -> None:
    assert newest_record(store, "default", LAYOUT.workflow_id) is None
    for run, day in (("run-1", 1), ("run-2", 3), ("run-3", 2)):
        record = Execution.model_validate(
            {"name": run, "project": "p", "domain": "d", "phase": "SUCCEEDED", "started_at": f"2026-01-0{day}T00:00:00Z"}
        )
        store.write(ExecutionLayout("default", LAYOUT.workflow_id, run).record, record.model_dump_json().encode())
    store.write(ExecutionLayout("default", LAYOUT.workflow_id, "run-4").execution, b"{}")
    newest = newest_record(store, "default", LAYOUT.workflow_id)
    assert newest is not None
    assert newest.name == "run-2"
