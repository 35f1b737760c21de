"""Shell completion of names, from a store on this machine.

Completion runs at every press of TAB. To be fast, the module reads the files of a local store directly, without schemas
and store libraries. A remote store and errors give no completions.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from flytemp.errors import FlytempError
from flytemp.json_text import read_json
from flytemp.layout import ExecutionLayout, document_key, entity_folder
from flytemp.names import EntityId, EntityKind, name_of_folder
from flytemp.store.keys import local_path
from flytemp_cli.session import Session, session_of

if TYPE_CHECKING:
    import click

_EVERY_KIND = (EntityKind.LAUNCH_PLAN, EntityKind.WORKFLOW, EntityKind.TASK)

Complete = Callable[["click.Context", "click.Parameter", str], list[CompletionItem[Any]]]


def complete_names(*kinds: EntityKind) -> Complete:
    """Complete registered names of the given kinds; all kinds if none is given."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        found = {name: kind.noun for kind in reversed(kinds or _EVERY_KIND) for name, _ in _registered(session_of(ctx), kind)}
        # The last part of a name is a valid name too; it is offered once the user has typed something.
        words = {**{name.rpartition(".")[2]: noun for name, noun in found.items()}, **found}
        offered = words if incomplete else found
        return [CompletionItem(word, help=offered[word]) for word in sorted(offered) if word.startswith(incomplete)]

    return complete


def complete_executions(*, running: bool = False) -> Complete:
    """Complete the names of the newest executions; ``running``: only of executions that have not finished."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        found = [one for one in _stored_executions(session_of(ctx)) if one.name.startswith(incomplete)]
        return [CompletionItem(one.name, help=one.context.get("workflow")) for one in found if not (running and one.is_finished)]

    return complete


def complete_gates(kind: str) -> Complete:
    """Complete the gates of one kind in the execution named on the command line."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        execution = _named_execution(ctx)
        if execution is None:
            return []
        found = dict.fromkeys(_gate_names(_program_of(session_of(ctx), execution), kind))
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]

    return complete


def complete_failed_nodes(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Complete the failed nodes of the execution named on the command line."""
    execution = _named_execution(ctx)
    found = execution.failed_nodes() if execution is not None else []
    return [CompletionItem(node) for node in found if node.startswith(incomplete)]


def _named_execution(ctx: click.Context) -> _StoredExecution | None:
    name = ctx.params.get("execution")
    return next((one for one in _stored_executions(session_of(ctx)) if one.name == name), None)


def input_flags(session: Session, name: str) -> list[str]:
    """Return the input flags of the latest version of the entity ``name``."""
    for kind in _EVERY_KIND:
        for known, folder in _registered(session, kind):
            if name in (known, known.rpartition(".")[2]):
                return [f"--{one.replace('_', '-')}" for one in _inputs(_latest_document(folder), known)]
    return []


def _registered(session: Session, kind: EntityKind) -> Iterator[tuple[str, Path]]:
    """Yield the registered names of one kind and their folders."""
    try:
        settings = session.settings()
        root = local_path(settings.store)
        if root is None:
            return
        folder = Path(root) / entity_folder(kind, settings.project, settings.domain)
        folders = sorted(folder.iterdir())
    except (OSError, FlytempError):
        return
    for each in folders:
        if (name := name_of_folder(each.name)) is not None:
            yield name, each


def _document(path: Path) -> dict[str, Any]:
    """Return the registered document in a file; empty if it is missing. Its digest is not checked."""
    document = _read_json(path).get("document")
    return document if isinstance(document, dict) else {}


def _latest_document(folder: Path) -> dict[str, Any]:
    try:
        newest = min(entry.name for entry in (folder / "latest").iterdir())
        version = newest.split("-", 2)[2]
    except (OSError, ValueError, IndexError):
        return {}
    return _document(folder / "versions" / f"{version}.json")


def _inputs(document: dict[str, Any], name: str) -> Iterable[str]:
    # Stored documents leave out fields that have their default.
    fixed: dict[str, Any] = {}
    match document.get("kind"):
        case "launch_plan":
            interface, fixed = document.get("interface", {}), document["launch_plan"].get("fixed_inputs", {})
        case "workflow":
            interface = document["workflows"][name].get("interface", {})
        case "task":
            interface = document["task"].get("interface", {})
        case _:
            return
    for variable in interface.get("inputs", ()):
        if variable["name"] not in fixed:
            yield variable["name"]


_MAX_EXECUTIONS = 30


@dataclass(frozen=True)
class _StoredExecution:
    """An execution found in the store. ``folder`` belongs to its newest run, ``context`` is its `execution.json`."""

    name: str
    folder: Path
    context: dict[str, Any]

    @property
    def is_finished(self) -> bool:
        return (self.folder / "record.json").exists()

    def failed_nodes(self) -> list[str]:
        """Return the ids of the failed nodes of a finished execution."""
        nodes = _read_json(self.folder / "record.json").get("nodes", [])
        return [node["id"] for node in nodes if node["phase"] in ("FAILED", "TIMED_OUT")]


def _stored_executions(session: Session) -> Iterator[_StoredExecution]:
    """Yield the newest executions of the project and domain; nothing for a remote store or after an error."""
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
            context = _read_json(run / "execution.json")
            # execution.json of a retried run only points to the first run.
            if (context.get("project"), context.get("domain")) == (settings.project, settings.domain):
                yield _StoredExecution(context["execution"], _newest(folder)[0], context)
                break


def _program_of(session: Session, execution: _StoredExecution) -> dict[str, Any]:
    """Return the document of an execution's entity; empty if it is missing."""
    try:
        root = local_path(session.settings().store)
        entity = EntityId.parse(execution.context["spec"])
    except (KeyError, FlytempError):
        return {}
    return _document(Path(root) / document_key(entity)) if root is not None else {}


def _gate_names(document: Any, kind: str) -> Iterator[str]:
    """Yield the names of all gates of one kind in a document."""
    if isinstance(document, dict):
        gate = document.get("gate")
        if document.get("kind") == "gate" and isinstance(gate, dict) and gate.get("kind") == kind:
            yield str(gate.get("name", ""))
        document = list(document.values())
    if isinstance(document, list):
        for item in document:
            yield from _gate_names(item, kind)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = read_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _newest(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        changed = [(entry.stat().st_mtime, entry.path) for entry in entries if entry.is_dir()]
    return [Path(path) for _, path in heapq.nlargest(_MAX_EXECUTIONS, changed)]
