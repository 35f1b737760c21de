"""Control of a running execution: Temporal updates with their errors, and termination of its child workflows."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import Mapping, Sequence
from typing import TypeVar

from temporalio.client import Client as TemporalClient
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from flytemp import errors
from flytemp.errors import FlytempError, NotFound, TemporalUnavailable
from flytemp.names import execution_name
from flytemp.protocol.message import Message, Update
from flytemp.temporal.workflows import describe_workflow, phase_of, unavailable

A = TypeVar("A", bound=Message)
R = TypeVar("R")

UPDATE_TIMEOUT_SECONDS = 30.0
"""Seconds to wait for the result of an update. A worker that is running answers within milliseconds."""

_CLOSED_DURING_UPDATE = "AcceptedUpdateCompletedWorkflow"
"""Error type of the Temporal server for a workflow that closed before it answered an update."""

_TERMINATION_DELAYS = (0.0, 0.2, 0.5, 1.0)
"""Seconds before each search for child workflows. Temporal lists a workflow a moment after it has started."""

_PARENTS_PER_QUERY = 50


def requester() -> str:
    """Return ``user@host`` of this process, which is stored with a request."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


async def execute_update(
    temporal: TemporalClient, workflow_id: str, update: Update[A, R], request: A, hints: Mapping[str, str]
) -> R:
    """Send an update to an execution and return its result.

    Args:
        temporal: the client.
        workflow_id: the id of the execution's workflow.
        update: the update to execute.
        request: its argument.
        hints: hints for the errors of the execution, by error code.

    Raises:
        NotFound: there is no such execution, it is closed, or it does not find what the request names.
        FlytempError: the execution rejects the request; the class follows from the error's code.
        TemporalUnavailable: Temporal does not answer, or no worker handles the update in time.
    """
    handle = temporal.get_workflow_handle(workflow_id)
    execution = execution_name(workflow_id)
    try:
        async with asyncio.timeout(UPDATE_TIMEOUT_SECONDS):
            result = await handle.execute_update(update.name, request.to_json())
    except WorkflowUpdateFailedError as error:
        raise await update_error(temporal, workflow_id, error, hints) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise TemporalUnavailable(
            f"execution {execution} did not respond within {UPDATE_TIMEOUT_SECONDS:g} s",
            hint="is a worker running? start one with `flytemp worker` and retry",
        ) from error
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise await not_running(temporal, workflow_id) from error
        raise unavailable(error) from error
    return update.read_result(result)


async def not_running(temporal: TemporalClient, workflow_id: str) -> NotFound:
    """Return the error for a request to an execution that is not running."""
    name = execution_name(workflow_id)
    description = await describe_workflow(temporal, workflow_id)
    if description is None:
        return NotFound(f"there is no execution {name!r}", hint="flytemp list executions lists the executions")
    if description.status is WorkflowExecutionStatus.RUNNING:
        return NotFound(f"execution {name} ended and was started again meanwhile", hint="retry the request")
    phase = phase_of(description.status)
    return NotFound(f"execution {name} is not running: it is {phase}", hint=f"flytemp get execution {name}")


async def update_error(
    temporal: TemporalClient, workflow_id: str, error: WorkflowUpdateFailedError, hints: Mapping[str, str]
) -> FlytempError:
    """Return flytemp's error for an update that an execution rejected."""
    cause = error.cause
    name = execution_name(workflow_id)
    code = cause.type if isinstance(cause, ApplicationError) else None
    if code == _CLOSED_DURING_UPDATE:
        return await not_running(temporal, workflow_id)
    message = cause.message if isinstance(cause, ApplicationError) else str(cause)
    kind = _KINDS.get(code or "")
    if kind is None:
        return FlytempError(
            f"execution {name} rejected the request: {message}",
            hint="client and worker may have different versions; flytemp version shows this one",
        )
    given = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    hint = given if isinstance(given, str) and given else hints.get(kind.code)
    return kind(f"execution {name}: {message}", hint=hint)


def _kinds() -> dict[str, type[FlytempError]]:
    """Return the error classes that take only a message and a hint, by code."""
    plain = (
        errors.FlytempError,
        errors.InputError,
        errors.InvalidName,
        errors.TypeMismatch,
        errors.LimitExceeded,
        errors.NotSupported,
        errors.ConfigError,
        errors.NotFound,
        errors.AlreadyExists,
        errors.StoreError,
        errors.CorruptData,
        errors.TemporalUnavailable,
        errors.FlytempBug,
    )
    return {kind.code: kind for kind in plain}


_KINDS = _kinds()


async def terminate_children(temporal: TemporalClient, workflow_id: str, reason: str) -> int:
    """Terminate the running descendants of a terminated workflow and return their number.

    Temporal terminates a single workflow only. The search is repeated, because a descendant may start another one meanwhile.

    Raises:
        TemporalUnavailable: Temporal does not answer.
    """
    parents = [workflow_id]
    terminated: set[str] = set()
    for delay in _TERMINATION_DELAYS:
        await asyncio.sleep(delay)
        searched = 0
        while searched < len(parents):
            queried = parents[searched : searched + _PARENTS_PER_QUERY]
            searched += len(queried)
            for child in await _running_children(temporal, queried):
                if child not in terminated:
                    terminated.add(child)
                    parents.append(child)
                await _terminate(temporal, child, reason)
    return len(terminated)


async def _running_children(temporal: TemporalClient, parents: Sequence[str]) -> list[str]:
    ids = ", ".join(_quoted(parent) for parent in parents)
    query = f"ParentWorkflowId IN ({ids}) AND ExecutionStatus = 'Running'"
    try:
        return [item.id async for item in temporal.list_workflows(query)]
    except RPCError as error:
        raise unavailable(error) from error


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


async def _terminate(temporal: TemporalClient, workflow_id: str, reason: str) -> None:
    try:
        await temporal.get_workflow_handle(workflow_id).terminate(reason=reason)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:  # it has closed by itself
            raise unavailable(error) from error
