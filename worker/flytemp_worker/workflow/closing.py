"""End of an execution or chunk: records it, signals the parent, and ends the Temporal workflow."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError, CancelledError

from flytemp.protocol import activities as protocol
from flytemp.protocol.activities import PageRange, RecordedExecution
from flytemp.protocol.message import Json
from flytemp.protocol.workflow import CHILD_CLOSED, ChildClosed, ChunkArgument, ParentNode
from flytemp.spec.pages import to_pages
from flytemp_worker.engine import snapshot
from flytemp_worker.engine.messages import Finish
from flytemp_worker.workflow.child_workflows import signal_parent
from flytemp_worker.workflow.runner import WorkflowRunner
from flytemp_worker.workflow.visibility import details

INLINE_ROWS_BYTES = 256 * 1024
"""Maximum size of the rows in the argument of `RECORD_EXECUTION` if a page of the state is in it, too."""


async def close(runner: WorkflowRunner, finish: Finish) -> dict[str, Any]:
    """Record the end, signal the parent, and return the result of the Temporal workflow.

    Raises:
        CancelledError: the execution was aborted.
        ApplicationError: the execution failed or timed out.
    """
    await runner.drain()
    if runner.chunk is not None:
        return await _close_chunk(runner, runner.chunk, finish)
    recorded = await _record(runner, finish)
    workflow.set_current_details(details(runner.engine, runner.resolved))
    parent = runner.resolved.parent
    if parent is not None:
        await _signal_parent(runner, parent.workflow_id, _execution_closed(parent, recorded))
    if recorded.phase == "ABORTED":
        raise CancelledError(finish.reason or "cancelled")
    if recorded.phase in ("FAILED", "TIMED_OUT"):
        assert recorded.error is not None
        error = recorded.error
        where = f"node {error['node']} ({error['task']}): " if error.get("node") else ""
        raise ApplicationError(f"{where}{error['message']}", error, type=error["code"], non_retryable=True)
    if recorded.outputs is not None:
        return {"execution": recorded.execution, "outputs": recorded.outputs}
    return {"execution": recorded.execution, "outputs_uri": recorded.outputs_uri}


async def _record(runner: WorkflowRunner, finish: Finish) -> RecordedExecution:
    argument = protocol.RecordExecutionArgument(
        execution=runner.root,
        phase=finish.phase,
        closed=workflow.time_ns() // 1_000_000,
        outputs=finish.outputs,
        error=cast(dict[str, Any] | None, finish.error),
        reason=finish.reason,
        warnings=runner.resolved.warnings,
    )
    rows = to_pages(snapshot.public_rows(runner.engine))
    if len(rows) == 1:
        argument = replace(argument, rows=rows[0])
    else:
        argument = replace(argument, rows_pages=await _save_pages(runner, "nodes", rows))
    if finish.phase != "SUCCEEDED":  # a user may retry the execution from this state
        state = to_pages(snapshot.state(runner.engine))
        if len(state) == 1 and len(argument.rows or "") < INLINE_ROWS_BYTES:
            argument = replace(argument, state=state[0])
        else:
            argument = replace(argument, state_pages=await _save_pages(runner, "state", state))
    return await runner.call(protocol.RECORD_EXECUTION, argument, summary="record the execution")


async def _save_pages(runner: WorkflowRunner, title: str, pages: list[str]) -> PageRange:
    runner.generation += 1
    for number, text in enumerate(pages):
        page = protocol.SaveStatePage(runner.root, number, runner.generation, text)
        await runner.call(protocol.SAVE_STATE_PAGE, page, summary=f"{title}, page {number + 1} of {len(pages)}")
    return PageRange(runner.generation, len(pages))


async def _signal_parent(runner: WorkflowRunner, parent: str, message: ChildClosed) -> None:
    """Signal the end, even if a cancellation arrives meanwhile: the parent waits for the signal."""
    await runner.uncancelled(asyncio.ensure_future(signal_parent(parent, CHILD_CLOSED, message)))


def _execution_closed(parent: ParentNode, recorded: RecordedExecution) -> ChildClosed:
    """Return the message to the launch plan node that started this execution."""
    message = ChildClosed(parent.node, parent.attempt, recorded.phase)
    if recorded.phase != "SUCCEEDED":
        return replace(message, error=_error_for_parent(recorded))
    if recorded.outputs_uri is not None:
        return replace(message, outputs_uri=recorded.outputs_uri, size=recorded.size)
    return replace(message, outputs=recorded.outputs, size=recorded.size)


def _error_for_parent(recorded: RecordedExecution) -> dict[str, Json]:
    error = recorded.error or {"kind": "USER", "code": "Cancelled", "message": "it was cancelled"}
    where = f", node {error['node']}" if error.get("node") else ""
    return {**error, "message": f"execution {recorded.execution}{where}: {error['message']}"}


async def _close_chunk(runner: WorkflowRunner, chunk: ChunkArgument, finish: Finish) -> dict[str, Any]:
    name = f"{chunk.name}/{chunk.attempt}"
    for number, text in enumerate(to_pages(snapshot.public_rows(runner.engine))):
        page = protocol.SaveChunkRows(runner.root, name, number, text)
        await runner.call(protocol.SAVE_CHUNK_ROWS, page, summary="record the chunk's nodes")
    if finish.outputs is not None:
        outputs = protocol.SaveChunkOutputs(runner.root, name, finish.outputs)
        await runner.call(protocol.SAVE_CHUNK_OUTPUTS, outputs, summary="record the chunk's outputs")
    workflow.set_current_details(details(runner.engine, runner.resolved))
    counts = finish.counts or (0, 0)
    message = ChildClosed(
        chunk.node, chunk.attempt, finish.phase, chunk.chunk, error=cast(dict[str, Any] | None, finish.error), counts=counts
    )
    await _signal_parent(runner, chunk.parent, message)
    return {"phase": finish.phase, "counts": list(counts)}
