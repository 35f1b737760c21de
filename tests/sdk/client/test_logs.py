"""Logs: each chunk is read once and in order, also while a task writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from flytemp.client import logs
from flytemp.client.logs import LogReader, read_logs
from flytemp.layout import ExecutionLayout
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore

LAYOUT = ExecutionLayout("default", "ex:default:development:one", "run-1")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path))


def write(store: ObjectStore, node: str, attempt: int, try_: int, chunk: int, text: str) -> None:
    store.write(LAYOUT.log_chunk(node, str(attempt), try_, chunk), text.encode())


def texts(store: ObjectStore, node: str | None = None, attempt: int | None = None) -> list[str]:
    return [chunk.text for chunk in LogReader(store, LAYOUT, node, attempt).new_chunks()]


def test_chunks_are_ordered_by_node_attempt_and_try(store: ObjectStore) -> None:
    for text in ("n10/1/1", "n2/2/1", "n2/1/2", "n2/1/1", "n2.n0/1/1", "report/1/1", "n1/10/1", "n1/9/1"):
        node, attempt, try_ = text.split("/")
        write(store, node, int(attempt), int(try_), 0, text)

    assert texts(store) == ["n1/9/1", "n1/10/1", "n2/1/1", "n2/1/2", "n2/2/1", "n2.n0/1/1", "n10/1/1", "report/1/1"]
    assert texts(store, "n2") == ["n2/1/1", "n2/1/2", "n2/2/1", "n2.n0/1/1"]
    assert texts(store, "n2", 2) == ["n2/2/1"]
    assert texts(store, "n3") == []


def test_each_chunk_is_read_once(store: ObjectStore) -> None:
    reader = LogReader(store, LAYOUT, None, None)
    write(store, "n0", 1, 1, 0, "a")
    assert [chunk.text for chunk in reader.new_chunks()] == ["a"]
    assert reader.new_chunks() == []
    write(store, "n0", 1, 1, 1, "b")
    assert [(chunk.node, chunk.attempt, chunk.try_, chunk.text) for chunk in reader.new_chunks()] == [("n0", 1, 1, "b")]


def test_attempts_after_a_reset_are_read_as_well(store: ObjectStore) -> None:
    for key in ("1", "1-9f3a2c01", "2-9f3a2c01"):
        store.write(LAYOUT.log_chunk("n0", key, 1, 0), key.encode())
    assert texts(store) == ["1", "1-9f3a2c01", "2-9f3a2c01"]
    assert texts(store, "n0", 1) == ["1", "1-9f3a2c01"]


def test_invalid_utf8_is_replaced(store: ObjectStore) -> None:
    store.write(LAYOUT.log_chunk("n0", "1", 1, 0), b"a\xffb")
    assert texts(store) == ["a\ufffdb"]


async def test_follow_reads_until_the_execution_is_closed(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "POLL_SECONDS", 0)
    asked = 0

    async def is_over() -> bool:
        nonlocal asked
        write(store, "n0", 1, 1, asked, f"chunk {asked}")
        asked += 1
        return asked == 3

    reader = LogReader(store, LAYOUT, None, None)
    assert [chunk.text async for chunk in read_logs(reader, is_over, follow=True)] == ["chunk 0", "chunk 1", "chunk 2"]
    assert [chunk.text async for chunk in read_logs(LogReader(store, LAYOUT, None, None), is_over, follow=False)] == [
        "chunk 0",
        "chunk 1",
        "chunk 2",
    ]
    assert asked == 3
