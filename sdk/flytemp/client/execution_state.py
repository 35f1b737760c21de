"""Present state of an execution: its record once it is closed, until then what Temporal has of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHistoryEventFilterType
from temporalio.service import RPCError

from flytemp.client.history import HistoryReader
from flytemp.errors import CorruptData, NotFound
from flytemp.json_text import read_json
from flytemp.layout import ExecutionLayout
from flytemp.names import execution_name, node_of
from flytemp.records.build import execution_of
from flytemp.records.launch import project_and_domain
from flytemp.records.models import ErrorInfo, Execution, NodeExecution, Pause, Phase
from flytemp.records.nodes import nodes_from_rows, when
from flytemp.records.stored import newest_record, read_context, read_record
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.workflows import describe_workflow, first_run_id, phase_of, unavailable


async def describe(temporal: TemporalClient, store: ObjectStore, workflow_id: str) -> Execution:
    """Return the present state of the execution with this workflow id.

    Raises:
        NotFound: neither Temporal nor the store has the execution.
        CorruptData: the execution's context or record cannot be read.
        TemporalUnavailable: Temporal does not answer.
    """
    description = await describe_workflow(temporal, workflow_id)
    if description is None:
        record = await asyncio.to_thread(newest_record, store, temporal.namespace, workflow_id)
        if record is None:
            raise NotFound(
                f"there is no execution {execution_name(workflow_id)!r}",
                hint="flytemp list executions lists the executions",
            )
        return record
    layout = await asyncio.to_thread(layout_of, store, temporal.namespace, workflow_id, first_run_id(description))
    if description.status is not WorkflowExecutionStatus.RUNNING:
        recorded = await asyncio.to_thread(read_record, store, layout)
        if recorded is not None:
            return recorded
    reader = await read_history(temporal, workflow_id, description.run_id)
    return await assemble(temporal, store, layout, description, reader)


def layout_of(store: ObjectStore, namespace: str, workflow_id: str, first_run: str) -> ExecutionLayout:
    """Return the layout of the execution whose present chain of runs began with ``first_run``.

    An execution that was retried after it had closed keeps its first layout. The context that `resolve` wrote for the new run
    names it.
    """
    layout = ExecutionLayout(namespace, workflow_id, first_run)
    context = read_context(store, layout)
    if context is None or context.first_run_id == first_run:
        return layout
    return ExecutionLayout(namespace, workflow_id, context.first_run_id)


async def assemble(
    temporal: TemporalClient,
    store: ObjectStore,
    layout: ExecutionLayout,
    description: WorkflowExecutionDescription,
    reader: HistoryReader,
) -> Execution:
    """Return the execution from Temporal's description and the history that ``reader`` has read."""
    phase = phase_of(description.status)
    closed = phase.is_final
    await asyncio.to_thread(_read_missing, store, layout, reader)
    rows = reader.settled_rows(closed)
    nodes = nodes_from_rows(reader.plan, rows, reader.dynamics) if reader.plan is not None else []
    if not closed:
        _apply_pending(nodes, description)
    if phase is Phase.RUNNING:
        phase = _stopping_phase(reader, nodes)
    if phase is Phase.RUNNING and reader.paused is not None:
        phase = Phase.PAUSED
    if reader.context is not None:
        execution = execution_of(reader.context, layout, store, phase, nodes)
    else:
        execution = _unresolved(reader, layout, description, phase, nodes)
        execution.metadata_uri = store.uri_of(layout.root)
    execution.warnings = reader.resolved.warnings if reader.resolved else []
    if reader.paused is not None and not closed:
        execution.paused = Pause(by=reader.paused["by"], at=when(reader.paused["at"]), reason=reader.paused["reason"])
    execution.finished_at = description.close_time
    if closed:
        await _add_result(temporal, store, execution, description)
    return execution


