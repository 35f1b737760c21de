"""Live view from recorded histories, read event by event. Every prefix of a history is a view that a user may get."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter

from flytemp.client.history import HistoryReader
from flytemp.protocol.activities import RECORD_EXECUTION, RunTaskArgument
from flytemp.protocol.workflow import Continuation, ExecutionSettings, Resolved
from flytemp.records.models import NodeExecution, Phase
from flytemp.records.nodes import nodes_from_rows
from flytemp.spec.pages import from_pages, to_pages

HISTORIES = sorted((Path(__file__).parents[2] / "replay" / "histories").glob("*.json.gz"))
_RANK = {Phase.QUEUED: 0, Phase.RUNNING: 1, Phase.ABORTING: 1}


def events_of(file: Path) -> list[HistoryEvent]:
    data = json.loads(gzip.decompress(file.read_bytes()))
    return list(WorkflowHistory.from_json(data["workflow_id"], data["history"]).events)


def named(scenario: str) -> list[HistoryEvent]:
    return events_of(next(file for file in HISTORIES if scenario in file.name))


def view(reader: HistoryReader, closed: bool) -> list[NodeExecution]:
    return nodes_from_rows(reader.plan, reader.settled_rows(closed)) if reader.plan is not None else []


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.name.removesuffix(".json.gz"))
async def test_every_prefix_is_a_valid_view_and_final_phases_stay(file: Path) -> None:
    reader = HistoryReader(DataConverter.default)
    before: dict[str, NodeExecution] = {}
    events = events_of(file)
    step = 1 + len(events) // 300  # the cost of a view grows with the length of the history
    for number, event in enumerate(events, 1):
        await reader.add_event(event)
        if number % step and number < len(events):
            continue
        now = {node.id: node for node in view(reader, closed=False)}
        assert reader.events == event.event_id
        assert before.keys() <= now.keys()
        for identifier, old in before.items():
            new = now[identifier]
            retried = reader.resolved is not None and reader.resolved.retry_nodes is not None and new.attempts > old.attempts
            assert not old.phase.is_final or new.phase is old.phase or retried
            assert old.phase.is_final or _RANK.get(new.phase, 2) >= _RANK[old.phase]
            assert new.attempts >= old.attempts
            assert old.started_at in (None, new.started_at)
        before = now
        for node in view(reader, closed=True):
            assert node.phase.is_final or node.kind == "workflow" or node.phase is Phase.QUEUED
            assert node.phase is not Phase.RUNNING


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.name.removesuffix(".json.gz"))
async def test_the_whole_history_gives_the_rows_of_the_engine(file: Path) -> None:
    reader = HistoryReader(DataConverter.default)
    recorded: Any = None
    for event in events_of(file):
        await reader.add_event(event)
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == RECORD_EXECUTION.name:
            recorded = (await DataConverter.default.decode(list(scheduled.input.payloads)))[0]
    if recorded is None:
        assert file.name[:-8].rpartition("-")[2].isdigit(), "only a run that continued as new records no execution"
        return

    assert reader.plan is not None
    expected = nodes_from_rows(reader.plan, from_pages([recorded["rows"]]))
    assert [summary(node) for node in view(reader, closed=True)] == [summary(node) for node in expected]


def summary(node: NodeExecution) -> tuple[Any, ...]:
    error = node.error and (node.error.code, node.error.message, node.error.node, node.error.attempt)
    attempts = [(past.attempt, past.phase, past.tries) for past in node.attempt_history] if node.kind == "task" else []
    return node.id, node.phase, attempts, error if node.kind == "task" else None


async def test_a_launch_before_it_is_resolved() -> None:
    reader = HistoryReader(DataConverter.default)
    await reader.add_event(named("diamond")[0])
    assert reader.launch is not None
    assert reader.launch["inputs"] == {"x": 3}
    assert reader.resolved is None
    assert reader.settled_rows(closed=True) == []


@pytest.mark.parametrize(
    "argument",
    [None, [], "diamond", 5, {"continued": 5}, {"continued": {"resolved": {}}}, {"launch_plan": {"a": 1}, "inputs": 3}],
)
async def test_an_invalid_launch_argument_is_ignored(argument: Any) -> None:
    event = named("diamond")[0]
    attributes = event.workflow_execution_started_event_attributes
    del attributes.input.payloads[:]
    attributes.input.payloads.extend(await DataConverter.default.encode([argument]))
    reader = HistoryReader(DataConverter.default)
    await reader.add_event(event)

    assert reader.continued is None
    assert reader.launch == (argument if isinstance(argument, dict) else None)


async def test_a_launch_without_an_input() -> None:
    event = named("diamond")[0]
    del event.workflow_execution_started_event_attributes.input.payloads[:]
    reader = HistoryReader(DataConverter.default)
    await reader.add_event(event)
    assert reader.launch is None


RUN = RunTaskArgument("r", "n0", "w", "m.t", 1, 1, {})
PLAN = {"root": "w", "graphs": {"w": {"nodes": [{"id": "n0", "kind": "task", "target": "m.t", "name": "t", "retries": 1}]}}}


def started(reader: HistoryReader, at: int, **changes: Any) -> None:
    reader._start(replace(RUN, **changes), at)


def begun(max_system_tries: int = 3) -> HistoryReader:
    reader = HistoryReader(DataConverter.default)
    settings = ExecutionSettings("q", max_system_tries=max_system_tries)
    reader.resolved = Resolved("r", "e", "p", "d", "w", "v", settings, 1, inputs={})
    reader.set_plan(to_pages(PLAN))
    return reader


USER: dict[str, Any] = {"kind": "USER", "code": "ValueError", "message": "m", "retryable": True}
TIMED_OUT: dict[str, Any] = {**USER, "code": "Timeout"}
SYSTEM: dict[str, Any] = {"kind": "SYSTEM", "code": "Lost", "message": "m", "retryable": True}


@pytest.mark.parametrize(
    ("errors", "phase", "past"),
    [
        pytest.param([(1, 1, USER)], Phase.RUNNING, 1, id="an attempt is left"),
        pytest.param([(1, 1, USER), (2, 1, USER)], Phase.FAILED, 2, id="none is left"),
        pytest.param([(1, 1, {**USER, "retryable": False})], Phase.FAILED, 1, id="not retryable"),
        pytest.param([(1, 1, TIMED_OUT), (2, 1, TIMED_OUT)], Phase.TIMED_OUT, 2, id="timed out"),
        pytest.param([(1, 1, {**USER, "code": "Lost"})], Phase.RUNNING, 1, id="the user's own Lost"),
        pytest.param([(1, 1, SYSTEM), (1, 2, SYSTEM)], Phase.RUNNING, 1, id="lost twice"),
        pytest.param([(1, 1, SYSTEM), (1, 2, SYSTEM), (1, 3, SYSTEM)], Phase.FAILED, 1, id="lost too often"),
        pytest.param([(1, 1, {**SYSTEM, "retryable": False})], Phase.FAILED, 1, id="the platform gives up"),
    ],
)  # fmt: skip
def test_failures_give_the_phases_of_the_engine(errors: list[tuple[int, int, Any]], phase: Phase, past: int) -> None:
    reader = begun()
    for at, (attempt, try_, error) in enumerate(errors, 1):
        started(reader, 10 * at, attempt=attempt, try_=try_)
        reader._fail(f"n0@{attempt}.{try_}", error, 10 * at + 5)
    node = view(reader, closed=False)[0]
    assert (node.phase, node.attempts) == (phase, past)


def test_a_try_that_is_scheduled_again_keeps_its_start() -> None:
    reader = begun()
    started(reader, 10)
    started(reader, 99, resumed=True)
    started_at = view(reader, closed=False)[0].attempt_history[0].started_at
    assert started_at is not None
    assert started_at.timestamp() == 0.01


def test_events_of_a_run_override_the_state_it_began_with() -> None:
    reader = begun()
    assert reader.resolved is not None
    reader.continued = Continuation(reader.resolved, 1, 1, "run")
    started(reader, 50, attempt=2)
    assert reader.lacks_state
    rows = [{"id": "n0", "phase": "RUNNING", "attempt": 1}, {"id": "n1", "phase": "SUCCEEDED"}]
    reader.set_initial_state(to_pages({"rows": rows}))
    assert not reader.lacks_state
    assert reader.rows["n0"]["attempt"] == 2
    assert reader.rows["n1"]["phase"] == "SUCCEEDED"
    reader.set_initial_state(to_pages({"rows": [{"id": "n1", "phase": "FAILED"}]}))
    assert reader.rows["n1"]["phase"] == "SUCCEEDED"
