"""Temporal workflow behind the janitor's schedule: runs the activity that sweeps a Kubernetes cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

from flytemp.protocol.activities import SWEEP_PODS, SweepPodsArgument
from flytemp.protocol.workflow import JANITOR_WORKFLOW_TYPE

SWEEP_TIMEOUT = timedelta(minutes=10)


@workflow.defn(name=JANITOR_WORKFLOW_TYPE, sandboxed=False)
class FlytempJanitor:
    """Started by a Temporal schedule. The command ``flytemp janitor`` does the same on demand."""

    @workflow.run
    async def run(self, task_queue: str) -> list[dict[str, str]]:
        """Sweep on a worker of ``task_queue``. Return the pods that were removed."""
        swept: Any = await workflow.execute_activity(
            SWEEP_PODS.name,
            SweepPodsArgument().to_json(),
            task_queue=task_queue,
            start_to_close_timeout=SWEEP_TIMEOUT,
            retry_policy=RetryPolicy(maximum_attempts=3),
        )
        return SWEEP_PODS.read_result(swept).pods
