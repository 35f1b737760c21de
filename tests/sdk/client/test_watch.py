"""Live views of event streams that end with an error."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionStatus, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode

from flytemp.client.watch import LiveView
from flytemp.records.models import Phase
from flytemp.store import open_store

HISTORY = next((Path(__file__).parents[2] / "replay" / "histories").glob("*diamond-0.json.gz"))


def events() -> list[HistoryEvent]:
    data = json.loads(gzip.decompress(HISTORY.read_bytes()))
    return list(WorkflowHistory.from_json(data["workflow_id"], data["history"]).events)


class Temporal:
    """Fake of a run with ``length`` events. Each stream is one of ``breaks``: its number of events, or its error."""

    namespace = "default"
    data_converter = DataConverter.default

    def __init__(self, length: int, breaks: list[int | Exception]) -> None:
        self.events = events()[:length]
        self.breaks = breaks
        self.streams = 0

    def get_workflow_handle(self, workflow_id: str, run_id: str | None = None) -> Any:
        return SimpleNamespace(describe=self._describe, fetch_history_events=self._fetch)

    async def _describe(self) -> Any:
        info = SimpleNamespace(first_run_id="run-1")
        return SimpleNamespace(
            status=WorkflowExecutionStatus.RUNNING, run_id="run-1", history_length=len(self.events), close_time=None,
            start_time=None, raw_description=SimpleNamespace(workflow_execution_info=info, pending_activities=[]),
        )  # fmt: skip

    async def _fetch(self, **_: Any) -> AsyncIterator[HistoryEvent]:
        self.streams += 1
        end = self.breaks.pop(0) if self.breaks else len(self.events)
        for event in self.events[: end if isinstance(end, int) else 2]:
            yield event
        if isinstance(end, Exception):
            raise end


def view(tmp_path: Path, temporal: Temporal) -> LiveView:
    return LiveView(temporal, open_store(str(tmp_path)), "ex:default:development:one")  # type: ignore[arg-type]


async def test_a_broken_stream_is_opened_again(tmp_path: Path) -> None:
    away = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
    temporal = Temporal(20, [away, 3])
    live = view(tmp_path, temporal)
    shown = [await live.current() for _ in range(3)]
    await live.close()

    assert temporal.streams == 3
    assert [len(execution.nodes) for execution in shown] == [0, 0, 3]
    assert shown[-1].phase is Phase.RUNNING


async def test_an_unreadable_event_raises_its_error(tmp_path: Path) -> None:
    live = view(tmp_path, Temporal(20, [ValueError("odd")]))
    with pytest.raises(ValueError, match="odd"):
        await live.current()
    await live.close()
