"""What a history does not tell by itself, written into it as the workflow's memo: a reader needs no worker.

Activities tell where tasks stand. Where branches, maps, dynamics, gates and launch plans stand, each change says: the
rows of nodes that changed (see `flytemp_worker.engine.snapshot.told`), a few at a time. Plans of tasks and sub-workflows alone
have no journal: their histories tell all.
"""

from __future__ import annotations

import json
from typing import Any

from temporalio import workflow

from flytemp_worker.engine import Engine, snapshot

ROWS = "flytemp.rows"
WAITING = "flytemp.waiting"

_MOST_ROWS = 200
_MOST_BYTES = 64 * 1024
_SHOWN_GATES = 20


class Journal:
    """Writes what changed since it last did. ``execution`` is the workflow id of that which a part of a map is of."""

    def __init__(self, execution: str | None) -> None:
        self._execution = execution
        self._waiting: list[str] = []
        self._paused: Any = None

    def write(self, engine: Engine) -> None:
        """At most one event of history, and none where nothing changed."""
        updates: dict[str, Any] = {}
        changed = engine.ledger.changed
        if changed or engine.paused != self._paused:
            updates[ROWS] = self._rows(engine, changed)
        waiting = list(engine.waiting)
        if waiting != self._waiting:
            self._waiting = waiting
            updates[WAITING] = [self._gate(engine, path) for path in waiting[:_SHOWN_GATES]]
        if updates:
            workflow.upsert_memo(updates)

    def _rows(self, engine: Engine, changed: dict[str, Any]) -> dict[str, Any]:
        written: list[dict[str, Any]] = []
        size = 0
        while changed and len(written) < _MOST_ROWS and size < _MOST_BYTES:
            row = snapshot.told(changed.pop(next(iter(changed))))
            written.append(row)
            size += len(json.dumps(row))
        data: dict[str, Any] = {"rows": written}
        if engine.paused != self._paused:
            self._paused = engine.paused
            data["paused"] = engine.paused
        return data


    def _gate(self, engine: Engine, path: str) -> dict[str, Any]:
        node = engine.waiting[path]
        gate = node.plan.gate or {}
        told = {"node": path, "gate": gate["name"], "kind": gate["kind"], "type": gate["type"], "since": node.started_attempt}
        return told if self._execution is None else {**told, "execution": self._execution}