def _read_missing(store: ObjectStore, layout: ExecutionLayout, reader: HistoryReader) -> None:
    """Complete ``reader`` from the store, where the history does not contain the context, the plan or the state yet."""
    if reader.context is None:
        reader.context = read_context(store, layout)
    if reader.lacks_plan and reader.resolved is not None:
        pages = _read_pages(store, [layout.plan_page(page) for page in range(reader.resolved.plan_pages)])
        if pages:
            reader.set_plan(pages)
    if reader.lacks_state and reader.continued is not None:
        generation, count = reader.continued.generation, reader.continued.pages
        pages = _read_pages(store, [layout.state_page(generation, page) for page in range(count)])
        if pages:
            reader.set_initial_state(pages)
    elif reader.lacks_state and reader.resolved is not None:
        pages = _read_pages(store, [layout.closed_state_page(page) for page in range(reader.resolved.state_pages)])
        if pages:
            reader.set_initial_state(pages)


def _read_pages(store: ObjectStore, keys: list[str]) -> list[str]:
    """Return the pages, or nothing if one is missing, as in a store other than the worker's."""
    pages = [store.read_or_none(key) for key in keys]
    return [page.decode() for page in pages if page is not None] if None not in pages else []


async def read_history(temporal: TemporalClient, workflow_id: str, run_id: str) -> HistoryReader:
    """Return a reader that has read the whole history of one run."""
    reader = HistoryReader(temporal.data_converter)
    handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        async for event in handle.fetch_history_events():
            await reader.add_event(event)
    except RPCError as error:
        raise unavailable(error) from error
    return reader


def _stopping_phase(reader: HistoryReader, nodes: list[NodeExecution]) -> Phase:
    if reader.cancel_requested:
        return Phase.ABORTING
    if reader.resolved is None:
        return Phase.QUEUED
    fail_immediately = reader.plan is None or reader.plan["graphs"][reader.plan["root"]]["policy"] == "fail-immediately"
    maps = tuple(f"{node.id}." for node in nodes if node.kind == "map")  # a map tolerates failed items
    failed = any(node.phase in (Phase.FAILED, Phase.TIMED_OUT) and not node.id.startswith(maps) for node in nodes)
    return Phase.FAILING if failed and fail_immediately else Phase.RUNNING


def _apply_pending(nodes: list[NodeExecution], description: WorkflowExecutionDescription) -> None:
    """Apply the pending activities to the nodes: the history lacks the tasks that a worker has picked up."""
    by_path = {node.id: node for node in nodes}
    for pending in description.raw_description.pending_activities:
        node = by_path.get(node_of(pending.activity_id))
        if node is None or node.phase is not Phase.RUNNING:
            continue
        if pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED:
            node.phase = Phase.ABORTING
        elif pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
            node.phase = Phase.QUEUED
            node.message = "waiting for a worker to start it"
            if pending.last_failure.message:
                node.message = f"waiting for a worker to start it again: {pending.last_failure.message}"[:500]
        else:
            detail = last_heartbeat(pending)
            if detail.get("phase") in ("queued", "starting"):
                node.phase = Phase.QUEUED
                node.message = _waiting_reason(detail)


def _waiting_reason(detail: dict[str, Any]) -> str:
    """Return the reason and message in a backend's heartbeat, which Kubernetes gave for a pod."""
    reason, message = str(detail.get("reason") or ""), str(detail.get("message") or "")
    if reason or message:
        return f"{reason}: {message}".strip(": ")
    return "waiting for a cluster node" if "pod" in detail else "waiting for a free slot"


def last_heartbeat(pending: PendingActivityInfo) -> dict[str, Any]:
    """Return the details of a try's last heartbeat; empty if there is none, or if it is encrypted."""
    payloads = pending.heartbeat_details.payloads
    try:
        value = json.loads(payloads[0].data) if payloads else {}
    except ValueError:  # encrypted by a codec of the worker
        return {}
    return value if isinstance(value, dict) else {}


