"""``FlytempWorkflow``: the one workflow type that runs every spec; and ``FlytempMapPart``, a part of a large map in one.

What is here runs before the behaviour version is known, so it is frozen: call `resolve`, read the version it
chose from history, hand over. A version this worker does not know fails the workflow task, never the run: the
run waits for a worker that knows it.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from flytemp_worker.workflow import activity_calls, execution
from flytemp_worker.workflow.message_handlers import MessageHandlers

_NOTHING = RawValue(Payload())

@workflow.defn(name="FlytempWorkflow", sandboxed=False)
class FlytempWorkflow:
    """Runs a launch plan, workflow or task by its spec. See the reference page "Launching from any language"."""

    def __init__(self) -> None:
        self._requests = MessageHandlers()

    @workflow.run
    async def run(self, launch: RawValue = _NOTHING) -> dict[str, Any]:
        given = _decoded(launch)
        # Only a run that continues another says what to go on with: a launch is always resolved.
        continued = given.get("continued") if workflow.info().continued_run_id else None
        resolved: dict[str, Any] = continued["resolved"] if continued else await _resolve(given)
        return await execution.run(resolved, continued, self._requests.open)

    @workflow.update(name="flytemp.answer")
    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        return await self._requests.answer(request)

    @answer.validator
    def _check_answer(self, request: dict[str, Any]) -> None:
        self._requests.check_answer(request)

    @workflow.update(name="flytemp.pause")
    async def pause(self, request: dict[str, Any]) -> dict[str, Any]:
        return await self._requests.pause(request)

    @workflow.update(name="flytemp.resume")
    async def resume(self, request: dict[str, Any]) -> dict[str, Any]:
        return await self._requests.resume(request)

    @workflow.update(name="flytemp.retry")
    async def retry(self, request: dict[str, Any]) -> dict[str, Any]:
        return await self._requests.retry(request)

    @retry.validator
    def _check_retry(self, request: dict[str, Any]) -> None:
        self._requests.check_retry(request)

    @workflow.signal(name=activity_calls.CHILD_CLOSED)
    def child_closed(self, message: dict[str, Any]) -> None:
        self._requests.child_closed(message)

    @workflow.signal(name=activity_calls.GAVE_BACK)
    def part_gave_back(self, message: dict[str, Any]) -> None:
        self._requests.part_gave_back(message)


@workflow.defn(name=activity_calls.PART_WORKFLOW, sandboxed=False)
class FlytempMapPart:
    """The calls of some of a map's items: started by `FlytempWorkflow` alone."""

    def __init__(self) -> None:
        self._requests = MessageHandlers()

    @workflow.run
    async def run(self, part: dict[str, Any]) -> dict[str, Any]:
        continued = part.get("continued")
        own = {name: value for name, value in part.items() if name != "resolved"}
        resolved = continued["resolved"] if continued else {**part["resolved"], "part": own}
        return await execution.run(resolved, continued, self._requests.open)

    @workflow.signal(name=activity_calls.TELL)
    def tell(self, message: dict[str, Any]) -> None:
        self._requests.told(message)

    @workflow.signal(name=activity_calls.CHILD_CLOSED)
    def child_closed(self, message: dict[str, Any]) -> None:
        self._requests.child_closed(message)

    @workflow.signal(name=activity_calls.GAVE_BACK)
    def part_gave_back(self, message: dict[str, Any]) -> None:
        self._requests.part_gave_back(message)


def _decoded(launch: RawValue) -> dict[str, Any]:
    """The launch as JSON. What cannot be read fails the run: another try of the workflow task would not read it either."""
    if launch is _NOTHING:
        raise _refused("there is no input")
    if workflow.info().cron_schedule:  # its runs share the first run's id, by which results are kept
        raise _refused("a workflow with a cron schedule cannot be told from its last run: use a Temporal Schedule")
    try:
        value = workflow.payload_converter().from_payload(launch.payload)
    except Exception as error:
        raise _refused(f"the input cannot be read: {error}"[:500]) from error
    if not isinstance(value, dict):
        raise _refused("the input must be one JSON object")
    return value


def _refused(why: str) -> ApplicationError:
    return ApplicationError(f"the launch is not understood: {why}", type="invalid-input", non_retryable=True)


async def _resolve(launch: dict[str, Any]) -> dict[str, Any]:
    info = workflow.info()
    argument = {
        "launch": launch,
        "namespace": info.namespace,
        "workflow_id": info.workflow_id,
        "first_run_id": info.first_execution_run_id,
        "started_at": info.workflow_start_time.isoformat(),
    }
    try:
        resolving = activity_calls.control(activity_calls.RESOLVE, argument, summary="validate the launch, load the plan")
    except (TypeError, ValueError, RecursionError) as error:
        raise _refused(f"the input is not JSON: {error}"[:500]) from error
    try:
        result: dict[str, Any] = await resolving
    except ActivityError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError):
            raise ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True) from error
        raise
    return result
