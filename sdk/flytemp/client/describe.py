"""An execution as it is now: from its record when it closed, else from Temporal, truthfully in every case."""

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
from flytemp.errors import NotFound
from flytemp.layout import ExecutionLayout
from flytemp.names import execution_name, node_of
from flytemp.records.build import execution_of
from flytemp.records.launch import place_of
from flytemp.records.models import ErrorInfo, Execution, NodeExecution, Pause, Phase
from flytemp.records.nodes import nodes_from_rows, when
from flytemp.records.stored import newest_record, read_context, read_record
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.workflows import describe_workflow, first_run_id, phase_of, unavailable


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
    layout = await asyncio.to_thread(layout_of, store, temporal.namespace, workflow_id, first_run_id(description))
    if description.status is not WorkflowExecutionStatus.RUNNING:
        recorded = await asyncio.to_thread(read_record, store, layout)
        if recorded is not None:
            return recorded
    reader = await read_history(temporal, workflow_id, description.run_id)
    return await assemble(temporal, store, layout, description, reader)


def layout_of(store: ObjectStore, namespace: str, workflow_id: str, first_run: str) -> ExecutionLayout:
    """Where an execution is kept whose present chain of runs began with ``first_run``.

    One that was tried again after it had ended is kept where it was: what `resolve` wrote for the new run says so.
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
    """The execution from Temporal's description and what ``reader`` has read of its run's history."""
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
        await _add_end(temporal, store, execution, description)
    return execution


def _read_missing(store: ObjectStore, layout: ExecutionLayout, reader: HistoryReader) -> None:
    """From the store, what the run's history does not tell, or not yet: a run that has just begun has loaded nothing."""
    if reader.context is None:
        reader.context = read_context(store, layout)
    if reader.lacks_plan and reader.resolved is not None:
        pages = _read_pages(store, [layout.plan_page(page) for page in range(reader.resolved.plan_pages)])
        if pages:
            reader.know_plan(pages)
    if reader.lacks_state and reader.continued is not None:
        generation, count = reader.continued["generation"], reader.continued["pages"]
        pages = _read_pages(store, [layout.state_page(generation, page) for page in range(count)])
        if pages:
            reader.know_state(pages)
    elif reader.lacks_state and reader.resolved is not None:
        pages = _read_pages(store, [layout.closed_state_page(page) for page in range(reader.resolved.state_pages)])
        if pages:
            reader.know_state(pages)


def _read_pages(store: ObjectStore, keys: list[str]) -> list[str]:
    """The pages; none where one is missing, as in a store that is not the worker's."""
    pages = [store.read_or_none(key) for key in keys]
    return [page.decode() for page in pages if page is not None] if None not in pages else []


async def read_history(temporal: TemporalClient, workflow_id: str, run_id: str) -> HistoryReader:
    """The state that the history of one run tells."""
    reader = HistoryReader(temporal.data_converter)
    handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        async for event in handle.fetch_history_events():
            await reader.feed(event)
    except RPCError as error:
        raise unavailable(error) from error
    return reader


def _stopping_phase(reader: HistoryReader, nodes: list[NodeExecution]) -> Phase:
    if reader.cancel_requested:
        return Phase.ABORTING
    if reader.resolved is None:
        return Phase.QUEUED
    fail_immediately = reader.plan is None or reader.plan["graphs"][reader.plan["root"]]["policy"] == "fail-immediately"
    maps = tuple(f"{node.id}." for node in nodes if node.kind == "map")  # some of their calls may fail
    failed = any(node.phase in (Phase.FAILED, Phase.TIMED_OUT) and not node.id.startswith(maps) for node in nodes)
    return Phase.FAILING if failed and fail_immediately else Phase.RUNNING


def _apply_pending(nodes: list[NodeExecution], description: WorkflowExecutionDescription) -> None:
    """What history does not tell: which tasks a worker has taken, and what it last said of them."""
    by_path = {node.id: node for node in nodes}
    for pending in description.raw_description.pending_activities:
        node = by_path.get(node_of(pending.activity_id))
        if node is None or node.phase is not Phase.RUNNING:
            continue
        if pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED:
            node.phase = Phase.ABORTING
        elif pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED:
            node.phase = Phase.QUEUED
            node.message = "waits for a worker to take it"
            if pending.last_failure.message:
                node.message = f"is taken up again: {pending.last_failure.message}"[:500]
        else:
            detail = last_heartbeat(pending)
            if detail.get("phase") in ("queued", "starting"):
                node.phase = Phase.QUEUED
                node.message = _why_it_waits(detail)


def _why_it_waits(detail: dict[str, Any]) -> str:
    """What a backend told in its heartbeat: a pod's reason and the scheduler's, kubelet's or API server's message."""
    reason, message = str(detail.get("reason") or ""), str(detail.get("message") or "")
    if reason or message:
        return f"{reason}: {message}".strip(": ")
    return "waits for a node" if "pod" in detail else "waits for a free slot"


def last_heartbeat(pending: PendingActivityInfo) -> dict[str, Any]:
    """What a backend last said of a try; nothing where it has not, or where nobody but a worker can read it."""
    payloads = pending.heartbeat_details.payloads
    try:
        value = json.loads(payloads[0].data) if payloads else {}
    except ValueError:  # a team's own codec may have encrypted it
        return {}
    return value if isinstance(value, dict) else {}


def _unresolved(
    reader: HistoryReader,
    layout: ExecutionLayout,
    description: WorkflowExecutionDescription,
    phase: Phase,
    nodes: list[NodeExecution],
) -> Execution:
    """A launch that was not resolved (yet), from its input: which may be anything that anyone could write."""
    launch = reader.launch or {}
    project, domain = place_of(layout.workflow_id)
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
    """The last event of a closed run; with ``wait``, of a run once it is closed. None while it is open."""
    handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
    last: HistoryEvent | None = None
    async for event in handle.fetch_history_events(
        wait_new_event=wait, skip_archival=True, event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
    ):
        last = event
    return last


async def _add_end(
    temporal: TemporalClient, store: ObjectStore, execution: Execution, description: WorkflowExecutionDescription
) -> None:
    """The end of a closed run that left no record here: a refused launch, one that was terminated, another store."""
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
            code="TimedOut", message="the workflow's time-out passed", kind="SYSTEM", retryable=False
        )
    elif last.HasField("workflow_execution_canceled_event_attributes"):
        execution.error = ErrorInfo(code="Cancelled", message="cancelled before its first node ran", retryable=False)


def _outputs_of(store: ObjectStore, result: Any) -> dict[str, Any] | None:
    """The outputs that a workflow's result holds or names; None when they lie in another store."""
    if not isinstance(result, dict):
        return None
    uri = result.get("outputs_uri")
    if uri is None:
        outputs = result.get("outputs")
        return outputs if isinstance(outputs, dict) else None
    data = store.read_or_none(uri.removeprefix(f"{store.uri}/")) if str(uri).startswith(f"{store.uri}/") else None
    return None if data is None else dict(json.loads(data))


def _error_of(failure: Failure) -> ErrorInfo:
    """What a failed run says: the failure at the bottom, for those around it only say that something failed."""
    while failure.HasField("cause") and not failure.HasField("application_failure_info"):
        failure = failure.cause
    return ErrorInfo(code=failure.application_failure_info.type or "Failed", message=failure.message)
