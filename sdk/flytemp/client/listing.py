"""Lists of executions: what Temporal remembers, and what the store remembers beyond it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pydantic import ValidationError
from temporalio.client import WorkflowExecution
from temporalio.service import RPCError

from flytemp.client import describe as describing
from flytemp.errors import CorruptData
from flytemp.layout import index_folder
from flytemp.names import execution_name
from flytemp.records.launch import WORKFLOW_TYPE
from flytemp.records.models import ExecutionSummary, Phase
from flytemp.records.search_attributes import DOMAIN, LAUNCH_PLAN, PROJECT, VERSION, WORKFLOW

if TYPE_CHECKING:
    from flytemp.client.client import Client

_SCANNED = 1_000
"""Entries looked at when a filter is given, before giving up."""


async def executions(
    client: Client, *, limit: int, phase: Phase | None, workflow: str | None
) -> list[ExecutionSummary]:
    """The newest first; each execution once (by workflow id and first run)."""
    scanned = limit if phase is None and workflow is None else _SCANNED
    summaries = await _from_temporal(client, scanned)
    known = {summary.workflow_id for summary in summaries}
    for summary in await asyncio.to_thread(_from_store, client, scanned):
        if summary.workflow_id not in known:
            summaries.append(summary)
    chosen = [s for s in summaries if (phase is None or s.phase is phase) and (workflow is None or _is_of(s, workflow))]
    chosen.sort(key=lambda summary: summary.started_at.timestamp() if summary.started_at else 0.0, reverse=True)
    return chosen[:limit]


async def find_by_name(client: Client, name: str) -> str | None:
    """The workflow id of a listed execution with this name: for ids that are not flytemp's own."""
    for summary in await executions(client, limit=_SCANNED, phase=None, workflow=None):
        if summary.name == name:
            return summary.workflow_id
    return None


def _is_of(summary: ExecutionSummary, workflow: str) -> bool:
    name = summary.workflow or ""
    return name == workflow or name.rpartition(".")[2] == workflow


async def _from_temporal(client: Client, limit: int) -> list[ExecutionSummary]:
    query = f"WorkflowType = '{WORKFLOW_TYPE}'"
    found: list[ExecutionSummary] = []
    try:
        async for item in client.temporal.list_workflows(query, page_size=min(limit, 1000)):
            summary = _summary(item)
            if (summary.project, summary.domain) == (client.settings.project, client.settings.domain):
                found.append(summary)
            if len(found) >= limit:
                break
    except RPCError as error:
        raise describing.unavailable(error) from error
    return found


def _summary(item: WorkflowExecution) -> ExecutionSummary:
    attributes = {pair.key.name: pair.value for pair in item.typed_search_attributes}
    ids = item.id.split(":")
    ours = len(ids) == 4 and ids[0] == "ex"
    return ExecutionSummary(
        name=execution_name(item.id),
        project=str(attributes.get(PROJECT) or (ids[1] if ours else "default")),
        domain=str(attributes.get(DOMAIN) or (ids[2] if ours else "development")),
        phase=describing.phase_of(item.status),
        workflow=attributes.get(WORKFLOW),
        version=attributes.get(VERSION),
        launch_plan=attributes.get(LAUNCH_PLAN),
        started_at=item.start_time,
        finished_at=item.close_time,
        workflow_id=item.id,
        run_id=item.run_id,
    )


def _from_store(client: Client, limit: int) -> list[ExecutionSummary]:
    folder = index_folder(client.temporal.namespace, client.settings.project, client.settings.domain)
    found = []
    for name in client.store.list(folder, limit):
        key = f"{folder}/{name}"
        data = client.store.read_or_none(key)
        if data is None:
            continue
        try:
            found.append(ExecutionSummary.model_validate_json(data))
        except ValidationError as error:
            raise CorruptData(
                f"{client.store.uri_of(key)} is not an entry of the index: {error.error_count()} errors"
            ) from error
    return found
