"""What people tell an execution while it runs, as Temporal updates; and what its refusals mean."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import Mapping
from typing import Any

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
from flytemp.literals.types import Json
from flytemp.names import execution_name
from flytemp.temporal.workflows import describe_workflow, phase_of, unavailable

ANSWER = "flytemp.answer"
PAUSE = "flytemp.pause"
RESUME = "flytemp.resume"
RETRY = "flytemp.retry"

REACTION_SECONDS = 30.0
"""How long an execution may take to say what it makes of an update; a worker that is there takes milliseconds."""

# Of the server, when a workflow ends before it has said anything of the update.
_ENDED = "AcceptedUpdateCompletedWorkflow"


def who() -> str:
    """``user@host``: who asks, for the record."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


async def update(
    temporal: TemporalClient, workflow_id: str, name: str, argument: Mapping[str, Json], hints: Mapping[str, str]
) -> dict[str, Any]:
    """Have the execution do ``name``, and return what it says; ``hints`` are for its refusals, by their codes.

    Raises:
        NotFound: there is no such execution, or it is over; or what the execution does not find itself.
        TypeMismatch, AlreadyExists, …: what the execution refuses, by its error's code.
        TemporalUnavailable: Temporal or the workers do not react.
    """
    handle = temporal.get_workflow_handle(workflow_id)
    execution = execution_name(workflow_id)
    try:
        async with asyncio.timeout(REACTION_SECONDS):
            result = await handle.execute_update(name, dict(argument))
    except WorkflowUpdateFailedError as error:
        raise await refusal(temporal, workflow_id, error, hints) from error
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        raise TemporalUnavailable(
            f"execution {execution} does not react: no worker took it up within {REACTION_SECONDS:g} s",
            hint="is one running? flytemp worker starts one; then say it again",
        ) from error
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise await over(temporal, workflow_id) from error
        raise unavailable(error) from error
    return result if isinstance(result, dict) else {}


async def over(temporal: TemporalClient, workflow_id: str) -> NotFound:
    """The error for an execution that cannot be told anything."""
    name = execution_name(workflow_id)
    description = await describe_workflow(temporal, workflow_id)
    if description is None:
        return NotFound(f"there is no execution {name!r}", hint="flytemp list executions shows what there is")
    if description.status is WorkflowExecutionStatus.RUNNING:
        return NotFound(f"execution {name} ended meanwhile, and was started again", hint="say it again")
    phase = phase_of(description.status)
    return NotFound(f"execution {name} is not running: it is {phase}", hint=f"flytemp get execution {name}")


async def refusal(
    temporal: TemporalClient, workflow_id: str, error: WorkflowUpdateFailedError, hints: Mapping[str, str]
) -> FlytempError:
    """The error of flytemp's own that an execution's refusal stands for."""
    cause = error.cause
    name = execution_name(workflow_id)
    code = cause.type if isinstance(cause, ApplicationError) else None
    if code == _ENDED:
        return await over(temporal, workflow_id)
    message = cause.message if isinstance(cause, ApplicationError) else str(cause)
    kind = _KINDS.get(code or "")
    if kind is None:
        return FlytempError(
            f"execution {name} does not do that: {message}", hint="is its worker of this version? flytemp version"
        )
    given = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else None
    hint = given if isinstance(given, str) and given else hints.get(kind.code)
    return kind(f"execution {name}: {message}", hint=hint)


def _kinds() -> dict[str, type[FlytempError]]:
    """The errors that need no more than a message, by their codes."""
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
