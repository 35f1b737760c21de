"""An ordinary Temporal workflow that runs a flytemp workflow as its child. It does not import flytemp.

All it knows is the workflow type, the task queue and the JSON of a launch, so that the same works from Go, Java,
TypeScript and every other SDK.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.worker import Worker

FLYTEMP_WORKFLOW = "FlytempWorkflow"
FLYTEMP_TASK_QUEUE = "flytemp"
OWN_TASK_QUEUE = "any-language"


@workflow.defn
class Forecast:
    """Workflow of a team that uses flytemp to fit a line and extrapolates it."""

    @workflow.run
    async def run(self, launch_plan: str, y: list[float], at: float) -> dict[str, Any]:
        inputs = {"x": list(range(len(y))), "y": y}
        launch = {"launch_plan": launch_plan, "project": "examples", "inputs": inputs}
        try:
            result: dict[str, Any] = await workflow.execute_child_workflow(
                FLYTEMP_WORKFLOW,
                launch,
                id=f"{workflow.info().workflow_id}/fit",
                task_queue=FLYTEMP_TASK_QUEUE,
                execution_timeout=timedelta(hours=1),
            )
        except ChildWorkflowError as error:
            # The type is flytemp's code or the exception's class; the first detail has more fields as JSON.
            if isinstance(error.cause, ApplicationError):
                return {"failed": error.cause.type, "message": error.cause.message}
            raise
        line = result["outputs"]
        return {"execution": result["execution"], "forecast": line["slope"] * at + line["intercept"]}


async def main() -> None:
    """Run the team's own worker until Ctrl-C."""
    settings = ClientConfigProfile.load().to_client_connect_config()
    settings.setdefault("target_host", "localhost:7233")
    client = await Client.connect(**settings)
    print(f"serving Forecast on {OWN_TASK_QUEUE}", flush=True)
    await Worker(client, task_queue=OWN_TASK_QUEUE, workflows=[Forecast]).run()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
