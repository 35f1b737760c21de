"""Activity that records a closed execution: its outputs, its record and its index entry."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from flytemp.errors import CorruptData, FlytempError, LimitExceeded, StoreError
from flytemp.layout import ExecutionLayout
from flytemp.literals.sizes import INLINE_BYTES, check_size
from flytemp.names import attempt_key
from flytemp.protocol import activities as protocol
from flytemp.records.build import execution_of
from flytemp.records.launch import RESULT_INLINE_BYTES, ExecutionContext
from flytemp.records.models import Execution, ExecutionSummary, Phase
from flytemp.records.nodes import error_info, nodes_from_rows, when
from flytemp.runtime.inputs import resolve_inputs
from flytemp.runtime.invocation import TaskResult
from flytemp.spec.bindings import Constants
from flytemp.spec.pages import from_pages
from flytemp.spec.plan import plan_of
from flytemp.store.object_store import ObjectStore
from flytemp_activities.application_errors import bounded, error_detail
from flytemp_activities.definitions import control_activity
from flytemp_activities.executions import Executions, inline_bytes

Argument = protocol.RecordExecutionArgument


class ExecutionRecorder:
    """Writer of the data that outlives Temporal's retention."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._store = executions.store

    @control_activity(protocol.RECORD_EXECUTION)
    async def record_execution(self, argument: Argument) -> protocol.RecordedExecution:
        """Write the record and the index entry of an execution. Return its phase, and its outputs or their URI."""
        return await asyncio.to_thread(self._record_execution, argument)

    def _record_execution(self, argument: Argument) -> protocol.RecordedExecution:
        context = self._executions.context(argument.execution)
        layout = ExecutionLayout(context.namespace, context.workflow_id, context.first_run_id)
        phase, outputs, error = self._end(argument, context, layout)
        self._keep_state(argument, layout, phase)
        execution = self._execution(argument, context, layout, phase, outputs, error)
        self._store.write(layout.record, execution.model_dump_json(indent=1).encode())
        summary = ExecutionSummary.model_validate(execution.model_dump())
        self._store.write(
            layout.index_entry(context.project, context.domain, argument.closed), summary.model_dump_json().encode()
        )
        return self._result(context, layout, phase, outputs, error)

    def _end(
        self, argument: Argument, context: ExecutionContext, layout: ExecutionLayout
    ) -> tuple[Phase, dict[str, Any] | None, dict[str, Any] | None]:
        """Return the phase, outputs and error. Outputs that cannot be resolved fail an execution that succeeded otherwise."""
        phase = Phase(argument.phase)
        if phase is not Phase.SUCCEEDED:
            return phase, None, argument.error
        try:
            assert argument.outputs is not None
            constants = self._executions.constants(layout.root)
            return phase, final_outputs(argument.outputs, constants, self._store, layout.root), None
        except FlytempError as error:
            if isinstance(error, StoreError) and not isinstance(error, CorruptData):
                raise  # the store is unavailable: Temporal retries the activity
            code = "LimitExceeded" if isinstance(error, LimitExceeded) else error.code
            return Phase.FAILED, None, error_detail("USER", code, error.message, False)

    def _execution(
        self,
        argument: Argument,
        context: ExecutionContext,
        layout: ExecutionLayout,
        phase: Phase,
        outputs: dict[str, Any] | None,
        error: dict[str, Any] | None,
    ) -> Execution:
        plan = plan_of(self._executions.document(context.spec))
        info = error_info(error) if error else None
        if phase is Phase.ABORTED and info is None:
            reason = argument.reason or "no reason given"
            info = error_info({"code": "Cancelled", "message": f"cancelled: {reason}", "retryable": False})
        rows = self._rows(argument, layout)
        nodes = nodes_from_rows(plan, rows)
        execution = execution_of(context, layout, self._store, phase, nodes)
        execution.outputs, execution.error = outputs, info
        execution.finished_at = when(argument.closed)
        execution.warnings = argument.warnings
        self._add_traceback(execution, layout, {row["id"]: row.get("epoch", "") for row in rows})
        return execution

    def _keep_state(self, argument: Argument, layout: ExecutionLayout, phase: Phase) -> None:
        """Save the engine's state of an execution that did not succeed, so that a user can retry its failed nodes."""
        if phase is Phase.SUCCEEDED:
            return
        for number, page in enumerate(self._pages(argument.state, argument.state_pages, layout)):
            self._store.write(layout.closed_state_page(number), page.encode())

    def _rows(self, argument: Argument, layout: ExecutionLayout) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = from_pages(self._pages(argument.rows, argument.rows_pages, layout))
        return rows

    def _pages(self, only: str | None, saved: protocol.PageRange | None, layout: ExecutionLayout) -> list[str]:
        """Return the only page, or the pages that were saved."""
        if saved is None:
            return [only] if only is not None else []
        return [self._store.read(layout.state_page(saved.generation, page)).decode() for page in range(saved.count)]

    def _add_traceback(self, execution: Execution, layout: ExecutionLayout, epochs: dict[str, str]) -> None:
        """Add the failing task's traceback from the attempt's result. It is too long for a history.

        ``epochs`` has the epochs of the nodes' attempts by node path.
        """
        error = execution.error
        if error is None or error.node is None or error.attempt is None:
            return
        key = layout.result(error.node, attempt_key(error.attempt, epochs.get(error.node, "")))
        data = self._store.read_or_none(key)
        if data is None:
            return
        try:
            found = TaskResult.read(data).error
        except ValidationError:  # a record without a traceback is better than none
            error.traceback = f"{self._store.uri_of(key)} is not a task's result"
            return
        if found is not None:
            error.traceback = found.traceback
            if error.message == bounded(found.message):  # else the engine extended the task's message
                error.message = found.message

    def _result(
        self,
        context: ExecutionContext,
        layout: ExecutionLayout,
        phase: Phase,
        outputs: dict[str, Any] | None,
        error: dict[str, Any] | None,
    ) -> protocol.RecordedExecution:
        recorded = protocol.RecordedExecution(str(phase), context.execution, error=error)
        if outputs is None:
            return recorded
        size, is_child = inline_bytes(outputs), context.parent is not None
        uri = None
        if size > (INLINE_BYTES if is_child else RESULT_INLINE_BYTES):
            self._store.write(layout.outputs, json.dumps(outputs).encode())
            uri = self._store.uri_of(layout.outputs)
        return replace(
            recorded, outputs=outputs if size <= RESULT_INLINE_BYTES else None, outputs_uri=uri, size=size if is_child else 0
        )


def final_outputs(closed: dict[str, Any], constants: Constants, store: ObjectStore, root: str) -> dict[str, Any]:
    """Return the literals of an execution's outputs, which are given as closed values.

    Raises:
        LimitExceeded: one of them is too large.
        InputError, NotFound, CorruptData, StoreError: see `resolve_inputs`.
    """
    outputs = resolve_inputs(closed, store, root, constants)
    for name, value in outputs.items():
        check_size(name, value)
    return outputs