def _unresolved(
    reader: HistoryReader,
    layout: ExecutionLayout,
    description: WorkflowExecutionDescription,
    phase: Phase,
    nodes: list[NodeExecution],
) -> Execution:
    """Return an execution that was not resolved yet, from the workflow's input, which may be any JSON."""
    launch = reader.launch or {}
    project, domain = project_and_domain(layout.workflow_id)
    inputs = launch.get("inputs")
    return Execution(
        name=execution_name(layout.workflow_id),
        project=_text(launch, "project") or project,
        domain=_text(launch, "domain") or domain,
        phase=phase,
        version=_text(launch, "version"),
        launch_plan=_text(launch, "launch_plan"),
        inputs=inputs if isinstance(inputs, dict) else None,
        nodes=nodes,
        started_at=description.start_time,
        namespace=layout.namespace,
        workflow_id=layout.workflow_id,
        run_id=layout.first_run_id,
    )


def _text(launch: dict[str, Any], key: str) -> str | None:
    value = launch.get(key)
    return value if isinstance(value, str) else None


async def close_event(temporal: TemporalClient, workflow_id: str, run_id: str, *, wait: bool = False) -> HistoryEvent | None:
    """Return the last event of a run, or None while the run is open.

    Args:
        temporal: the client.
        workflow_id: the id of the workflow.
        run_id: the id of the run.
        wait: wait until the run is closed.

    Raises:
        RPCError: Temporal does not have the run or does not answer.
    """
    handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
    last: HistoryEvent | None = None
    async for event in handle.fetch_history_events(
        wait_new_event=wait, skip_archival=True, event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
    ):
        last = event
    return last


async def _add_result(
    temporal: TemporalClient, store: ObjectStore, execution: Execution, description: WorkflowExecutionDescription
) -> None:
    """Add the outputs or the error of a closed run without a record: a rejected launch, a terminated run, another store."""
    try:
        last = await close_event(temporal, execution.workflow_id, description.run_id)
    except RPCError as error:
        raise unavailable(error) from error
    if last is None:
        return
    if last.HasField("workflow_execution_completed_event_attributes"):
        payloads = last.workflow_execution_completed_event_attributes.result.payloads
        values = await temporal.data_converter.decode(list(payloads))
        execution.outputs = await asyncio.to_thread(_outputs_of, store, values[0] if values else None)
    elif last.HasField("workflow_execution_failed_event_attributes"):
        execution.error = _error_of(last.workflow_execution_failed_event_attributes.failure)
    elif last.HasField("workflow_execution_terminated_event_attributes"):
        reason = last.workflow_execution_terminated_event_attributes.reason or "no reason given"
        execution.error = ErrorInfo(code="Terminated", message=f"terminated: {reason}", kind="SYSTEM", retryable=False)
    elif last.HasField("workflow_execution_timed_out_event_attributes"):
        execution.error = ErrorInfo(
            code="TimedOut", message="the workflow timed out", kind="SYSTEM", retryable=False
        )
    elif last.HasField("workflow_execution_canceled_event_attributes"):
        execution.error = ErrorInfo(code="Cancelled", message="cancelled before its first node ran", retryable=False)


def _outputs_of(store: ObjectStore, result: Any) -> dict[str, Any] | None:
    """Return the outputs in a workflow's result, or at the URI in it; None if they are in another store."""
    if not isinstance(result, dict):
        return None
    uri = result.get("outputs_uri")
    if uri is None:
        outputs = result.get("outputs")
        return outputs if isinstance(outputs, dict) else None
    data = store.read_or_none(uri.removeprefix(f"{store.uri}/")) if str(uri).startswith(f"{store.uri}/") else None
    try:
        return None if data is None else dict(read_json(data))
    except (ValueError, TypeError) as error:
        raise CorruptData(f"{uri} is not a map of outputs: {error}", hint="it was changed or damaged: restore it") from error


def _error_of(failure: Failure) -> ErrorInfo:
    """Return the innermost cause of a failure: the others only say that something failed."""
    while failure.HasField("cause") and not failure.HasField("application_failure_info"):
        failure = failure.cause
    return ErrorInfo(code=failure.application_failure_info.type or "Failed", message=failure.message)
