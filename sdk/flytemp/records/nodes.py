"""From the engine's rows to the nodes that people see. A row is described in `flytemp_worker.engine.rows`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from flytemp.records.models import AttemptInfo, ErrorInfo, NodeExecution, Phase

Row = dict[str, Any]

# The engine's phases that are not Flyte's, and what a person sees for them.
_SHOWN = {"WAITING": Phase.QUEUED, "READY": Phase.QUEUED, "BACKOFF": Phase.RUNNING, "CANCELLING": Phase.ABORTING}


def nodes_from_rows(plan: dict[str, Any], rows: Iterable[Row]) -> list[NodeExecution]:
    """Every node of the plan, in its order, callers before what they call.

    A sub-workflow's own nodes appear once it has started. ``plan`` is the JSON of `flytemp.spec.plan`.
    """
    known = {row["id"]: row for row in rows}
    return list(_graph_nodes(plan, plan["root"], "", known))


def _graph_nodes(plan: dict[str, Any], graph: str, prefix: str, known: dict[str, Row]) -> Iterator[NodeExecution]:
    for node in plan["graphs"][graph]["nodes"]:
        path = f"{prefix}{node['id']}"
        row = known.get(path)
        yield _node(node, path, row or {"phase": "WAITING"})
        if node["kind"] == "workflow" and row is not None and row["phase"] != "SKIPPED":
            yield from _graph_nodes(plan, node["target"], f"{path}.", known)


def _node(node: dict[str, Any], path: str, row: Row) -> NodeExecution:
    phase = _shown(row["phase"])
    attempt = row.get("attempt", 0)
    error = row.get("error")
    history = [_past_attempt(past) for past in row.get("history", [])]
    if node["kind"] == "task" and attempt and _has_begun(row):
        history.append(_current_attempt(row, phase, error))
    succeeded = phase is Phase.SUCCEEDED
    return NodeExecution(
        id=path,
        name=node["name"],
        kind=node["kind"],
        target=node["target"],
        phase=phase,
        attempts=len(history) if node["kind"] == "task" else attempt,
        started_at=when(row.get("started")),
        finished_at=when(row.get("finished")),
        message=row.get("message"),
        error=None if succeeded or error is None else error_info(error),
        attempt_history=history,
        outputs_ref=f"{path}/{attempt}" if succeeded and node["kind"] == "task" else None,
    )


def _has_begun(row: Row) -> bool:
    """Whether the attempt that the row names has: between two attempts it may name the next one, or still the last."""
    past = row.get("history")
    started = row.get("started_attempt")
    return not past or (started is not None and started >= past[-1]["finished"])


def _current_attempt(row: Row, phase: Phase, error: dict[str, Any] | None) -> AttemptInfo:
    return AttemptInfo(
        attempt=row["attempt"],
        phase=phase,
        tries=row.get("try_", 1),
        started_at=when(row.get("started_attempt")),
        finished_at=when(row.get("finished")),
        error=None if phase is Phase.SUCCEEDED or error is None else error_info(error),
    )


def _past_attempt(past: dict[str, Any]) -> AttemptInfo:
    return AttemptInfo(
        attempt=past["attempt"],
        phase=_shown(past["phase"]),
        tries=past["tries"],
        started_at=when(past.get("started")),
        finished_at=when(past.get("finished")),
        error=error_info(past["error"]) if past.get("error") else None,
    )


def error_info(error: dict[str, Any]) -> ErrorInfo:
    """The engine's error as people see it."""
    return ErrorInfo.model_validate(error)


def _shown(phase: str) -> Phase:
    return _SHOWN.get(phase) or Phase(phase)


def when(milliseconds: int | None) -> datetime | None:
    """A time in UTC from milliseconds since the epoch."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
