"""Retry of failed nodes, in a running execution or by a new run of a closed one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from flytemp.client import execution_state
from flytemp.client.control import execute_update, requester
from flytemp.errors import AlreadyExists, InputError, NotFound
from flytemp.layout import ExecutionLayout
from flytemp.protocol.workflow import CONTENT_MEMO, RETRY, WORKFLOW_TYPE, RetryRequest
from flytemp.records.launch import ExecutionContext
from flytemp.records.models import Execution, Phase
from flytemp.records.stored import newest_record
from flytemp.temporal.workflows import describe_workflow, memo_field, unavailable

if TYPE_CHECKING:
    from flytemp.client.client import Client


async def retry(client: Client, workflow_id: str, nodes: Sequence[str] | None) -> None:
    """Retry failed nodes of an execution.

    Args:
        client: the client.
        workflow_id: the id of the execution's workflow.
        nodes: the paths or names of the nodes; None or an empty sequence for every failed node.

    Raises:
        NotFound: there is no such execution or node, or the execution's record is not in this store.
        InputError: a named node did not fail, or no node failed.
        AlreadyExists: the execution was started again meanwhile.
    """
    execution = await execution_state.describe(client.temporal, client.store, workflow_id)
    paths = [node_path(execution, node) for node in nodes or ()]
    _check_failed(execution, paths)
    if execution.phase.is_final:
        await _start_new_run(client, execution, paths)
        return
    hint = f"flytemp get execution {execution.name} shows its nodes"
    hints = {NotFound.code: hint, InputError.code: hint, AlreadyExists.code: hint}
    await execute_update(client.temporal, workflow_id, RETRY, RetryRequest(paths, by=requester()), hints)


def node_path(execution: Execution, text: str) -> str:
    """Return the path of the node with this path, or with this name if the name is unique.

    Raises:
        NotFound: no node or several nodes have this name.
    """
    paths = {node.id for node in execution.nodes}
    named = [node.id for node in execution.nodes if node.name == text]
    if text in paths:
        return text
    if len(named) == 1:
        return named[0]
    problem = f"{len(named)} nodes are named" if named else "there is no node"
    raise NotFound(
        f"{problem} {text!r} in execution {execution.name}",
        hint=(f"its nodes are {', '.join(sorted(paths))}" if paths else "it has no nodes yet")[:500],
    )


def _check_failed(execution: Execution, paths: Sequence[str]) -> None:
    if execution.phase is Phase.SUCCEEDED:
        raise InputError(
            f"execution {execution.name} is SUCCEEDED: no node failed",
            hint="launch it again under a new name",
        )
    phases = {node.id: node.phase for node in execution.nodes}
    for path in paths:
        if phases[path] in (Phase.SUCCEEDED, Phase.SKIPPED):
            raise InputError(
                f"node {path} of execution {execution.name} is {phases[path]}: only failed nodes can be retried",
                hint=f"flytemp retry {execution.name} retries every failed node",
            )


async def _start_new_run(client: Client, execution: Execution, paths: Sequence[str]) -> None:
    """Start a new run under the same workflow id, which continues from the state that the previous run saved."""
    await asyncio.to_thread(_check_record, client, execution)
    launch_plan = await asyncio.to_thread(_launched, client, execution)
    memo = await _memo(client, execution.workflow_id)
    try:
        await client.temporal.start_workflow(
            WORKFLOW_TYPE,
            {"retry": RetryRequest(list(paths), by=requester()).to_json(), "launch_plan": launch_plan},
            id=execution.workflow_id,
            task_queue=client.settings.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            memo=memo,
            static_summary=f"{execution.workflow or ''} {execution.version or ''}, retried"[:200],
            task_timeout=timedelta(seconds=10),
        )
    except WorkflowAlreadyStartedError as error:
        raise AlreadyExists(
            f"execution {execution.name} is already running again", hint=f"flytemp get execution {execution.name}"
        ) from error
    except RPCError as error:
        raise unavailable(error) from error


def _check_record(client: Client, execution: Execution) -> None:
    """Raise NotFound if the execution has no record. A run without one would fail under the execution's name."""
    if newest_record(client.store, execution.namespace, execution.workflow_id) is None:
        raise NotFound(
            f"no record of execution {execution.name} was found, so it cannot be retried",
            hint="it was terminated, never began, or used another store; launch it again under a new name",
        )


def _launched(client: Client, execution: Execution) -> str:
    """Return the URN of the launched entity, with the version that was chosen at the launch."""
    layout = ExecutionLayout(execution.namespace, execution.workflow_id, execution.run_id)
    data = client.store.read_or_none(layout.execution)
    if data is not None:
        try:
            return ExecutionContext.model_validate_json(data).entity
        except ValidationError:  # the context of a retried run only refers to that of the first run
            pass
    if execution.workflow is not None and execution.version is not None:
        kind, name = ("lp", execution.launch_plan) if execution.launch_plan else ("wf", execution.workflow)
        return f"{kind}:{execution.project}:{execution.domain}:{name}:{execution.version}"
    raise NotFound(
        f"the launch plan of execution {execution.name} is unknown: it ended before it began, or used another store",
        hint="launch it again under a new name; flytemp config view shows the store",
    )


async def _memo(client: Client, workflow_id: str) -> dict[str, Any]:
    """Return the memo of the previous run, by which a repeated launch under the same name finds this execution."""
    description = await describe_workflow(client.temporal, workflow_id)
    if description is None or description.status is WorkflowExecutionStatus.RUNNING:
        return {}
    content = await memo_field(description, CONTENT_MEMO)
    return {CONTENT_MEMO: content} if isinstance(content, str) else {}
