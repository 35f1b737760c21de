"""Lists of executions from Temporal and the store, with each execution once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flytemp.client.listing import _merged
from flytemp.records.models import ExecutionSummary, Phase

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def summary(workflow_id: str, run_id: str, start: int, end: int | None, phase: Phase = Phase.SUCCEEDED) -> ExecutionSummary:
    """Return a summary; times are in seconds after noon."""
    finished = None if end is None else NOON + timedelta(seconds=end)
    return ExecutionSummary(
        name=workflow_id, project="p", domain="d", phase=phase, workflow_id=workflow_id, run_id=run_id,
        started_at=NOON + timedelta(seconds=start), finished_at=finished,
    )  # fmt: skip


def runs(live: list[ExecutionSummary], recorded: list[ExecutionSummary]) -> list[str]:
    return sorted(found.run_id for found in _merged(live, recorded))


def test_a_record_replaces_its_run() -> None:
    assert runs([summary("a", "last", 5, 10)], [summary("a", "first", 0, 9)]) == ["first"]


def test_a_running_execution_is_listed_without_a_record() -> None:
    assert runs([summary("a", "now", 20, None, Phase.RUNNING)], [summary("a", "before", 0, 9)]) == ["before", "now"]


def test_repeated_executions_under_one_id_are_all_listed() -> None:
    live = [summary("a", "l3", 40, None), summary("a", "l2", 20, 30), summary("a", "l1", 0, 10)]
    recorded = [summary("a", "r2", 20, 29), summary("a", "r1", 0, 9), summary("a", "r0", -50, -40)]
    assert runs(live, recorded) == ["l3", "r0", "r1", "r2"]


def test_a_record_replaces_the_run_that_is_still_open() -> None:
    assert runs([summary("a", "live", 0, None, Phase.RUNNING)], [summary("a", "record", 0, 9)]) == ["record"]


def test_a_record_does_not_replace_other_executions() -> None:
    assert runs([summary("a", "la", 0, 10)], [summary("b", "rb", 0, 9)]) == ["la", "rb"]
    assert runs([summary("a", "terminated", 0, 10, Phase.ABORTED)], []) == ["terminated"]
