"""`flytemp list executions|waiting|workflows|tasks|launch-plans`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from flytemp.names import EntityKind
from flytemp_cli.lazy_imports import Command, Entry, LazyGroup
from flytemp_cli.output import columns
from flytemp_cli.session import Session, pass_session
from flytemp_cli.style import Style, glyph, one_line

if TYPE_CHECKING:
    from flytemp.client.waiting_gates import WaitingGate
    from flytemp.records.models import ExecutionSummary

_HERE = "flytemp_cli.commands.list"
_PHASES = ("QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")

command = LazyGroup(
    name="list",
    entries={
        "executions": Entry(f"{_HERE}:executions", "List executions, newest first"),
        "waiting": Entry(f"{_HERE}:waiting", "List the gates that wait for an answer"),
        "workflows": Entry(f"{_HERE}:workflows", "List registered workflows and their latest versions"),
        "tasks": Entry(f"{_HERE}:tasks", "List registered tasks and their latest versions"),
        "launch-plans": Entry(f"{_HERE}:launch_plans", "List registered launch plans and their latest versions"),
    },
    aliases={
        **{name.removesuffix("s"): name for name in ("executions", "workflows", "tasks", "launch-plans")},
        "launchplans": "launch-plans",
    },
    help="List executions, waiting gates and registered entities of one project and domain.",
)


@click.command("executions", cls=Command)
@click.option("--phase", type=click.Choice(_PHASES, case_sensitive=False), help="Only executions in this phase")
@click.option("--workflow", metavar="NAME", help="Only executions of this workflow")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="Maximum number")
@pass_session
def executions(session: Session, phase: str | None, workflow: str | None, limit: int) -> None:
    """List executions, newest first.

    \b
    Examples:
      flytemp list executions --phase failed
      flytemp list executions --workflow my_wf --limit 10 -o name
    """
    found = asyncio.run(_find(session, phase, workflow, limit))
    output = session.output()
    output.data(found, table=lambda style: _execution_table(found, style), names=[one.name for one in found])
    if len(found) == limit and output.is_table:
        output.hint(f"these are the newest {limit}; --limit shows more")
    if not found and output.is_table:
        output.note("no executions")


async def _find(session: Session, phase: str | None, workflow: str | None, limit: int) -> list[ExecutionSummary]:
    from flytemp.client.client import Client
    from flytemp.records.models import Phase

    client = await Client.connect(session.settings())
    try:
        return await client.executions(limit=limit, phase=Phase(phase) if phase else None, workflow=workflow)
    finally:
        await client.close()


def _execution_table(found: list[ExecutionSummary], style: Style) -> list[str]:
    from flytemp_cli.formatting import elapsed_text, time_text, utc_now

    now = utc_now()
    rows = [
        [
            one.name,
            one.workflow or one.launch_plan or "",
            one.version or "",
            style.phase(one.phase.value, f"{glyph(one.phase.value)} {one.phase.value}"),
            time_text(one.started_at),
            elapsed_text(one.started_at, one.finished_at, now),
        ]
        for one in found
    ]
    return columns(["NAME", "WORKFLOW", "VERSION", "PHASE", "STARTED", "DURATION"], rows, style) if rows else []


@click.command("waiting", cls=Command)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="Maximum number")
@pass_session
def waiting(session: Session, limit: int) -> None:
    """List the gates that wait for an approval or a value in running executions, newest first.

    With -o name, each line contains an execution and a gate: the arguments of `flytemp approve`.

    \b
    Examples:
      flytemp list waiting
      flytemp list waiting -o json
    """
    found = asyncio.run(_find_waiting(session, limit))
    output = session.output()
    output.data(found, table=lambda style: _waiting_table(found, style), names=[f"{one.execution} {one.gate}" for one in found])
    if not output.is_table:
        return
    if not found:
        output.note("no waiting gates")
    for kind, command in (("approve", "approve"), ("input", "set-input")):
        first = next((one for one in found if one.kind == kind), None)
        if first is not None:
            value = " VALUE" if kind == "input" else ""
            output.hint(
                f"`flytemp {command} {first.execution} {first.gate}{value}` answers the first one waiting for an {_ANSWERS[kind]}"
            )


_ANSWERS = {"approve": "approval", "input": "input"}


async def _find_waiting(session: Session, limit: int) -> list[WaitingGate]:
    from flytemp.client.client import Client

    client = await Client.connect(session.settings())
    try:
        return await client.waiting_gates(limit=limit)
    finally:
        await client.close()


def _waiting_table(found: list[WaitingGate], style: Style) -> list[str]:
    from flytemp_cli.formatting import elapsed_text, literal_type_text, utc_now

    now = utc_now()
    rows = [
        [
            one_line(one.execution),
            one_line(one.gate),
            "an approval" if one.kind == "approve" else literal_type_text(one.type),
            one.node,
            elapsed_text(one.since, None, now),
        ]
        for one in found
    ]
    return columns(["EXECUTION", "GATE", "WAITS FOR", "NODE", "FOR"], rows, style) if rows else []


def _entities(kind: EntityKind) -> click.Command:
    noun = f"{kind.noun}s"

    @click.command(kind.folder, cls=Command, help=f"List the registered {noun} and their latest versions.")
    @pass_session
    def list_entities(session: Session) -> None:
        from flytemp.registry import Registry
        from flytemp.store import open_store
        from flytemp_cli.formatting import time_text

        settings = session.settings()
        found = Registry(open_store(settings.store)).list(kind, settings.project, settings.domain)
        output = session.output()
        value = [{"name": one.name, "version": one.version, "registered_at": one.registered_at.isoformat()} for one in found]
        rows = [[one.name, one.version, time_text(one.registered_at)] for one in found]
        output.data(
            value,
            table=lambda style: columns(["NAME", "VERSION", "REGISTERED"], rows, style) if rows else [],
            names=[one.name for one in found],
        )
        if not found and output.is_table:
            output.note(f"no {noun} in {settings.project}/{settings.domain}")

    return list_entities


workflows = _entities(EntityKind.WORKFLOW)
tasks = _entities(EntityKind.TASK)
launch_plans = _entities(EntityKind.LAUNCH_PLAN)
