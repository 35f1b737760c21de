"""Nodes from rows, both of the engine and read from a history."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp.records.models import AttemptInfo, Execution, Phase
from flytemp.records.nodes import nodes_from_rows, when

PLAN: dict[str, Any] = {
    "root": "main",
    "graphs": {
        "main": {
            "policy": "fail-immediately",
            "nodes": [
                {"id": "n0", "kind": "task", "target": "m.t", "name": "t"},
                {"id": "n1", "kind": "workflow", "target": "sub", "name": "sub"},
            ],
        },
        "sub": {"policy": "fail-immediately", "nodes": [{"id": "n0", "kind": "task", "target": "m.t", "name": "t"}]},
    },
}
ERROR = {"kind": "USER", "code": "E", "message": "m", "retryable": True}
PAST = {"attempt": 1, "tries": 1, "phase": "FAILED", "started": 10, "finished": 20, "error": ERROR}


def attempts(row: dict[str, Any]) -> list[AttemptInfo]:
    return nodes_from_rows(PLAN, [{"id": "n0", **row}])[0].attempt_history


@pytest.mark.parametrize(
    ("row", "phases"),
    [
        pytest.param({"phase": "READY"}, [], id="not begun"),
        pytest.param({"phase": "RUNNING", "attempt": 1, "started_attempt": 10}, [Phase.RUNNING], id="runs"),
        pytest.param({"phase": "BACKOFF", "attempt": 1, "try_": 2, "started_attempt": 10}, [Phase.RUNNING], id="lost"),
        pytest.param(
            {"phase": "BACKOFF", "attempt": 2, "started_attempt": 10, "history": [PAST]}, [Phase.FAILED], id="between, engine"
        ),
        pytest.param(
            {"phase": "BACKOFF", "attempt": 1, "started_attempt": 10, "history": [PAST]}, [Phase.FAILED], id="between, reader"
        ),
        pytest.param(
            {"phase": "ABORTED", "attempt": 2, "started_attempt": 10, "history": [PAST]}, [Phase.FAILED], id="stopped between"
        ),
        pytest.param(
            {"phase": "BACKOFF", "attempt": 2, "try_": 2, "started_attempt": 30, "history": [PAST]},
            [Phase.FAILED, Phase.RUNNING],
            id="lost in the second",
        ),
        pytest.param(
            {"phase": "SUCCEEDED", "attempt": 2, "started_attempt": 30, "history": [PAST], "error": ERROR},
            [Phase.FAILED, Phase.SUCCEEDED],
            id="succeeded",
        ),
        pytest.param(
            {"phase": "TIMED_OUT", "attempt": 1, "started_attempt": 10, "error": {**ERROR, "code": "Timeout"}},
            [Phase.TIMED_OUT],
            id="timed out",
        ),
    ],
)  # fmt: skip
def test_attempts_of_a_row(row: dict[str, Any], phases: list[Phase]) -> None:
    assert [attempt.phase for attempt in attempts(row)] == phases


def test_nodes_of_a_sub_workflow_appear_once_it_has_started() -> None:
    assert [node.id for node in nodes_from_rows(PLAN, [])] == ["n0", "n1"]
    assert [node.id for node in nodes_from_rows(PLAN, [{"id": "n1", "phase": "SKIPPED"}])] == ["n0", "n1"]
    began = nodes_from_rows(PLAN, [{"id": "n1", "phase": "RUNNING", "attempt": 1}])
    assert [node.id for node in began] == ["n0", "n1", "n1.n0"]


def test_a_succeeded_node_has_no_error() -> None:
    node = nodes_from_rows(PLAN, [{"id": "n0", "phase": "SUCCEEDED", "attempt": 1, "error": ERROR}])[0]
    assert node.error is None
    assert node.outputs_ref == "n0/1"


def test_unknown_fields_of_a_record_are_ignored() -> None:
    data = {"name": "a", "project": "p", "domain": "d", "phase": "SUCCEEDED", "news": 1, "schema_version": 9}
    assert Execution.model_validate(data).schema_version == 9


def test_times_are_in_utc() -> None:
    assert when(None) is None
    moment = when(1_767_225_600_123)
    assert moment is not None
    assert moment.isoformat() == "2026-01-01T00:00:00.123000+00:00"
