"""Executions in a store on this machine, for the shell's completion: read as they lie, without schema or server."""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flytemp.errors import FlytempError
from flytemp.layout import ExecutionLayout, document_key
from flytemp.names import EntityId
from flytemp.store.keys import local_path
from flytemp_cli.options import Session

NEWEST = 30
"""Executions looked at: more would be no help at a prompt."""


@dataclass(frozen=True)
class Known:
    """An execution that a worker has begun. ``folder`` is of its newest run, ``context`` is its `execution.json`."""

    name: str
    folder: Path
    context: dict[str, Any]

    @property
    def is_over(self) -> bool:
        return (self.folder / "record.json").exists()

    def failed_nodes(self) -> list[str]:
        """Nodes that failed, of an execution that is over."""
        nodes = read_json(self.folder / "record.json").get("nodes", [])
        return [node["id"] for node in nodes if node["phase"] in ("FAILED", "TIMED_OUT")]


def known_executions(session: Session) -> Iterator[Known]:
    """The newest executions of the project and domain; none for a store elsewhere, or when anything is wrong."""
    try:
        settings = session.settings()
        root = local_path(settings.store)
        if root is None:
            return
        any_run = ExecutionLayout(settings.namespace, "x", "x")
        folders = _newest((Path(root) / any_run.root).parent.parent)
    except (OSError, FlytempError):
        return
    for folder in folders:
        for run in _newest(folder):
            context = read_json(run / "execution.json")
            # A run that is a retry only points to the first one's.
            if (context.get("project"), context.get("domain")) == (settings.project, settings.domain):
                yield Known(context["execution"], _newest(folder)[0], context)
                break


def program_of(session: Session, execution: Known) -> dict[str, Any]:
    """The document that an execution runs; empty when it is not there."""
    try:
        root = local_path(session.settings().store)
        entity = EntityId.parse(execution.context["spec"])
    except (KeyError, FlytempError):
        return {}
    return read_json(Path(root) / document_key(entity)) if root is not None else {}


def gate_names(document: Any, kind: str) -> Iterator[str]:
    """The names of a program's gates of one kind, wherever they are."""
    if isinstance(document, dict):
        gate = document.get("gate")
        if document.get("kind") == "gate" and isinstance(gate, dict) and gate.get("kind") == kind:
            yield gate["name"]
        document = list(document.values())
    if isinstance(document, list):
        for item in document:
            yield from gate_names(item, kind)


def read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _newest(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        changed = [(entry.stat().st_mtime, entry.path) for entry in entries if entry.is_dir()]
    return [Path(path) for _, path in heapq.nlargest(NEWEST, changed)]
