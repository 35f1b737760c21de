"""Temporal workflow types: ``FlytempWorkflow`` runs every spec, and ``FlytempMapPart`` runs a chunk of a large map.

The classes decode what Temporal delivers and pass it on. `flytemp_worker.workflow.execution` runs an execution or a chunk, and
`flytemp_worker.workflow.message_handlers` handles updates and signals.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from flytemp.protocol import workflow as protocol
from flytemp.protocol.activities import RESOLVE, ResolveArgument
from flytemp_worker.workflow import activity_calls, execution
from flytemp_worker.workflow.message_handlers import MessageHandlers
from flytemp_worker.workflow.reset_epoch import ResetEpoch

_NO_INPUT = RawValue(Payload())


@workflow.defn(name=protocol.WORKFLOW_TYPE, sandboxed=False)
class FlytempWorkflow:
    """Runs a launch plan, workflow or task by its spec. See the reference page "Launching from any language"."""

    def __init__(self) -> None:
        self._handlers = MessageHandlers()
        self._reset = ResetEpoch()

    @workflow.run
    async def run(self, launch: RawValue = _NO_INPUT) -> dict[str, Any]:
        data = _decoded(launch)
        # Only a run with a predecessor may be given a state: a launch is always resolved.
        if workflow.info().continued_run_id and "continued" in data:
            continued = protocol.ContinuedArgument.from_json(data).continued
            return await execution.continue_run(continued, self._handlers, self._reset)
        return await execution.run(await _resolve(data), None, self._handlers, self._reset)

    @workflow.update(name=protocol.ANSWER.name)
    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        answered = await self._handlers.answer(protocol.AnswerRequest.from_json(request))
        return answered.to_json()

    @answer.validator
    def _check_answer(self, request: dict[str, Any]) -> None:
        self._handlers.check_answer(protocol.AnswerRequest.from_json(request))

    @workflow.update(name=protocol.PAUSE.name)
    async def pause(self, request: dict[str, Any]) -> dict[str, Any]:
        await self._handlers.pause(protocol.Pause.from_json(request))
        return {}

    @workflow.update(name=protocol.RESUME.name)
    async def resume(self, request: dict[str, Any]) -> dict[str, Any]:
        await self._handlers.resume(protocol.ResumeRequest.from_json(request))
        return {}

    @workflow.update(name=protocol.RETRY.name)
    async def retry(self, request: dict[str, Any]) -> dict[str, Any]:
        retried = await self._handlers.retry(protocol.RetryRequest.from_json(request))
        return retried.to_json()

    @retry.validator
    def _check_retry(self, request: dict[str, Any]) -> None:
        self._handlers.check_retry(protocol.RetryRequest.from_json(request))

    @workflow.signal(name=protocol.CHILD_CLOSED.name)
    def child_closed(self, message: dict[str, Any]) -> None:
        self._handlers.child_closed(protocol.ChildClosed.from_json(message))

    @workflow.signal(name=protocol.SLOTS_RELEASED.name)
    def slots_released(self, message: dict[str, Any]) -> None:
        self._handlers.slots_released(protocol.SlotsReleased.from_json(message))


@workflow.defn(name=protocol.CHUNK_WORKFLOW_TYPE, sandboxed=False)
class FlytempMapPart:
    """Runs the calls of a chunk of a map. Only `FlytempWorkflow` and `FlytempMapPart` start it."""

    def __init__(self) -> None:
        self._handlers = MessageHandlers()
        self._reset = ResetEpoch()

    @workflow.run
    async def run(self, argument: dict[str, Any]) -> dict[str, Any]:
        start = protocol.ChunkStart.from_json(argument)
        if start.continued is not None:
            return await execution.continue_run(start.continued, self._handlers, self._reset)
        assert start.resolved is not None
        return await execution.run(start.resolved, start.chunk, self._handlers, self._reset)

    @workflow.signal(name=protocol.PARENT_MESSAGE.name)
    def parent_message(self, message: dict[str, Any]) -> None:
        self._handlers.parent_message(protocol.ParentMessage.from_json(message))

    @workflow.signal(name=protocol.CHILD_CLOSED.name)
    def child_closed(self, message: dict[str, Any]) -> None:
        self._handlers.child_closed(protocol.ChildClosed.from_json(message))

    @workflow.signal(name=protocol.SLOTS_RELEASED.name)
    def slots_released(self, message: dict[str, Any]) -> None:
        self._handlers.slots_released(protocol.SlotsReleased.from_json(message))


def _decoded(launch: RawValue) -> dict[str, Any]:
    """Return the launch as JSON. An unreadable launch fails the run, because a retry of the workflow task would fail, too."""
    if launch is _NO_INPUT:
        raise _invalid("the workflow has no input")
    if workflow.info().cron_schedule:  # all runs of a cron schedule have the same first run id, which names the results
        raise _invalid("a workflow with a cron schedule is not supported; use a Temporal Schedule")
    try:
        value = workflow.payload_converter().from_payload(launch.payload)
    except Exception as error:
        raise _invalid(f"the input cannot be decoded: {error}"[:500]) from error
    if not isinstance(value, dict):
        raise _invalid("the input must be one JSON object")
    return value


def _invalid(reason: str) -> ApplicationError:
    return ApplicationError(f"invalid launch: {reason}", type="invalid-input", non_retryable=True)


async def _resolve(launch: dict[str, Any]) -> protocol.Resolved:
    info = workflow.info()
    argument = ResolveArgument(
        launch=launch,
        namespace=info.namespace,
        workflow_id=info.workflow_id,
        first_run_id=info.first_execution_run_id,
        started_at=info.workflow_start_time.isoformat(),
        parent_workflow_id=info.parent.workflow_id if info.parent is not None else None,
    )
    try:
        resolving = activity_calls.control(RESOLVE, argument, summary="validate the launch, load the plan")
    except (TypeError, ValueError, RecursionError) as error:
        raise _invalid(f"the input is not JSON: {error}"[:500]) from error
    try:
        return RESOLVE.read_result(await resolving)
    except ActivityError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError):
            raise ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True) from error
        raise
