"""Temporal workflow types: ``FlytempWorkflow`` runs every spec, and ``FlytempMapPart`` runs a chunk of a large map.

The classes receive inputs, updates and signals, which `flytemp_worker.workflow.received` checks.
`flytemp_worker.workflow.execution` runs an execution or a chunk, and `flytemp_worker.workflow.message_handlers` handles updates
and signals. The handlers accept any number of arguments, because a handler that the SDK cannot call blocks the workflow.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from flytemp.protocol import workflow as protocol
from flytemp.protocol.activities import RESOLVE, ResolveArgument
from flytemp_worker.workflow import activity_calls, execution
from flytemp_worker.workflow.message_handlers import MessageHandlers
from flytemp_worker.workflow.received import NO_INPUT, read_input, read_signal, read_update, refused_input, workflow_input
from flytemp_worker.workflow.reset_epoch import ResetEpoch


class _EngineWorkflow:
    """Base of the workflow classes that run an engine: their state, and the signals of their child workflows."""

    def __init__(self) -> None:
        self._handlers = MessageHandlers()
        self._reset = ResetEpoch()

    @workflow.signal(name=protocol.CHILD_CLOSED.name)
    def child_closed(self, *arguments: Any) -> None:
        self._handlers.child_closed(read_signal(protocol.CHILD_CLOSED, arguments))

    @workflow.signal(name=protocol.SLOTS_RELEASED.name)
    def slots_released(self, *arguments: Any) -> None:
        self._handlers.slots_released(read_signal(protocol.SLOTS_RELEASED, arguments))


@workflow.defn(name=protocol.WORKFLOW_TYPE, sandboxed=False)
class FlytempWorkflow(_EngineWorkflow):
    """Runs a launch plan, workflow or task by its spec. See the reference page "Launching from any language"."""

    @workflow.run
    async def run(self, launch: RawValue = NO_INPUT) -> dict[str, Any]:
        data = _launch(launch)
        if "continued" in data and workflow.info().continued_run_id:
            continued = read_input(protocol.ContinuedArgument, data).continued
            _check_predecessor(continued)
            return await execution.continue_run(continued, self._handlers, self._reset)
        _check_parent(data.get("parent"))
        return await execution.run(await _resolve(data), None, self._handlers, self._reset)

    @workflow.update(name=protocol.ANSWER.name)
    async def answer(self, *arguments: Any) -> dict[str, Any]:
        answered = await self._handlers.answer(read_update(protocol.ANSWER, arguments))
        return answered.to_json()

    @answer.validator
    def _check_answer(self, *arguments: Any) -> None:
        self._handlers.check_answer(read_update(protocol.ANSWER, arguments))

    @workflow.update(name=protocol.PAUSE.name)
    async def pause(self, *arguments: Any) -> dict[str, Any]:
        await self._handlers.pause(read_update(protocol.PAUSE, arguments))
        return {}

    @pause.validator
    def _check_pause(self, *arguments: Any) -> None:
        read_update(protocol.PAUSE, arguments)

    @workflow.update(name=protocol.RESUME.name)
    async def resume(self, *arguments: Any) -> dict[str, Any]:
        await self._handlers.resume(read_update(protocol.RESUME, arguments))
        return {}

    @resume.validator
    def _check_resume(self, *arguments: Any) -> None:
        read_update(protocol.RESUME, arguments)

    @workflow.update(name=protocol.RETRY.name)
    async def retry(self, *arguments: Any) -> dict[str, Any]:
        retried = await self._handlers.retry(read_update(protocol.RETRY, arguments))
        return retried.to_json()

    @retry.validator
    def _check_retry(self, *arguments: Any) -> None:
        self._handlers.check_retry(read_update(protocol.RETRY, arguments))


@workflow.defn(name=protocol.CHUNK_WORKFLOW_TYPE, sandboxed=False)
class FlytempMapPart(_EngineWorkflow):
    """Runs the calls of a chunk of a map. Only `FlytempWorkflow` and `FlytempMapPart` start it."""

    @workflow.run
    async def run(self, argument: RawValue = NO_INPUT) -> dict[str, Any]:
        start = read_input(protocol.ChunkStart, workflow_input(argument))
        if start.continued is not None:
            _check_predecessor(start.continued)
            return await execution.continue_run(start.continued, self._handlers, self._reset)
        if start.resolved is None or start.chunk is None:
            raise refused_input(f"{protocol.CHUNK_WORKFLOW_TYPE} is started by {protocol.WORKFLOW_TYPE} only")
        _check_is_parent(start.chunk.parent)
        return await execution.run(start.resolved, start.chunk, self._handlers, self._reset)

    @workflow.signal(name=protocol.PARENT_MESSAGE.name)
    def parent_message(self, *arguments: Any) -> None:
        self._handlers.parent_message(read_signal(protocol.PARENT_MESSAGE, arguments))


def _launch(argument: RawValue) -> dict[str, Any]:
    """Return the launch as JSON. An unreadable launch fails the run, because a retry of the workflow task would fail, too."""
    if workflow.info().cron_schedule:  # all runs of a cron schedule have the same first run id, which names the results
        raise refused_input("a workflow with a cron schedule is not supported; use a Temporal Schedule")
    value = workflow_input(argument)
    if not isinstance(value, dict):
        raise refused_input("the input must be one JSON object")
    return value


def _check_predecessor(continued: protocol.Continuation) -> None:
    """Check that an earlier run of the same workflow wrote the state: a launch is always resolved.

    A client cannot know the first run id before the start, so it cannot start a workflow with a state.
    """
    info = workflow.info()
    if not info.continued_run_id or continued.first_run_id != info.first_execution_run_id:
        raise refused_input("the state of an earlier run is given, but this run does not continue that run")


def _check_parent(parent: Any) -> None:
    """Check that the execution that a launch names as its parent started this workflow as its child."""
    if parent is not None:
        _check_is_parent(parent.get("workflow_id") if isinstance(parent, dict) else None)


def _check_is_parent(workflow_id: Any) -> None:
    parent = workflow.info().parent
    if parent is None or parent.workflow_id != workflow_id:
        raise refused_input("parent: only an execution that starts this workflow as its child may be named as its parent")


async def _resolve(launch: dict[str, Any]) -> protocol.Resolved:
    info = workflow.info()
    argument = ResolveArgument(
        launch=launch,
        namespace=info.namespace,
        workflow_id=info.workflow_id,
        first_run_id=info.first_execution_run_id,
        started_at=info.workflow_start_time.isoformat(),
    )
    try:
        resolved = await activity_calls.control(RESOLVE, argument, summary="validate the launch, load the plan")
    except ActivityError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError):
            raise ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True) from error
        raise
    return RESOLVE.read_result(resolved)
