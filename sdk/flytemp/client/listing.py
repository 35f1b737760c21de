"""Lists of executions, from Temporal and from the records of executions that Temporal no longer keeps."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError
from temporalio.client import WorkflowExecution
from temporalio.service import RPCError

from flytemp.layout import index_folder
from flytemp.names import execution_name
from flytemp.protocol.search_attributes import DOMAIN, LAUNCH_PLAN, PROJECT, VERSION, WORKFLOW
from flytemp.protocol.workflow import WORKFLOW_TYPE
from flytemp.records.launch import project_and_domain
from flytemp.records.models import ExecutionSummary, Phase
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.workflows import phase_of, unavailable

if TYPE_CHECKING:
    from flytemp.client.client import Client

logger = logging.getLogger(__name__)

_SCANNED = 1_000
"""Maximum number of entries that are searched if a filter is given."""

_READERS = 16

_STATUSES = {
    Phase.SUCCEEDED: "'Completed'",
    Phase.FAILED: "'Failed'",
    Phase.ABORTED: "'Canceled', 'Terminated'",
    Phase.TIMED_OUT: "'TimedOut'",
    Phase.RUNNING: "'Running'",
}


async def executions(
    client: Client, *, limit: int, phase: Phase | None, workflow: str | None
) -> list[ExecutionSummary]:
    """Return executions of the client's project and domain, newest first.

    Args:
        client: the client.
        limit: the maximum number of executions.
        phase: return only executions in this phase.
        workflow: return only executions of the workflow with this name, or this last part of its name.

    Raises:
        TemporalUnavailable: Temporal does not answer.
        StoreError: the store cannot be read. An entry of its index that is damaged is left out, with a warning in the log.
    """
    scanned = limit if phase is None and workflow is None else _SCANNED
    live = await _from_temporal(client, scanned, phase)
    recorded = await asyncio.to_thread(_from_store, client, scanned)
    found = [s for s in _merged(live, recorded) if phase in (None, s.phase) and (workflow is None or _is_named(s, workflow))]
    found.sort(key=lambda summary: summary.started_at.timestamp() if summary.started_at else 0.0, reverse=True)
    return found[:limit]


def _merged(live: list[ExecutionSummary], recorded: list[ExecutionSummary]) -> list[ExecutionSummary]:
    """Return all records, and the executions listed by Temporal that have no record.

    A record belongs to a listed run if the execution ended while that run was open: Temporal lists the last run of an
    execution, and a record describes all its runs.
    """
    runs: dict[str, list[ExecutionSummary]] = {}
    for summary in live:
        runs.setdefault(summary.workflow_id, []).append(summary)
    replaced: set[str] = set()
    for record in recorded:
        replaced |= {run.run_id for run in runs.get(record.workflow_id, []) if _spans(run, record.finished_at)}
    return [*recorded, *(summary for summary in live if summary.run_id not in replaced)]


def _spans(run: ExecutionSummary, moment: datetime | None) -> bool:
    if moment is None or run.started_at is None or run.started_at > moment:
        return False
    return run.finished_at is None or moment <= run.finished_at


async def find_by_name(client: Client, name: str) -> str | None:
    """Return the workflow id of a listed execution with this name, or None. Other programs choose their own workflow ids."""
    for summary in await executions(client, limit=_SCANNED, phase=None, workflow=None):
        if summary.name == name:
            return summary.workflow_id
    return None


def _is_named(summary: ExecutionSummary, workflow: str) -> bool:
    name = summary.workflow or ""
    return name == workflow or name.rpartition(".")[2] == workflow


async def _from_temporal(client: Client, limit: int, phase: Phase | None) -> list[ExecutionSummary]:
    query = f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus != 'ContinuedAsNew'"
    if phase is not None and phase in _STATUSES:
        query += f" AND ExecutionStatus IN ({_STATUSES[phase]})"
    found: list[ExecutionSummary] = []
    try:
        async for item in client.temporal.list_workflows(query, page_size=min(limit, 1000)):
            summary = _summary(item)
            if (summary.project, summary.domain) == (client.settings.project, client.settings.domain):
                found.append(summary)
            if len(found) >= limit:
                break
    except RPCError as error:
        raise unavailable(error) from error
    return found


def _summary(item: WorkflowExecution) -> ExecutionSummary:
    attributes = {pair.key.name: pair.value for pair in item.typed_search_attributes}
    project, domain = project_and_domain(item.id)
    return ExecutionSummary(
        name=execution_name(item.id),
        project=str(attributes.get(PROJECT) or project),
        domain=str(attributes.get(DOMAIN) or domain),
        phase=phase_of(item.status),
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
    keys = [f"{folder}/{name}" for name in client.store.list(folder, limit)]
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(lambda key: _read_entry(client.store, key), keys)
        return [summary for summary in found if summary is not None]


def _read_entry(store: ObjectStore, key: str) -> ExecutionSummary | None:
    data = store.read_or_none(key)
    if data is None:
        return None
    try:
        return ExecutionSummary.model_validate_json(data)
    except ValidationError as error:
        logger.warning("%s is damaged and left out: %s", store.uri_of(key), error.errors()[0]["msg"])
        return None
