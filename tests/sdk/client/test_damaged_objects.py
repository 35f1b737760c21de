"""Damaged objects of the store are reported or left out, and do not break the commands that read others."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from flytemp.client.execution_state import _outputs_of
from flytemp.client.listing import _read_entry
from flytemp.client.logs import LogReader
from flytemp.errors import CorruptData
from flytemp.layout import ExecutionLayout
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore

DAMAGED = [b"", b"{", b"[]", b"5", b"\xff\xfe", b"[" * 100_000]


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path))


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_entry_of_the_index_is_left_out(store: ObjectStore, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    store.write("index/x.json", data)
    with caplog.at_level(logging.WARNING):
        assert _read_entry(store, "index/x.json") is None
    assert store.uri_of("index/x.json") in caplog.text


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_damaged_outputs_are_reported(store: ObjectStore, data: bytes) -> None:
    store.write("executions/outputs.json", data)
    uri = store.uri_of("executions/outputs.json")
    if data == b"[]":
        assert _outputs_of(store, {"outputs_uri": uri}) == {}
        return
    with pytest.raises(CorruptData, match=r"outputs\.json"):
        _outputs_of(store, {"outputs_uri": uri})


@pytest.mark.parametrize("data", [*DAMAGED, b'{"log": 5}'], ids=range(len(DAMAGED) + 1))
def test_damaged_links_to_logs_are_left_out(store: ObjectStore, data: bytes) -> None:
    layout = ExecutionLayout("default", "w", "r")
    store.write(layout.log_chunk("n0", "1", 1, 0), b"text")
    store.write(layout.log_links("n0", "1", 1), data)
    assert [link.url for link in LogReader(store, layout, None, None).links()] == (["5"] if b"5}" in data else [])
