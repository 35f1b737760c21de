"""Names for the shell's completion, read straight from a store on this machine.

Completion runs at every press of TAB: it loads no schema and no store library, answers nothing for a store elsewhere,
and nothing when anything is wrong, for there is nobody to tell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from flytemp.errors import FlytempError
from flytemp.layout import entity_folder
from flytemp.names import EntityKind
from flytemp.store.keys import local_path
from flytemp_cli.lookup import Known, gate_names, known_executions, program_of
from flytemp_cli.options import Session, session_of

if TYPE_CHECKING:
    import click

_EVERY_KIND = (EntityKind.LAUNCH_PLAN, EntityKind.WORKFLOW, EntityKind.TASK)

Complete = Callable[["click.Context", "click.Parameter", str], list[CompletionItem[Any]]]


def complete_names(*kinds: EntityKind) -> Complete:
    """Completes registered names of these kinds, of every kind when none is given."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        found = {name: kind.noun for kind in reversed(kinds or _EVERY_KIND) for name, _ in _registered(session_of(ctx), kind)}
        # The last part of a name is a name too; it is offered where it was begun.
        words = {**{name.rpartition(".")[2]: noun for name, noun in found.items()}, **found}
        offered = words if incomplete else found
        return [CompletionItem(word, help=offered[word]) for word in sorted(offered) if word.startswith(incomplete)]

    return complete


def complete_executions(*, running: bool = False) -> Complete:
    """Completes the names of the newest executions; of those that have not ended when they must be ``running``."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        found = [one for one in known_executions(session_of(ctx)) if one.name.startswith(incomplete)]
        return [CompletionItem(one.name, help=one.context.get("workflow")) for one in found if not (running and one.is_over)]

    return complete


def complete_gates(kind: str) -> Complete:
    """Completes the gates of one kind of the execution that was named before."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        execution = _named_execution(ctx)
        if execution is None:
            return []
        found = dict.fromkeys(gate_names(program_of(session_of(ctx), execution), kind))
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]

    return complete


def complete_failed_nodes(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
    """Completes the nodes that failed of the execution that was named before."""
    execution = _named_execution(ctx)
    found = execution.failed_nodes() if execution is not None else []
    return [CompletionItem(node) for node in found if node.startswith(incomplete)]


def _named_execution(ctx: click.Context) -> Known | None:
    name = ctx.params.get("execution")
    return next((one for one in known_executions(session_of(ctx)) if one.name == name), None)


def input_flags(session: Session, name: str) -> list[str]:
    """The flags of the inputs of what ``name`` means, at its latest version."""
    for kind in _EVERY_KIND:
        for known, folder in _registered(session, kind):
            if name in (known, known.rpartition(".")[2]):
                return [f"--{one.replace('_', '-')}" for one in _inputs(_latest(folder), known)]
    return []


def _registered(session: Session, kind: EntityKind) -> Iterator[tuple[str, Path]]:
    """The names of one kind, and where the store is."""
    try:
        settings = session.settings()
        root = local_path(settings.store)
        if root is None:
            return
        folder = Path(root) / entity_folder(kind, settings.project, settings.domain)
        names = sorted(entry.name for entry in folder.iterdir())
    except (OSError, FlytempError):
        return
    for name in names:
        yield name, folder / name


def _latest(folder: Path) -> dict[str, Any]:
    try:
        newest = min(entry.name for entry in (folder / "latest").iterdir())
        document = json.loads((folder / "versions" / f"{newest.partition('-')[2]}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _inputs(document: dict[str, Any], name: str) -> Iterable[str]:
    fixed: dict[str, Any] = {}
    match document.get("kind"):
        case "launch_plan":
            interface, fixed = document["interface"], document["launch_plan"]["fixed_inputs"]
        case "workflow":
            interface = document["workflows"][name]["interface"]
        case "task":
            interface = document["task"]["interface"]
        case _:
            return
    for variable in interface["inputs"]:
        if variable["name"] not in fixed:
            yield variable["name"]
