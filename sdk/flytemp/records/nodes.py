"""Nodes of an execution, converted from the engine's rows. `flytemp_worker.engine.snapshot` describes rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from flytemp.names import attempt_key
from flytemp.records.models import AttemptInfo, ErrorInfo, GateAnswer, GateInfo, MapItems, NodeExecution, Phase

Row = dict[str, Any]

# Phases that only the engine has, with the phase to show.
_SHOWN = {"WAITING": Phase.QUEUED, "READY": Phase.QUEUED, "BACKOFF": Phase.RUNNING, "CANCELLING": Phase.ABORTING}


def nodes_from_rows(plan: dict[str, Any], rows: Iterable[Row], dynamics: dict[str, Any] | None = None) -> list[NodeExecution]:
    """Return the nodes of an execution in the order of the plan, callers before the nodes that they call.

    Nodes inside another node appear once the other node has started.

    Args:
        plan: the JSON of `flytemp.spec.plan`.
        rows: the rows of the nodes.
        dynamics: the plans of dynamic tasks by "<node path>/<attempt>". Without its plan, only the nodes of a dynamic task that
            have a row appear.
    """
    return list(_Nodes(plan, {row["id"]: row for row in rows}, dynamics or {}).all())


class _Nodes:
    """Walk over a plan and the rows of its nodes."""

    def __init__(self, plan: dict[str, Any], known: dict[str, Row], dynamics: dict[str, Any]) -> None:
        self._plan, self._known, self._dynamics = plan, known, dynamics
        self._below: dict[str, list[str]] = {}  # paths by the path around them, for nodes without a plan
        for path in known:
            self._below.setdefault(path.rpartition(".")[0], []).append(path)

    def all(self) -> Iterator[NodeExecution]:
        return self._graph(self._plan, self._plan["root"], "")

    def _graph(self, plan: dict[str, Any], graph: str, prefix: str) -> Iterator[NodeExecution]:
        spec = plan["graphs"][graph]
        for node in spec["nodes"]:
            yield from self._node(plan, node, prefix)
        handler = spec.get("on_failure")
        if handler is not None and f"{prefix}{handler['id']}" in self._known:
            yield from self._node(plan, handler, prefix)

    def _node(self, plan: dict[str, Any], node: dict[str, Any], prefix: str) -> Iterator[NodeExecution]:
        path = f"{prefix}{node['id']}"
        row = self._known.get(path)
        yield _node(node, path, row or {"phase": "WAITING"})
        if row is None or row["phase"] == "SKIPPED":
            return
        if node["kind"] == "workflow":
            yield from self._graph(plan, node["target"], f"{path}.")
        elif node["kind"] == "branch":
            yield from self._cases(plan, node, path, row)
        elif node["kind"] == "dynamic":
            made = self._dynamics.get(f"{path}/{_attempt_key(row)}")
            yield from self._graph(made, made["root"], f"{path}.") if made is not None else self._nodes_without_plan(path)
        elif node["kind"] == "map":
            yield from self._items(plan, node, path)

    def _cases(self, plan: dict[str, Any], node: dict[str, Any], path: str, row: Row) -> Iterator[NodeExecution]:
        taken = row.get("taken")
        for index, case in enumerate(node["branch"]["nodes"]):
            case_path = f"{path}.{case['id']}"
            if case_path not in self._known and taken is not None and index != taken:
                self._known[case_path] = {"phase": "SKIPPED", "message": "another case of the conditional was taken"}
            yield from self._node(plan, case, f"{path}.")

    def _items(self, plan: dict[str, Any], node: dict[str, Any], path: str) -> Iterator[NodeExecution]:
        """Yield the started calls of a map by their numbers."""
        item = node["map"]["item"]
        for child in sorted(self._below.get(path, ()), key=_number):
            yield from self._node(plan, {**item, "id": child.rpartition(".")[2]}, f"{path}.")

    def _nodes_without_plan(self, path: str) -> Iterator[NodeExecution]:
        """Yield nodes that are in no known plan, from their rows."""
        for child in sorted(self._below.get(path, ()), key=_number):
            row = self._known[child]
            node = {"kind": row.get("kind", "task"), "name": row.get("name", ""), "target": row.get("target", "")}
            yield _node(node, child, row)
            yield from self._nodes_without_plan(child)


def _number(path: str) -> tuple[str, int, str]:
    """Return a sort key that puts ``n2`` before ``n10``."""
    last = path.rpartition(".")[2]
    letters = last.rstrip("0123456789")
    digits = last[len(letters) :]
    return letters, int(digits) if digits else -1, last


_TASKS = ("task", "dynamic")


def _node(node: dict[str, Any], path: str, row: Row) -> NodeExecution:
    phase = _shown(row["phase"])
    attempt = row.get("attempt", 0)
    error = row.get("error")
    history = [_past_attempt(past) for past in row.get("history", [])]
    is_task = node["kind"] in _TASKS
    if is_task and attempt and _has_begun(row):
        history.append(_current_attempt(row, phase, error))
    succeeded = phase is Phase.SUCCEEDED
    is_stored = node["kind"] == "task" or row.get("stored", False)
    return NodeExecution(
        id=path,
        name=node["name"],
        kind=node["kind"],
        target=node["target"],
        phase=phase,
        attempts=len(history) if is_task else attempt,
        started_at=when(row.get("started")),
        finished_at=when(row.get("finished")),
        message=row.get("message"),
        error=None if succeeded or error is None else error_info(error),
        attempt_history=history,
        outputs_ref=f"{path}/{_attempt_key(row)}" if succeeded and is_stored else None,
        items=_map_items(row) if node["kind"] == "map" else None,
        gate=_gate(node, row) if node["kind"] == "gate" else None,
        child_execution=row.get("execution"),
        lookup=row.get("lookup", ""),
    )


def _attempt_key(row: Row) -> str:
    return attempt_key(row.get("attempt", 1), row.get("epoch", ""))


def _map_items(row: Row) -> MapItems | None:
    if "items" not in row:
        return None
    total = row["items"]
    if "chunks" in row:
        sums = {name: sum(chunk[name] for chunk in row["chunks"]) for name in ("succeeded", "failed", "width")}
        return MapItems(total=total, succeeded=sums["succeeded"], failed=sums["failed"], running=sums["width"])
    succeeded, failed = row.get("counts", (0, 0))
    if row["phase"] == "SUCCEEDED" and "counts" not in row:
        succeeded = total
    return MapItems(total=total, succeeded=succeeded, failed=failed)


def _gate(node: dict[str, Any], row: Row) -> GateInfo | None:
    plan = row.get("gate") or node.get("gate")
    if plan is None:
        return None
    answer = row.get("answer")
    return GateInfo(
        name=plan["name"],
        kind=plan["kind"],
        type=plan.get("type"),
        since=when(row.get("started_attempt")),
        deadline=when(row.get("until")),
        answer=None if answer is None else GateAnswer(**{**answer, "at": when(answer.get("at"))}),
    )


def _has_begun(row: Row) -> bool:
    """Return True if the row's attempt has started. Between two attempts a row names either of them."""
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
    """Return the engine's error as a record."""
    return ErrorInfo.model_validate(error)


def _shown(phase: str) -> Phase:
    return _SHOWN.get(phase) or Phase(phase)


def when(milliseconds: int | None) -> datetime | None:
    """Return the UTC time of ``milliseconds`` since the epoch."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
