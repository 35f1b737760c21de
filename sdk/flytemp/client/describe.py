"""An execution as it is now: from its record when it closed, else from Temporal, truthfully in every case."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.client.history import HistoryReader
from flytemp.errors import CorruptData, NotFound, TemporalUnavailable
from flytemp.layout import ExecutionLayout
from flytemp.names import DEFAULT_DOMAIN, DEFAULT_PROJECT, execution_name
from flytemp.records.launch import ExecutionContext
from flytemp.records.models import ErrorInfo, Execution, NodeExecution, Phase
from flytemp.records.nodes import nodes_from_rows
from flytemp.store.object_store import ObjectStore

_PHASES = {
    WorkflowExecutionStatus.RUNNING: Phase.RUNNING,
    WorkflowExecutionStatus.COMPLETED: Phase.SUCCEEDED,
    WorkflowExecutionStatus.FAILED: Phase.FAILED,
    WorkflowExecutionStatus.CANCELED: Phase.ABORTED,
    WorkflowExecutionStatus.TERMINATED: Phase.ABORTED,
    WorkflowExecutionStatus.TIMED_OUT: Phase.TIMED_OUT,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: Phase.RUNNING,
}


def phase_of(status: WorkflowExecutionStatus | None) -> Phase:
    """The phase that a Temporal status stands for."""
    return _PHASES.get(status, Phase.UNDEFINED) if status is not None else Phase.UNDEFINED


def first_run_id(description: WorkflowExecutionDescription) -> str:
    """The first run of the chain of continued runs: what records are keyed by."""
    return description.raw_description.workflow_execution_info.first_run_id or description.run_id


async def describe(temporal: TemporalClient, store: ObjectStore, workflow_id: str) -> Execution:
    """The execution of ``workflow_id``: its latest run.

    Raises:
        NotFound: neither Temporal nor the store knows it.
        TemporalUnavailable: Temporal does not answer.
    """
    description = await describe_workflow(temporal, workflow_id)
    if description is None:
        record = await asyncio.to_thread(newest_record, store, temporal.namespace, workflow_id)
        if record is None:
            raise NotFound(
                f"there is no execution {execution_name(workflow_id)!r}",
                hint="flytemp list executions shows what there is",
            )
        return record
    layout = ExecutionLayout(temporal.namespace, workflow_id, first_run_id(description))
    if description.status is not WorkflowExecutionStatus.RUNNING:
        recorded = await asyncio.to_thread(read_record, store, layout)
        if recorded is not None:
            return recorded
    reader = await read_history(temporal, workflow_id, description.run_id)
    return await assemble(temporal, store, layout, description, reader)


async def describe_workflow(temporal: TemporalClient, workflow_id: str) -> WorkflowExecutionDescription | None:
    """Temporal's description, or None when it does not know the id."""
    try:
        return await temporal.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise unavailable(error) from error


def unavailable(error: RPCError) -> TemporalUnavailable:
    return TemporalUnavailable(
        f"Temporal answered {error.status.name}: {error.message}", hint="is the server running? flytemp dev starts one"
    )


def read_record(store: ObjectStore, layout: ExecutionLayout) -> Execution | None:
    """The record of a closed execution, or None when there is none (yet)."""
    data = store.read_or_none(layout.record)
    if data is None:
        return None
    try:
        return Execution.model_validate_json(data)
    except ValidationError as error:
        raise CorruptData(
            f"{store.uri_of(layout.record)} is not an execution's record: {error.error_count()} errors"
        ) from error


def newest_record(store: ObjectStore, namespace: str, workflow_id: str) -> Execution | None:
    """The newest record of an execution that Temporal has forgotten."""
    any_run = ExecutionLayout(namespace, workflow_id, "x")
    folder = any_run.root.rpartition("/")[0]
    records = [read_record(store, ExecutionLayout(namespace, workflow_id, run)) for run in store.list(folder)]
    found = [record for record in records if record is not None]
    return max(found, key=lambda record: record.started_at or datetime.min.replace(tzinfo=UTC), default=None)


async def assemble(
    temporal: TemporalClient,
    store: ObjectStore,
    layout: ExecutionLayout,
    description: WorkflowExecutionDescription,
    reader: HistoryReader,
) -> Execution:
    """The execution from Temporal's description and what ``reader`` has read of its run's history."""
    phase = phase_of(description.status)
    closed = phase.is_final
    rows = reader.settled_rows(closed)
    nodes = nodes_from_rows(reader.plan, rows) if reader.plan is not None else []
    if not closed:
        _apply_pending(nodes, description)
    if phase is Phase.RUNNING:
        phase = _stopping_phase(reader, nodes)
    context = await asyncio.to_thread(_read_context, store, layout)
    execution = _frame(reader, context, layout, description, phase, nodes)
    execution.metadata_uri = store.uri_of(layout.root)
    if closed:
        await _add_end(temporal, execution, description)
    return execution


