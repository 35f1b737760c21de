"""``FlytempWorkflow``: the one workflow type that runs every spec.

What is here runs before the behaviour version is known, so it is frozen: call `resolve`, read the version it
chose from history, hand over. A version this worker does not know fails the workflow task, never the run: the
run waits for a worker that knows it.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from flytemp_worker.workflow import calls, version1

_VERSIONS = {1: version1.run}


class UnknownInterpreterVersion(Exception):
    """Not a failure of the run: an older worker got a newer execution. Temporal tries the task again elsewhere."""


@workflow.defn(name="FlytempWorkflow", sandboxed=False)
class FlytempWorkflow:
    """Runs a launch plan, workflow or task by its spec. See the reference page "Launching from any language"."""

    @workflow.run
    async def run(self, launch: dict[str, Any]) -> dict[str, Any]:
        continued = launch.get("continued")
        resolved: dict[str, Any] = continued["resolved"] if continued else await _resolve(launch)
        number = resolved["interpreter"]
        if number not in _VERSIONS:
            raise UnknownInterpreterVersion(
                f"the execution is of interpreter version {number}, this worker knows {sorted(_VERSIONS)}: upgrade the worker"
            )
        return await _VERSIONS[number](resolved, continued)


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
        result: dict[str, Any] = await calls.control(
            calls.RESOLVE, argument, summary="validate the launch, load the plan"
        )
    except ActivityError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError):
            raise ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True) from error
        raise
    return result
