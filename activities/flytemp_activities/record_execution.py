"""`close`: the end of an execution: its outputs, its record, its line in the index."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from pydantic import ValidationError
from temporalio import activity

from flytemp.errors import CorruptData, FlytempError, LimitExceeded, StoreError
from flytemp.layout import ExecutionLayout
from flytemp.literals.sizes import INLINE_BYTES, check_size
from flytemp.names import attempt_key
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
from flytemp_activities.application_errors import bounded, control_activity, error_detail
from flytemp_activities.executions import Executions, inline_bytes

ROW_TRACEBACK_CHARACTERS = 20_000
"""How much of a task's traceback a record keeps; the attempt's result has all of it."""


class ExecutionRecorder:
    """Writes what outlives Temporal's retention."""

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self._store = executions.store

    @activity.defn(name="flytemp.close")
    @control_activity
    async def close(self, argument: dict[str, Any]) -> dict[str, Any]:
        """Record the execution. The result is the workflow's: its phase, and outputs or where they lie."""
        return await asyncio.to_thread(self._close, argument)

    def _close(self, argument: dict[str, Any]) -> dict[str, Any]:
        root = argument["execution"]
        context = self._executions.context(root)
        layout = ExecutionLayout(context.namespace, context.workflow_id, context.first_run_id)
        phase, outputs, error = self._end(argument, context, layout)
        self._keep_state(argument, layout, phase)
        execution = self._execution(argument, context, layout, phase, outputs, error)
        self._store.write(layout.record, execution.model_dump_json(indent=1).encode())
        summary = ExecutionSummary.model_validate(execution.model_dump())
        self._store.write(
            layout.index_entry(context.project, context.domain, argument["closed"]), summary.model_dump_json().encode()
        )
        return self._result(context, layout, phase, outputs, error)

    def _end(
        self, argument: dict[str, Any], context: ExecutionContext, layout: ExecutionLayout
    ) -> tuple[Phase, dict[str, Any] | None, dict[str, Any] | None]:
        """The phase, outputs and error. Outputs that cannot be had fail an execution that succeeded otherwise."""
        phase = Phase(argument["phase"])
        if phase is not Phase.SUCCEEDED:
            return phase, None, argument.get("error")
        try:
            constants = self._executions.constants(layout.root)
            return phase, final_outputs(argument["outputs"], constants, self._store, layout.root), None
        except FlytempError as error:
            if isinstance(error, StoreError) and not isinstance(error, CorruptData):
                raise  # the store is away: tried again
            code = "LimitExceeded" if isinstance(error, LimitExceeded) else error.code
            return Phase.FAILED, None, error_detail("USER", code, error.message, False)

    def _execution(
        self,
        argument: dict[str, Any],
        context: ExecutionContext,
        layout: ExecutionLayout,
        phase: Phase,
        outputs: dict[str, Any] | None,
        error: dict[str, Any] | None,
    ) -> Execution:
        plan = plan_of(self._executions.document(context.spec))
        info = error_info(error) if error else None
        if phase is Phase.ABORTED and info is None:
            reason = argument.get("reason") or "no reason given"
            info = error_info({"code": "Cancelled", "message": f"cancelled: {reason}", "retryable": False})
        nodes = nodes_from_rows(plan, self._rows(argument, layout))
        execution = execution_of(context, layout, self._store, phase, nodes)
        execution.outputs, execution.error = outputs, info
        execution.finished_at = when(argument["closed"])
        execution.warnings = argument.get("warnings", context.warnings)
        self._add_traceback(execution, layout)
        return execution

    def _keep_state(self, argument: dict[str, Any], layout: ExecutionLayout, phase: Phase) -> None:
        """What did not succeed may go on from where it ended, when a person asks for it."""
        if phase is Phase.SUCCEEDED:
            return
        for number, page in enumerate(self._pages(argument, "state", layout)):
            self._store.write(layout.closed_state_page(number), page.encode())

    def _rows(self, argument: dict[str, Any], layout: ExecutionLayout) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = from_pages(self._pages(argument, "rows", layout))
        return rows

    def _pages(self, argument: dict[str, Any], name: str, layout: ExecutionLayout) -> list[str]:
        """Pages that the argument holds, or says where they were saved."""
        if name in argument:
            return [argument[name]]
        if f"{name}_pages" not in argument:
            return []
        generation, count = argument[f"{name}_pages"]
        return [self._store.read(layout.state_page(generation, page)).decode() for page in range(count)]

    def _add_traceback(self, execution: Execution, layout: ExecutionLayout) -> None:
        """The failing task's traceback, from its result: it is too long for a history."""
        error = execution.error
        if error is None or error.node is None or error.attempt is None:
            return
        key = layout.result(error.node, attempt_key(error.attempt))
        data = self._store.read_or_none(key)
        if data is None:
            return
        try:
            found = TaskResult.read(data).error
        except ValidationError:  # the record of what is known matters more than this text
            error.traceback = f"{self._store.uri_of(key)} is not a task's result"
            return
        if found is not None:
            error.traceback = found.traceback[:ROW_TRACEBACK_CHARACTERS]
            if error.message == bounded(found.message):  # else the engine said more than the task did
                error.message = found.message

    def _result(
        self,
        context: ExecutionContext,
        layout: ExecutionLayout,
        phase: Phase,
        outputs: dict[str, Any] | None,
        error: dict[str, Any] | None,
    ) -> dict[str, Any]:
        result: dict[str, Any] = {"phase": str(phase), "execution": context.execution}
        if error is not None:
            result["error"] = error
        if outputs is None:
            return result
        size = inline_bytes(outputs)
        if context.parent is not None:
            result["size"] = size
        if size <= RESULT_INLINE_BYTES:
            result["outputs"] = outputs
        if size > (INLINE_BYTES if context.parent is not None else RESULT_INLINE_BYTES):
            self._store.write(layout.outputs, json.dumps(outputs).encode())
            result["outputs_uri"] = self._store.uri_of(layout.outputs)
        return result


def final_outputs(closed: dict[str, Any], constants: Constants, store: ObjectStore, root: str) -> dict[str, Any]:
    """The literals of an execution's outputs, which the engine gives as closed values.

    Raises:
        LimitExceeded: one of them is too large.
        InputError, NotFound, CorruptData, StoreError: see `resolve_inputs`.
    """
    outputs = resolve_inputs(closed, store, root, constants)
    for name, value in outputs.items():
        check_size(name, value)
    return outputs