async def read_history(temporal: TemporalClient, workflow_id: str, run_id: str) -> HistoryReader:
    """The state that the history of one run tells."""
    reader = HistoryReader(temporal.data_converter)
    handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
    async for event in handle.fetch_history_events():
        await reader.feed(event)
    return reader


def _stopping_phase(reader: HistoryReader, nodes: list[NodeExecution]) -> Phase:
    if reader.cancel_requested:
        return Phase.ABORTING
    if reader.resolved is None:
        return Phase.QUEUED
    fail_immediately = reader.plan is None or reader.plan["graphs"][reader.plan["root"]]["policy"] == "fail-immediately"
    failed = any(node.phase in (Phase.FAILED, Phase.TIMED_OUT) for node in nodes)
    return Phase.FAILING if failed and fail_immediately else Phase.RUNNING


def _apply_pending(nodes: list[NodeExecution], description: WorkflowExecutionDescription) -> None:
    """What history does not tell: which tasks a worker has taken, and what it last said of them."""
    by_path = {node.id: node for node in nodes}
    for pending in description.raw_description.pending_activities:
        node = by_path.get(pending.activity_id.partition("@")[0])
        if node is None or node.phase is not Phase.RUNNING:
            continue
        if pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
            node.phase = Phase.QUEUED
            node.message = "waits for a worker to take it"
            if pending.last_failure.message:
                node.message = f"is taken up again: {pending.last_failure.message}"[:500]
        elif pending.HasField("heartbeat_details") and pending.heartbeat_details.payloads:
            detail = _detail(pending.heartbeat_details.payloads[0].data)
            if detail.get("phase") == "queued":
                node.phase = Phase.QUEUED
                node.message = "waits for a free slot"


def _detail(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:  # a team's own codec may have encrypted it
        return {}
    return value if isinstance(value, dict) else {}


def _read_context(store: ObjectStore, layout: ExecutionLayout) -> ExecutionContext | None:
    data = store.read_or_none(layout.execution)
    return None if data is None else ExecutionContext.model_validate_json(data)


def _frame(
    reader: HistoryReader,
    context: ExecutionContext | None,
    layout: ExecutionLayout,
    description: WorkflowExecutionDescription,
    phase: Phase,
    nodes: list[NodeExecution],
) -> Execution:
    launch = reader.launch or {}
    ids = layout.workflow_id.split(":")
    ours = len(ids) == 4 and ids[0] == "ex"
    return Execution(
        name=execution_name(layout.workflow_id),
        project=context.project if context else launch.get("project") or (ids[1] if ours else DEFAULT_PROJECT),
        domain=context.domain if context else launch.get("domain") or (ids[2] if ours else DEFAULT_DOMAIN),
        phase=phase,
        workflow=context.workflow if context else None,
        version=context.version if context else launch.get("version"),
        launch_plan=context.launch_plan if context else launch.get("launch_plan"),
        inputs=context.inputs if context else launch.get("inputs"),
        nodes=nodes,
        started_at=_started(context, description),
        finished_at=description.close_time,
        labels=context.labels if context else {},
        annotations=context.annotations if context else {},
        warnings=reader.resolved.warnings if reader.resolved else [],
        namespace=layout.namespace,
        workflow_id=layout.workflow_id,
        run_id=layout.first_run_id,
        raw_data_uri=context.raw_data_prefix if context else None,
    )


def _started(context: ExecutionContext | None, description: WorkflowExecutionDescription) -> datetime:
    return datetime.fromisoformat(context.started_at) if context else description.start_time


async def _add_end(temporal: TemporalClient, execution: Execution, description: WorkflowExecutionDescription) -> None:
    """The end of a closed run that left no record: a refused launch, or one that was terminated."""
    handle = temporal.get_workflow_handle(execution.workflow_id, run_id=description.run_id)
    last: Any = None
    async for event in handle.fetch_history_events(page_size=1, skip_archival=True, event_filter_type=_close_filter()):
        last = event
    if last is None:
        return
    if last.HasField("workflow_execution_failed_event_attributes"):
        failure = last.workflow_execution_failed_event_attributes.failure
        code = failure.application_failure_info.type or "Failed"
        execution.error = ErrorInfo(code=code, message=failure.message)
    elif last.HasField("workflow_execution_terminated_event_attributes"):
        reason = last.workflow_execution_terminated_event_attributes.reason or "no reason given"
        execution.error = ErrorInfo(code="Terminated", message=f"terminated: {reason}", kind="SYSTEM", retryable=False)
    elif last.HasField("workflow_execution_timed_out_event_attributes"):
        execution.error = ErrorInfo(
            code="TimedOut", message="the workflow's time-out passed", kind="SYSTEM", retryable=False
        )
    elif last.HasField("workflow_execution_canceled_event_attributes"):
        execution.error = ErrorInfo(code="Cancelled", message="cancelled before its first node ran", retryable=False)


def _close_filter() -> Any:
    from temporalio.client import WorkflowHistoryEventFilterType

    return WorkflowHistoryEventFilterType.CLOSE_EVENT
