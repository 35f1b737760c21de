"""Retry what failed: of an execution that runs, and of one that is over."""

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

from flytemp.client import describe as describing
from flytemp.client.control import RETRY, update, who
from flytemp.errors import AlreadyExists, InputError, NotFound
from flytemp.layout import ExecutionLayout
from flytemp.protocol.workflow import CONTENT_MEMO, WORKFLOW_TYPE
from flytemp.records.launch import ExecutionContext
from flytemp.records.models import Execution, Phase
from flytemp.records.stored import newest_record
from flytemp.temporal.workflows import describe_workflow, unavailable

if TYPE_CHECKING:
    from flytemp.client.client import Client


async def retry(client: Client, workflow_id: str, nodes: Sequence[str] | None) -> None:
    """Try failed nodes again, every one where none is named.

    Raises:
        NotFound: there is no such execution or node, or its record is not in this store.
        InputError: there is nothing to retry.
        AlreadyExists: somebody else was faster.
    """
    execution = await describing.describe(client.temporal, client.store, workflow_id)
    paths = [node_path(execution, node) for node in nodes or ()]
    _check_failed(execution, paths)
    if execution.phase.is_final:
        await _start_again(client, execution, paths)
        return
    hint = f"flytemp get execution {execution.name} shows its nodes"
    hints = {NotFound.code: hint, InputError.code: hint, AlreadyExists.code: hint}
    await update(client.temporal, workflow_id, RETRY, {"nodes": paths, "by": who()}, hints)


def node_path(execution: Execution, text: str) -> str:
    """A node by its path, or by its name if that is unique.

    Raises:
        NotFound: no node, or several, may be meant.
    """
    paths = {node.id for node in execution.nodes}
    named = [node.id for node in execution.nodes if node.name == text]
    if text in paths:
        return text
    if len(named) == 1:
        return named[0]
    what = f"{len(named)} nodes are called" if named else "there is no node"
    raise NotFound(
        f"{what} {text!r} in execution {execution.name}",
        hint=f"its nodes are {', '.join(sorted(paths)) or 'none yet'}"[:500],
    )


def _check_failed(execution: Execution, paths: Sequence[str]) -> None:
    if execution.phase is Phase.SUCCEEDED:
        raise InputError(
            f"execution {execution.name} is SUCCEEDED: there is nothing to retry",
            hint="launch it again under a new name",
        )
    phases = {node.id: node.phase for node in execution.nodes}
    for path in paths:
        if phases[path] in (Phase.SUCCEEDED, Phase.SKIPPED):
            raise InputError(
                f"node {path} of execution {execution.name} is {phases[path]}, it did not fail",
                hint=f"flytemp retry {execution.name} tries every node that failed",
            )


async def _start_again(client: Client, execution: Execution, paths: Sequence[str]) -> None:
    """The same workflow id once more: the run finds what the one before left, and goes on there."""
    await asyncio.to_thread(_check_record, client, execution)
    launch_plan = await asyncio.to_thread(_launched, client, execution)
    memo = await _memo(client, execution.workflow_id)
    try:
        await client.temporal.start_workflow(
            WORKFLOW_TYPE,
            {"retry": {"nodes": list(paths), "by": who()}, "launch_plan": launch_plan},
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
            f"execution {execution.name} runs again already", hint=f"flytemp get execution {execution.name}"
        ) from error
    except RPCError as error:
        raise unavailable(error) from error


def _check_record(client: Client, execution: Execution) -> None:
    """A run that finds no record only fails, under the name of the execution that it should have gone on with."""
    if newest_record(client.store, execution.namespace, execution.workflow_id) is None:
        raise NotFound(
            f"execution {execution.name} left no record from which it could go on",
            hint="it was terminated, never began, or the store is another: launch it again under a new name",
        )


def _launched(client: Client, execution: Execution) -> str:
    """The URN of what was launched, with the version that was chosen then."""
    layout = ExecutionLayout(execution.namespace, execution.workflow_id, execution.run_id)
    data = client.store.read_or_none(layout.execution)
    if data is not None:
        try:
            return ExecutionContext.model_validate_json(data).entity
        except ValidationError:  # a run that was itself a retry points to where the first one's is
            pass
    if execution.workflow is not None and execution.version is not None:
        kind, name = ("lp", execution.launch_plan) if execution.launch_plan else ("wf", execution.workflow)
        return f"{kind}:{execution.project}:{execution.domain}:{name}:{execution.version}"
    raise NotFound(
        f"what execution {execution.name} ran is not known: it ended before it began, or the store is another",
        hint="launch it again under a new name; flytemp config view shows the store",
    )


async def _memo(client: Client, workflow_id: str) -> dict[str, Any]:
    """The content's digest stays, so that launching the same under the same name still finds this execution."""
    description = await describe_workflow(client.temporal, workflow_id)
    if description is None or description.status is WorkflowExecutionStatus.RUNNING:
        return {}
    content = (await description.memo()).get(CONTENT_MEMO)
    return {CONTENT_MEMO: content} if isinstance(content, str) else {}
