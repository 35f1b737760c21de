"""Journal of node states in the workflow's memo, so that a client can read them from the history without a worker.

The events of activities show the state of tasks. The states of branches, maps, dynamic nodes, gates and launch plan nodes are
written as rows (see `flytemp_worker.engine.snapshot`) when they change, a few at a time. An execution of tasks and sub-workflows
alone needs no journal.
"""

from __future__ import annotations

import json
from typing import Any

from temporalio import workflow

from flytemp.protocol.workflow import ROWS_MEMO, WAITING_MEMO, RowsMemo, WaitingGateMemo
from flytemp_worker.engine import snapshot
from flytemp_worker.engine.machine import Engine

MAX_ROWS = 200
MAX_ROWS_BYTES = 64 * 1024
MAX_GATES = 20
"""Maximum number and size of the rows, and maximum number of the waiting gates, of one memo."""


class Journal:
    """Writer of the rows and gates that changed since the last call.

    Args:
        execution: the workflow id of the execution if this workflow runs a chunk of it.
    """

    def __init__(self, execution: str | None) -> None:
        self._execution = execution
        self._waiting: list[str] = []
        self._paused: Any = None

    def write(self, engine: Engine) -> None:
        """Write at most one event to the history, and none if nothing changed."""
        updates: dict[str, Any] = {}
        changed = engine.log.changed
        if changed or engine.paused != self._paused:
            updates[ROWS_MEMO] = self._rows(engine, changed).to_json()
        waiting = list(engine.waiting)
        if waiting != self._waiting:
            self._waiting = waiting
            updates[WAITING_MEMO] = [self._gate(engine, path).to_json() for path in waiting[:MAX_GATES]]
        if updates:
            workflow.upsert_memo(updates)

    def _rows(self, engine: Engine, changed: dict[str, Any]) -> RowsMemo:
        rows: list[dict[str, Any]] = []
        size = 0
        while changed and len(rows) < MAX_ROWS and size < MAX_ROWS_BYTES:
            row = snapshot.public_row(changed.pop(next(iter(changed))))
            rows.append(row)
            size += len(json.dumps(row))
        if engine.paused == self._paused:
            return RowsMemo(rows)
        self._paused = engine.paused
        return RowsMemo(rows, paused=engine.paused)

    def _gate(self, engine: Engine, path: str) -> WaitingGateMemo:
        node = engine.waiting[path]
        gate = node.plan.gate or {}
        return WaitingGateMemo(path, gate["name"], gate["kind"], gate["type"], node.state.started_attempt, self._execution)
