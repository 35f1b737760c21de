"""An ordinary Temporal workflow that runs a flytemp workflow as its child. It imports nothing of flytemp.

All it knows is the workflow type, the task queue and the JSON of a launch, so that the same works from Go, Java,
TypeScript and every other SDK.
"""

from __future__ import annotations

import asyncio
import os
import sys
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
    """A team's own workflow: fits a line with flytemp, and goes on with the result."""

    @workflow.run
    async def run(self, launch_plan: str, y: list[float], at: float) -> dict[str, Any]:
        launch = {"launch_plan": launch_plan, "inputs": {"x": [float(i) for i in range(len(y))], "y": y}}
        launch["project"] = "examples"
        try:
            result: dict[str, Any] = await workflow.execute_child_workflow(
                FLYTEMP_WORKFLOW,
                launch,
                id=f"{workflow.info().workflow_id}/fit",
                task_queue=FLYTEMP_TASK_QUEUE,
                execution_timeout=timedelta(hours=1),
            )
        except ChildWorkflowError as error:
            # The error's type is flytemp's code or the exception's name; its first detail says more, as JSON.
            if isinstance(error.cause, ApplicationError):
                return {"failed": error.cause.type, "message": error.cause.message}
            raise
        line = result["outputs"]
        return {"execution": result["execution"], "forecast": line["slope"] * at + line["intercept"]}


async def main(workflow_id: str) -> None:
    """Run one forecast with a worker of its own, and print its result."""
    settings = ClientConfigProfile.load().to_client_connect_config()
    settings.setdefault("target_host", os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"))
    client = await Client.connect(**settings)
    async with Worker(client, task_queue=OWN_TASK_QUEUE, workflows=[Forecast]):
        result = await client.execute_workflow(
            Forecast.run, args=["fit_line", [1.0, 3.0, 5.0], 10.0], id=workflow_id, task_queue=OWN_TASK_QUEUE
        )
    print(result)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "forecast-1"))
